"""Tariffs: their shape, their validity, and what may be wrong with one.

A tariff is a list of components; prices are micro-units of the currency per kWh
(ENERGY), per minute (TIME, PARKING, IDLE) or per session (FLAT). A published version
never changes; a changed tariff is a new version, and an SDR is rated by the version in
force at its start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.clock import is_within
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import CURRENCIES, micro_to_decimal

MINUTES_PER_DAY = 1440
SECONDS_PER_MINUTE = 60

#: Components of one tariff. It stops a tariff from making each SDR slow to rate.
COMPONENTS_MAX = 50

#: The highest price that is believed, in micro-units: a million units of the currency.
#: It stops a price in the wrong unit from overflowing sums, in every currency.
PRICE_U_MAX = 10**12

_WEEKDAYS = frozenset(range(7))

#: Fields of a component that are stored only when they say something. Midnight is a
#: bound of a day like any other, so that a zero counts there.
_OPTIONAL = (
    "step",
    "tier_from",
    "tier_up_to",
    "grace_seconds",
    "local_from",
    "local_until",
)
_ZERO_COUNTS = ("local_from", "local_until")

JsonObject = dict[str, int | str | list[int] | None]


class ComponentType(StrEnum):
    """What a component has a price for."""

    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING = "PARKING"
    IDLE = "IDLE"
    FLAT = "FLAT"


#: Started units that are billed when the component names no step: each watt-hour, each
#: started minute.
_DEFAULT_STEP = {
    ComponentType.ENERGY: 1,
    ComponentType.TIME: SECONDS_PER_MINUTE,
    ComponentType.PARKING: SECONDS_PER_MINUTE,
    ComponentType.IDLE: SECONDS_PER_MINUTE,
    ComponentType.FLAT: 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One price of a tariff.

    ``price_u``: micro-units per kWh, minute or session. ``step``: started units that
    are billed, in Wh or seconds. ``tier_from`` and ``tier_up_to``: the part of the
    session's quantity that has this price, half-open, in Wh or seconds.
    ``grace_seconds``: free idle time. ``local_from`` and ``local_until``: minutes of
    the local day, half-open, over midnight when from is not before until.
    ``weekdays``: 0 is Monday; empty means every day.
    """

    type: ComponentType
    price_u: int
    step: int | None = None
    tier_from: int = 0
    tier_up_to: int | None = None
    grace_seconds: int = 0
    local_from: int | None = None
    local_until: int | None = None
    weekdays: frozenset[int] = frozenset()

    @property
    def effective_step(self) -> int:
        """The step in Wh or seconds, with the default of the type."""
        return _DEFAULT_STEP[self.type] if self.step is None else self.step

    @property
    def is_restricted(self) -> bool:
        """Whether the price depends on the local time or the day of the week."""
        return (
            self.local_from is not None
            or self.local_until is not None
            or bool(self.weekdays)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A tariff as published; ``minimum_u`` and ``maximum_u`` bound a session's net."""

    tariff_id: str
    currency: str
    valid_from: datetime
    components: tuple[Component, ...]
    valid_until: datetime | None = None
    minimum_u: int | None = None
    maximum_u: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffVersion:
    """A stored version of a tariff; without ``receiver_id`` it is for everybody."""

    tariff_version_id: int
    publisher_id: int
    version: int
    tariff: Tariff
    receiver_id: int | None = None


def version_in_force(
    versions: Iterable[TariffVersion], *, receiver_id: int, at: datetime
) -> TariffVersion | None:
    """Return the version that rates a session of the receiver that starts at ``at``.

    A tariff made for the receiver goes before the default; of several versions in force
    the newest counts.
    """
    best: TariffVersion | None = None
    best_rank = (False, 0)
    for candidate in versions:
        if candidate.receiver_id not in (None, receiver_id):
            continue
        tariff = candidate.tariff
        if not is_within(at, tariff.valid_from, tariff.valid_until):
            continue
        rank = (candidate.receiver_id is not None, candidate.version)
        if best is None or rank > best_rank:
            best, best_rank = candidate, rank
    return best


def digest(tariff: Tariff) -> bytes:
    """Return the SHA-256 of what the tariff says: equal digest, same version."""
    until = tariff.valid_until
    facts = {
        "tariff_id": tariff.tariff_id,
        "currency": tariff.currency,
        "valid_from": tariff.valid_from.astimezone(UTC).isoformat(),
        "valid_until": until and until.astimezone(UTC).isoformat(),
        "minimum_u": tariff.minimum_u,
        "maximum_u": tariff.maximum_u,
        "components": components_as_json(tariff.components),
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).digest()


def components_as_json(components: Iterable[Component]) -> list[JsonObject]:
    """Return components as they are stored, in published order; defaults left out."""
    stored: list[JsonObject] = []
    for component in components:
        row: JsonObject = {"type": component.type.value, "price_u": component.price_u}
        for name in _OPTIONAL:
            value: int | None = getattr(component, name)
            if value not in (None, 0) or (value == 0 and name in _ZERO_COUNTS):
                row[name] = value
        if component.weekdays:
            row["weekdays"] = sorted(component.weekdays)
        stored.append(row)
    return stored


def components_from_json(
    stored: Iterable[Mapping[str, object]],
) -> tuple[Component, ...]:
    """Return stored components as values.

    Raises :class:`ValueError` when the rows are none that :func:`components_as_json`
    wrote.
    """
    return tuple(_component_from(row) for row in stored)


def _component_from(row: Mapping[str, object]) -> Component:
    weekdays = row.get("weekdays", [])
    if not isinstance(weekdays, list):
        raise ValueError(f"no list of weekdays: {weekdays!r}")  # noqa: TRY004 - damaged data, not a caller's mistake
    return Component(
        type=ComponentType(str(row["type"])),
        price_u=_whole(row["price_u"]),
        step=_whole_or_none(row.get("step")),
        tier_from=_whole(row.get("tier_from", 0)),
        tier_up_to=_whole_or_none(row.get("tier_up_to")),
        grace_seconds=_whole(row.get("grace_seconds", 0)),
        local_from=_whole_or_none(row.get("local_from")),
        local_until=_whole_or_none(row.get("local_until")),
        weekdays=frozenset(_whole(day) for day in weekdays),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"not a whole number: {value!r}")  # noqa: TRY004 - damaged data, not a caller's mistake
    return value


def _whole_or_none(value: object) -> int | None:
    return None if value is None else _whole(value)


def check_tariff(tariff: Tariff, *, index: int) -> tuple[Item, ...]:
    """Return what is wrong with a tariff, field by field; empty when it is good."""
    wrong = _Findings(index)
    if tariff.currency not in CURRENCIES:
        wrong.note("currency", "a currency code of ISO 4217", tariff.currency)
    if tariff.valid_until is not None and tariff.valid_until <= tariff.valid_from:
        found = tariff.valid_until.isoformat()
        wrong.note("validUntil", "after validFrom", found, codes.TARIFF_PERIOD)
    for path, bound in (("minimum", tariff.minimum_u), ("maximum", tariff.maximum_u)):
        if bound is not None and not 0 <= bound <= PRICE_U_MAX:
            wrong.note(path, "0 to 1000000", _price_text(bound))
    if (
        tariff.minimum_u is not None
        and tariff.maximum_u is not None
        and tariff.minimum_u > tariff.maximum_u
    ):
        wrong.note("minimum", "at most the maximum", _price_text(tariff.minimum_u))
    if not 0 < len(tariff.components) <= COMPONENTS_MAX:
        wrong.note("component", f"1 to {COMPONENTS_MAX}", len(tariff.components))
    for place, component in enumerate(tariff.components, start=1):
        _check_quantity(component, wrong, f"component[{place}]")
        _check_restriction(component, wrong, f"component[{place}]")
    return tuple(wrong.items)


def check_change(tariff: Tariff, *, now: datetime, index: int) -> Item | None:
    """Return why a tariff cannot replace a published one: it would change the past."""
    if tariff.valid_from >= now:
        return None
    return Item(
        code=codes.TARIFF_PAST,
        index=index,
        path="validFrom",
        expected=f"{now.isoformat(timespec='seconds')} or later",
        found=tariff.valid_from.isoformat(),
    )


class _Findings:
    """Collects what is wrong with one tariff."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.items: list[Item] = []

    def note(
        self, path: str, expected: str, found: object, code: Code = codes.TARIFF_FIELD
    ) -> None:
        item = Item(
            code=code,
            index=self.index,
            path=path,
            expected=expected,
            found=str(found),
        )
        self.items.append(item)


def _check_quantity(component: Component, wrong: _Findings, path: str) -> None:
    flat = component.type is ComponentType.FLAT
    if not 0 <= component.price_u <= PRICE_U_MAX:
        found = _price_text(component.price_u)
        wrong.note(f"{path}/price", "0 to 1000000", found)
    if component.step is not None and (component.step < 1 or flat):
        expected = "no step for FLAT" if flat else "1 or more"
        wrong.note(f"{path}/step", expected, component.step)
    up_to = component.tier_up_to
    if component.tier_from < 0 or (flat and component.tier_from):
        expected = "no tier for FLAT" if flat else "0 or more"
        wrong.note(f"{path}/from", expected, component.tier_from)
    if up_to is not None and (up_to <= component.tier_from or flat):
        expected = "no tier for FLAT" if flat else "more than from"
        wrong.note(f"{path}/upTo", expected, up_to)


def _check_restriction(component: Component, wrong: _Findings, path: str) -> None:
    grace = component.grace_seconds
    if grace < 0 or (grace and component.type is not ComponentType.IDLE):
        wrong.note(f"{path}/graceSeconds", "0 or more, and for IDLE only", grace)
    start, end = component.local_from, component.local_until
    if (start is None) != (end is None):
        wrong.note(f"{path}/localFrom", "localFrom and localUntil together", "one")
    for name, minute in (("localFrom", start), ("localUntil", end)):
        if minute is not None and not 0 <= minute < MINUTES_PER_DAY:
            wrong.note(f"{path}/{name}", "00:00 to 23:59", minute)
    if not component.weekdays <= _WEEKDAYS:
        wrong.note(f"{path}/weekday", "MON to SUN", sorted(component.weekdays))


def _price_text(price_u: int) -> str:
    return f"{micro_to_decimal(price_u):f}"
