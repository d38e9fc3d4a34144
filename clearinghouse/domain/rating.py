"""Rating: from a tariff and what was used to the net amount, in pure integers.

Order: quantities; grace; tier; step (started units); price per component, exact; sum;
minimum and maximum; one rounding, half away from zero. Elapsed time is a difference in
UTC; windows of the day and weekdays are those of the EVSE's zone.

A restricted price is chosen by the local time at which a charging transaction starts:
with one transaction the price at the start holds for all, with several each has its
own. PARKING and FLAT take the start of the session, IDLE the moment at which idling
began. An intermediate amount is in 1/60 nano-units, which makes every product of a
quantity and a price a whole number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from clearinghouse.domain.money import (
    NANO_PER_MICRO,
    NANO_PER_UNIT,
    currency_of,
    divide_half_away,
)
from clearinghouse.domain.tariffs import (
    MINUTES_PER_DAY,
    SECONDS_PER_MINUTE,
    Component,
    ComponentType,
    Tariff,
)

#: Written into each SDR: a rule that rates differently gets a new number.
ENGINE_VERSION = 1

_PARTS_PER_NANO = SECONDS_PER_MINUTE
_PARTS_PER_MICRO = NANO_PER_MICRO * _PARTS_PER_NANO

#: Parts (1/60 nano-unit) for one of the quantity at a price of one micro-unit: a Wh is
#: a thousandth of a kWh, a second a sixtieth of a minute.
_PARTS = {
    ComponentType.ENERGY: _PARTS_PER_NANO,
    ComponentType.TIME: NANO_PER_MICRO,
    ComponentType.PARKING: NANO_PER_MICRO,
    ComponentType.IDLE: NANO_PER_MICRO,
    ComponentType.FLAT: _PARTS_PER_MICRO,
}


# Tuples and not dataclasses: the bulk path makes two of these for each record.
class Interval(NamedTuple):
    """One charging transaction: when it started, what it took, how long it lasted."""

    started_at: datetime
    energy_wh: int
    seconds: int


class Usage(NamedTuple):
    """What a service session used; ``intervals`` are its charging transactions."""

    started_at: datetime
    ended_at: datetime
    intervals: tuple[Interval, ...]
    parking_seconds: int = 0
    idle_seconds: int = 0


class Clamp(StrEnum):
    """Which bound of the tariff replaced the sum."""

    MINIMUM = "MINIMUM"
    MAXIMUM = "MAXIMUM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One component's share of a rated amount.

    ``quantity`` is what was used within tier and window, ``billed`` the same in started
    steps (Wh, seconds, or 1 for FLAT); ``amount_parts`` is exact, in 1/60 nano-units.
    """

    component: Component
    quantity: int
    billed: int
    amount_parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """A net amount in minor units with the lines it came from."""

    net_minor: int
    lines: tuple[Line, ...]
    clamp: Clamp | None = None
    engine_version: int = ENGINE_VERSION


Rater = Callable[[Usage], int]
_Meter = Callable[[Usage], int]
_Applies = Callable[[datetime], bool]

#: How much of a stretch of the session's quantity lies within a tier.
_Tier = Callable[[int, int], int]


