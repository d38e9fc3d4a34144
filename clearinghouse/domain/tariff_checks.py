"""What may be wrong with a tariff, field by field, and with a change of one."""

from __future__ import annotations

from datetime import date, datetime

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.energy import WH_PER_KWH
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import CURRENCIES, micro_to_decimal
from clearinghouse.domain.tariffs import (
    DISCOUNT_PPM_MAX,
    MINUTES_PER_DAY,
    SECONDS_PER_MINUTE,
    Component,
    ComponentType,
    PricePer,
    Tariff,
)

#: Components of one tariff. It stops a tariff from making each SDR slow to rate.
COMPONENTS_MAX = 50

#: The highest price that is believed, in micro-units: a million units of the currency.
#: It stops a price in the wrong unit from overflowing sums, in every currency.
PRICE_U_MAX = 10**12

#: Ranks that a publisher may give to its components; the highest goes first.
PRIORITY_MAX = 1000

_WEEKDAYS = frozenset(range(7))

#: Only these begin when something else is over, so that the first of it can be free.
_GRACED = frozenset({ComponentType.IDLE, ComponentType.PARKING})


def check_tariff(tariff: Tariff, *, index: int) -> tuple[Item, ...]:
    """Return what is wrong with a tariff, field by field; empty when it is good."""
    wrong = _Findings(index)
    if tariff.currency not in CURRENCIES:
        wrong.note("currency", "a currency code of ISO 4217", tariff.currency)
    if tariff.valid_until is not None and tariff.valid_until <= tariff.valid_from:
        found = tariff.valid_until.isoformat()
        wrong.note("validUntil", "after validFrom", found, codes.TARIFF_PERIOD)
    _check_bounds(tariff, wrong)
    if not 0 < len(tariff.components) <= COMPONENTS_MAX:
        wrong.note("component", f"1 to {COMPONENTS_MAX}", len(tariff.components))
    for place, component in enumerate(tariff.components, start=1):
        _check_quantity(component, wrong, f"component[{place}]")
        _check_clock(component, wrong, f"component[{place}]")
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


def _check_bounds(tariff: Tariff, wrong: _Findings) -> None:
    for path, bound in (("minimum", tariff.minimum_u), ("maximum", tariff.maximum_u)):
        if bound is not None and not 0 <= bound <= PRICE_U_MAX:
            wrong.note(path, "0 to 1000000", _price_text(bound))
    if (
        tariff.minimum_u is not None
        and tariff.maximum_u is not None
        and tariff.minimum_u > tariff.maximum_u
    ):
        wrong.note("minimum", "at most the maximum", _price_text(tariff.minimum_u))
    if not 0 <= tariff.discount_ppm <= DISCOUNT_PPM_MAX:
        wrong.note("discountPpm", f"0 to {DISCOUNT_PPM_MAX}", tariff.discount_ppm)


def _check_quantity(component: Component, wrong: _Findings, path: str) -> None:
    flat = component.type is ComponentType.FLAT
    if not 0 <= component.price_u <= PRICE_U_MAX:
        found = _price_text(component.price_u)
        wrong.note(f"{path}/price", "0 to 1000000", found)
    if component.step is not None and (component.step < 1 or flat):
        expected = "no step for FLAT" if flat else "1 or more"
        wrong.note(f"{path}/step", expected, component.step)
    if component.price_per is PricePer.STEP and component.step is None:
        wrong.note(f"{path}/pricePer", "a step that the price is for", "no step")
    if PRICE_U_MAX >= component.price_u > _price_u_max(component):
        expected = "at most 1000000 for a kWh or a minute"
        wrong.note(f"{path}/price", expected, _price_text(component.price_u))
    up_to = component.tier_up_to
    if component.tier_from < 0 or (flat and component.tier_from):
        expected = "no tier for FLAT" if flat else "0 or more"
        wrong.note(f"{path}/from", expected, component.tier_from)
    if up_to is not None and (up_to <= component.tier_from or flat):
        expected = "no tier for FLAT" if flat else "more than from"
        wrong.note(f"{path}/upTo", expected, up_to)


def _price_u_max(component: Component) -> int:
    """Return the highest price: that of a step must not hide one that is too high."""
    if component.price_per is not PricePer.STEP or not component.step:
        return PRICE_U_MAX
    unit = WH_PER_KWH if component.type is ComponentType.ENERGY else SECONDS_PER_MINUTE
    return min(PRICE_U_MAX, PRICE_U_MAX * component.step // unit)


def _check_clock(component: Component, wrong: _Findings, path: str) -> None:
    start, end = component.local_from, component.local_until
    if (start is None) != (end is None):
        wrong.note(f"{path}/localFrom", "localFrom and localUntil together", "one")
    for name, minute in (("localFrom", start), ("localUntil", end)):
        if minute is not None and not 0 <= minute < MINUTES_PER_DAY:
            wrong.note(f"{path}/{name}", "00:00 to 23:59", minute)
    if not component.weekdays <= _WEEKDAYS:
        wrong.note(f"{path}/weekday", "MON to SUN", sorted(component.weekdays))
    first, end_date = component.date_from, component.date_until
    if end_date is not None and end_date <= (first or date.min):
        wrong.note(f"{path}/dateUntil", "after dateFrom", end_date.isoformat())


def _check_restriction(component: Component, wrong: _Findings, path: str) -> None:
    grace = component.grace_seconds
    if grace < 0 or (grace and component.type not in _GRACED):
        expected = "0 or more, and for IDLE and PARKING only"
        wrong.note(f"{path}/graceSeconds", expected, grace)
    power = (component.power_from_w, component.power_up_to_w)
    _check_band(wrong, (f"{path}/powerFromW", f"{path}/powerUpToW"), power)
    duration = (component.duration_from_seconds, component.duration_up_to_seconds)
    names = (f"{path}/durationFromSeconds", f"{path}/durationUpToSeconds")
    _check_band(wrong, names, duration)
    priority = component.priority
    if priority is not None and not 1 <= priority <= PRIORITY_MAX:
        wrong.note(f"{path}/priority", f"1 to {PRIORITY_MAX}", priority)


def _check_band(
    wrong: _Findings, names: tuple[str, str], band: tuple[int | None, int | None]
) -> None:
    start, end = band
    if start is not None and start < 0:
        wrong.note(names[0], "0 or more", start)
    if end is not None and end <= (start or 0):
        wrong.note(names[1], "more than the begin of the band", end)


def _price_text(price_u: int) -> str:
    return f"{micro_to_decimal(price_u):f}"
