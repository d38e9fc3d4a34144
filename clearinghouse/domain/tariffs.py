"""Tariffs: their shape, their validity, and how a version is stored.

A tariff is a list of components; prices are micro-units of the currency per kWh
(ENERGY), per minute (TIME, PARKING, IDLE) or per session (FLAT). A published version
never changes; a changed tariff is a new version, and an SDR is rated by the version in
force at its start. What may be wrong with one: ``domain.tariff_checks``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256

from clearinghouse.domain.clock import is_within

MINUTES_PER_DAY = 1440
SECONDS_PER_MINUTE = 60

#: A discount is in parts per million; all of them make a session free.
DISCOUNT_PPM_MAX = 1_000_000

#: Fields of a component that are stored only when they say something. Midnight is a
#: bound of a day like any other, so that a zero counts there.
_OPTIONAL = (
    "step",
    "tier_from",
    "tier_up_to",
    "grace_seconds",
    "local_from",
    "local_until",
    "power_from_w",
    "power_up_to_w",
    "duration_from_seconds",
    "duration_up_to_seconds",
    "priority",
)
_ZERO_COUNTS = ("local_from", "local_until")
_DATES = ("date_from", "date_until")

JsonObject = dict[str, int | str | list[int] | None]


class ComponentType(StrEnum):
    """What a component has a price for."""

    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING = "PARKING"
    IDLE = "IDLE"
    FLAT = "FLAT"


class PricePer(StrEnum):
    """What a price is for: the unit of its type, or one started step."""

    UNIT = "UNIT"
    STEP = "STEP"


class PricedBy(StrEnum):
    """Whose beginning chooses a price that depends on the time.

    INTERVAL: that of each stretch of charging, as finely as it was metered; START: that
    of the session, for all that was used in it.
    """

    INTERVAL = "INTERVAL"
    START = "START"


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

    ``price_u``: micro-units per kWh, minute or session, or per started step.
    ``step``: started units that are billed, in Wh or seconds. ``tier_from`` and
    ``tier_up_to``: the part of the session's quantity that has this price, half-open,
    in Wh or seconds. ``grace_seconds``: free parking or idle time, before the tier.

    The rest says when the component applies; all of it must. ``local_from`` and
    ``local_until``: minutes of the local day, half-open, over midnight when from is not
    before until. ``weekdays``: 0 is Monday; empty means every day. ``date_from`` and
    ``date_until``: local dates, half-open. ``power_from_w`` and ``power_up_to_w``:
    average power of the charging transaction, half-open; of all charging for PARKING,
    IDLE and FLAT. ``duration_from_seconds`` and ``duration_up_to_seconds``: length of
    the service session, half-open. ``connector``: the EVSE has one of this kind.

    ``priority``: of the components of a type that have one, those with the highest that
    apply to a part of the quantity price it; those without one always add up.
    """

    type: ComponentType
    price_u: int
    price_per: PricePer = PricePer.UNIT
    step: int | None = None
    tier_from: int = 0
    tier_up_to: int | None = None
    grace_seconds: int = 0
    local_from: int | None = None
    local_until: int | None = None
    weekdays: frozenset[int] = frozenset()
    date_from: date | None = None
    date_until: date | None = None
    power_from_w: int | None = None
    power_up_to_w: int | None = None
    duration_from_seconds: int | None = None
    duration_up_to_seconds: int | None = None
    connector: str | None = None
    priority: int | None = None

    @property
    def effective_step(self) -> int:
        """The step in Wh or seconds, with the default of the type."""
        return _DEFAULT_STEP[self.type] if self.step is None else self.step

    @property
    def is_timed(self) -> bool:
        """Whether the price depends on the local time, day or date."""
        bounds = (self.local_from, self.local_until, self.date_from, self.date_until)
        return bool(self.weekdays) or any(bound is not None for bound in bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A tariff as published.

    ``minimum_u`` and ``maximum_u`` bound a session's amount, ``discount_ppm`` is taken
    off behind them, in parts per million. ``vat_included``: all its prices and bounds
    are gross, and VAT is taken out of the amount.
    """

    tariff_id: str
    currency: str
    valid_from: datetime
    components: tuple[Component, ...]
    valid_until: datetime | None = None
    minimum_u: int | None = None
    maximum_u: int | None = None
    discount_ppm: int = 0
    vat_included: bool = False
    priced_by: PricedBy = PricedBy.INTERVAL

    @property
    def asks_connector(self) -> bool:
        """Whether the connectors of the EVSE must be known to rate by it."""
        return any(component.connector is not None for component in self.components)


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
    facts: dict[str, object] = {
        "tariff_id": tariff.tariff_id,
        "currency": tariff.currency,
        "valid_from": tariff.valid_from.astimezone(UTC).isoformat(),
        "valid_until": until and until.astimezone(UTC).isoformat(),
        "minimum_u": tariff.minimum_u,
        "maximum_u": tariff.maximum_u,
        "components": components_as_json(tariff.components),
    }
    # What a tariff need not say is left out, so that older digests stay as they are.
    if tariff.discount_ppm:
        facts["discount_ppm"] = tariff.discount_ppm
    if tariff.vat_included:
        facts["vat_included"] = True
    if tariff.priced_by is not PricedBy.INTERVAL:
        facts["priced_by"] = tariff.priced_by.value
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).digest()


def components_as_json(components: Iterable[Component]) -> list[JsonObject]:
    """Return components as they are stored, in published order; defaults left out."""
    return [_stored(component) for component in components]


def _stored(component: Component) -> JsonObject:
    row: JsonObject = {"type": component.type.value, "price_u": component.price_u}
    if component.price_per is not PricePer.UNIT:
        row["price_per"] = component.price_per.value
    for name in _OPTIONAL:
        value: int | None = getattr(component, name)
        if value not in (None, 0) or (value == 0 and name in _ZERO_COUNTS):
            row[name] = value
    if component.weekdays:
        row["weekdays"] = sorted(component.weekdays)
    for name in _DATES:
        day: date | None = getattr(component, name)
        if day is not None:
            row[name] = day.isoformat()
    if component.connector is not None:
        row["connector"] = component.connector
    return row


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
        price_per=PricePer(str(row.get("price_per", PricePer.UNIT))),
        date_from=_date_or_none(row.get("date_from")),
        date_until=_date_or_none(row.get("date_until")),
        power_from_w=_whole_or_none(row.get("power_from_w")),
        power_up_to_w=_whole_or_none(row.get("power_up_to_w")),
        duration_from_seconds=_whole_or_none(row.get("duration_from_seconds")),
        duration_up_to_seconds=_whole_or_none(row.get("duration_up_to_seconds")),
        connector=None if row.get("connector") is None else str(row["connector"]),
        priority=_whole_or_none(row.get("priority")),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"not a whole number: {value!r}")  # noqa: TRY004 - damaged data, not a caller's mistake
    return value


def _whole_or_none(value: object) -> int | None:
    return None if value is None else _whole(value)


def _date_or_none(value: object) -> date | None:
    return None if value is None else date.fromisoformat(str(value))