def compile_tariff(tariff: Tariff, zone: ZoneInfo) -> Rater:
    """Return a function from usage to net minor units, for the bulk path.

    Keep it per tariff version and zone. Raises
    :class:`~clearinghouse.domain.money.AmountError` for an unknown currency.
    """
    divisor = _divisor(tariff)
    terms = [
        (_meter(component, zone), component.effective_step, _parts_per(component))
        for component in tariff.components
    ]
    low, high = _bound(tariff.minimum_u), _bound(tariff.maximum_u)

    def rater(usage: Usage) -> int:
        parts = 0
        for meter, step, parts_per in terms:
            parts += -(-meter(usage) // step) * step * parts_per
        if low is not None and parts < low:
            parts = low
        if high is not None and parts > high:
            parts = high
        return divide_half_away(parts, divisor)

    return rater


def rate(tariff: Tariff, usage: Usage, zone: ZoneInfo) -> Rated:
    """Return the net amount with its lines: explains what the compiled tariff gives.

    Raises :class:`~clearinghouse.domain.money.AmountError` for an unknown currency.
    """
    lines = tuple(_line(component, usage, zone) for component in tariff.components)
    parts = sum(line.amount_parts for line in lines)
    low, high = _bound(tariff.minimum_u), _bound(tariff.maximum_u)
    clamp = None
    if low is not None and parts < low:
        parts, clamp = low, Clamp.MINIMUM
    if high is not None and parts > high:
        parts, clamp = high, Clamp.MAXIMUM
    net_minor = divide_half_away(parts, _divisor(tariff))
    return Rated(net_minor=net_minor, lines=lines, clamp=clamp)


def _line(component: Component, usage: Usage, zone: ZoneInfo) -> Line:
    quantity = _meter(component, zone)(usage)
    step = component.effective_step
    billed = -(-quantity // step) * step
    amount_parts = billed * _parts_per(component)
    return Line(
        component=component,
        quantity=quantity,
        billed=billed,
        amount_parts=amount_parts,
    )


def _divisor(tariff: Tariff) -> int:
    nano_per_minor = NANO_PER_UNIT // currency_of(tariff.currency).minor_per_unit
    return nano_per_minor * _PARTS_PER_NANO


def _parts_per(component: Component) -> int:
    return component.price_u * _PARTS[component.type]


def _bound(amount_u: int | None) -> int | None:
    return None if amount_u is None else amount_u * _PARTS_PER_MICRO


def _meter(component: Component, zone: ZoneInfo) -> _Meter:
    """Return the function that measures what a component is priced by."""
    applies = _window(component, zone)
    match component.type:
        case ComponentType.ENERGY if component.is_restricted:
            meter = _sum_by_interval(_energy_of, _tier(component), applies)
        case ComponentType.ENERGY:
            meter = _sum_of_session(_energy, component)
        case ComponentType.TIME if component.is_restricted:
            meter = _sum_by_interval(_seconds_of, _tier(component), applies)
        case ComponentType.TIME:
            meter = _sum_of_session(_seconds, component)
        case ComponentType.PARKING:
            meter = _parking_meter(_tier(component), applies)
        case ComponentType.IDLE:
            meter = _idle_meter(component.grace_seconds, _tier(component), applies)
        case ComponentType.FLAT:
            meter = _once(applies)
    return meter


def _once(applies: _Applies) -> _Meter:
    return lambda usage: 1 if applies(usage.started_at) else 0


def _energy(usage: Usage) -> int:
    return sum([interval.energy_wh for interval in usage.intervals])


def _seconds(usage: Usage) -> int:
    return sum([interval.seconds for interval in usage.intervals])


def _energy_of(interval: Interval) -> int:
    return interval.energy_wh


def _seconds_of(interval: Interval) -> int:
    return interval.seconds


def _sum_of_session(total: _Meter, component: Component) -> _Meter:
    """Measure the whole session: the usual case, kept short for the bulk path."""
    tier_from, tier_up_to = component.tier_from, component.tier_up_to
    if tier_from == 0 and tier_up_to is None:
        return total

    def meter(usage: Usage) -> int:
        quantity = total(usage)
        if tier_up_to is not None and quantity > tier_up_to:
            quantity = tier_up_to
        return quantity - tier_from if quantity > tier_from else 0

    return meter


def _sum_by_interval(
    of: Callable[[Interval], int], tier: _Tier, applies: _Applies
) -> _Meter:
    """Measure the transactions that start within the window; tiers count on."""

    def meter(usage: Usage) -> int:
        end = 0
        quantity = 0
        for interval in usage.intervals:
            start, end = end, end + of(interval)
            if applies(interval.started_at):
                quantity += tier(start, end)
        return quantity

    return meter


def _parking_meter(tier: _Tier, applies: _Applies) -> _Meter:
    def meter(usage: Usage) -> int:
        if usage.parking_seconds and applies(usage.started_at):
            return tier(0, usage.parking_seconds)
        return 0

    return meter


def _idle_meter(grace_seconds: int, tier: _Tier, applies: _Applies) -> _Meter:
    def meter(usage: Usage) -> int:
        billable_seconds = usage.idle_seconds - grace_seconds
        if billable_seconds <= 0:
            return 0
        idle_from = usage.ended_at - timedelta(seconds=usage.idle_seconds)
        return tier(0, billable_seconds) if applies(idle_from) else 0

    return meter


def _tier(component: Component) -> _Tier:
    tier_from, tier_up_to = component.tier_from, component.tier_up_to

    def tier(start: int, end: int) -> int:
        upper = end if tier_up_to is None else min(end, tier_up_to)
        return max(0, upper - max(start, tier_from))

    return tier


def _window(component: Component, zone: ZoneInfo) -> _Applies:
    """Return the function that says whether a component applies at an instant."""
    if not component.is_restricted:
        return lambda _: True
    days = component.weekdays
    start = component.local_from or 0
    end = MINUTES_PER_DAY if component.local_until is None else component.local_until

    def applies(at: datetime) -> bool:
        local = at.astimezone(zone)
        if days and local.weekday() not in days:
            return False
        minute = local.hour * 60 + local.minute
        if start < end:
            return start <= minute < end
        return minute >= start or minute < end

    return applies
