"""How much of what was used each component of a tariff prices, in Wh, seconds or one.

The quantity of a type lies on a line from zero: the energy or the seconds of all
charging, the parking, the idling, or one session. A component prices the part of that
line in its tier (behind its grace), in the stretches that it applies to, less what
components of its type with a higher priority price there.

A restriction is judged for a stretch of charging for ENERGY and TIME. PARKING and FLAT
take the start of the session, IDLE the moment at which idling began; these three take
the average power of all charging. Windows of the day, weekdays and dates are those of
the EVSE's zone. A tariff that is priced by START takes the start of the session always.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.tariffs import (
    MINUTES_PER_DAY,
    Component,
    ComponentType,
    PricedBy,
    Tariff,
)
from clearinghouse.domain.usage import Interval, Usage, average_power_w

Meter = Callable[[Usage], int]
_Applies = Callable[[Usage, Interval], bool]
_Of = Callable[[Interval], int]


class _Piece(NamedTuple):
    """A part of a tier, and the components that go first there when they apply."""

    start: int
    end: int | None
    rivals: tuple[_Applies, ...]


class _Price(NamedTuple):
    """A component with its place on the line and the condition that it applies."""

    component: Component
    start: int
    end: int | None
    applies: _Applies | None


def meters_of(
    tariff: Tariff, zone: ZoneInfo, connectors: frozenset[str]
) -> list[Meter]:
    """Return for each component the function from a usage to its quantity.

    ``connectors`` are the kinds that the EVSE has; letters count in any case.
    """
    kinds = frozenset(kind.upper() for kind in connectors)
    prices = [
        _price(component, tariff.priced_by, zone)
        for component in tariff.components
        if component.connector is None or component.connector.upper() in kinds
    ]
    there = {id(price.component): price for price in prices}
    return [
        _meter(there[id(component)], prices) if id(component) in there else _nothing
        for component in tariff.components
    ]


def _price(component: Component, priced_by: PricedBy, zone: ZoneInfo) -> _Price:
    grace, up_to = component.grace_seconds, component.tier_up_to
    return _Price(
        component,
        component.tier_from + grace,
        None if up_to is None else up_to + grace,
        _condition(component, priced_by, zone),
    )


def _meter(price: _Price, prices: Sequence[_Price]) -> Meter:
    kind = price.component.type
    pieces = _pieces(price, prices)
    if price.applies is None and len(pieces) == 1 and not pieces[0].rivals:
        return _of_session(_TOTALS[kind], pieces[0])
    match kind:
        case ComponentType.ENERGY:
            return _by_interval(_energy_of, price.applies, pieces)
        case ComponentType.TIME:
            return _by_interval(_seconds_of, price.applies, pieces)
        case ComponentType.IDLE:
            return _at_once(_idle, _idle_from, price.applies, pieces)
        case ComponentType.PARKING | ComponentType.FLAT:
            return _at_once(_TOTALS[kind], _start_of, price.applies, pieces)


def _pieces(price: _Price, prices: Sequence[_Price]) -> tuple[_Piece, ...]:
    """Return the tier of a component, cut where a higher priority begins or ends."""
    rank, kind = price.component.priority, price.component.type
    rivals = [
        other
        for other in prices
        if rank is not None
        and other.component.type is kind
        and (other.component.priority or 0) > rank
    ]
    cuts = {price.start, *(rival.start for rival in rivals)}
    cuts |= {rival.end for rival in rivals if rival.end is not None}
    starts = sorted(cut for cut in cuts if _lies_on(price, cut))
    pieces = []
    for start, end in zip(starts, [*starts[1:], price.end], strict=True):
        over = [rival for rival in rivals if _lies_on(rival, start)]
        if all(rival.applies is not None for rival in over):
            applies = tuple(rival.applies for rival in over if rival.applies)
            pieces.append(_Piece(start, end, applies))
    return tuple(pieces)


def _lies_on(price: _Price, place: int) -> bool:
    return price.start <= place and (price.end is None or place < price.end)


def _nothing(_: Usage) -> int:
    return 0


def _one(_: Usage) -> int:
    return 1


def _parking(usage: Usage) -> int:
    return usage.parking_seconds


def _idle(usage: Usage) -> int:
    return usage.idle_seconds


def _start_of(usage: Usage) -> datetime:
    return usage.started_at


def _idle_from(usage: Usage) -> datetime:
    return usage.ended_at - timedelta(seconds=usage.idle_seconds)


def _energy(usage: Usage) -> int:
    return sum([interval.energy_wh for interval in usage.intervals])


def _seconds(usage: Usage) -> int:
    return sum([interval.seconds for interval in usage.intervals])


#: The whole quantity of each type.
_TOTALS: dict[ComponentType, Meter] = {
    ComponentType.ENERGY: _energy,
    ComponentType.TIME: _seconds,
    ComponentType.PARKING: _parking,
    ComponentType.IDLE: _idle,
    ComponentType.FLAT: _one,
}


def _energy_of(interval: Interval) -> int:
    return interval.energy_wh


def _seconds_of(interval: Interval) -> int:
    return interval.seconds


def _of_session(total: Meter, piece: _Piece) -> Meter:
    """Measure the whole session: the usual case, kept short for the bulk path."""
    start, end, _ = piece
    if start == 0 and end is None:
        return total

    def meter(usage: Usage) -> int:
        quantity = total(usage)
        if end is not None and quantity > end:
            quantity = end
        return quantity - start if quantity > start else 0

    return meter


def _by_interval(of: _Of, applies: _Applies | None, pieces: Sequence[_Piece]) -> Meter:
    """Measure the stretches of charging that the component applies to."""

    def meter(usage: Usage) -> int:
        end = 0
        quantity = 0
        for interval in usage.intervals:
            start, end = end, end + of(interval)
            if applies is None or applies(usage, interval):
                for piece in pieces:
                    quantity += _shared(piece, start, end, usage, interval)
        return quantity

    return meter


def _at_once(
    total: Meter,
    begin: Callable[[Usage], datetime],
    applies: _Applies | None,
    pieces: Sequence[_Piece],
) -> Meter:
    """Measure what begins at one moment and has one price for all of it."""

    def meter(usage: Usage) -> int:
        quantity = total(usage)
        if quantity <= 0:
            return 0
        stretch = Interval(begin(usage), _energy(usage), _seconds(usage))
        if applies is not None and not applies(usage, stretch):
            return 0
        return sum([_shared(piece, 0, quantity, usage, stretch) for piece in pieces])

    return meter


def _shared(
    piece: _Piece, start: int, end: int, usage: Usage, stretch: Interval
) -> int:
    """Return how much of a stretch lies in a piece, if no rival goes first."""
    upper = end if piece.end is None else min(end, piece.end)
    length = upper - max(start, piece.start)
    if length <= 0 or any(rival(usage, stretch) for rival in piece.rivals):
        return 0
    return length


def _condition(
    component: Component, priced_by: PricedBy, zone: ZoneInfo
) -> _Applies | None:
    """Return the condition that a component applies; ``None``: it always does."""
    checks: list[_Applies] = []
    if component.is_timed:
        checks.append(
            _clock_check(component, zone, by_start=priced_by is PricedBy.START)
        )
    if component.power_from_w is not None or component.power_up_to_w is not None:
        checks.append(_power_check(component))
    bounds = (component.duration_from_seconds, component.duration_up_to_seconds)
    if bounds != (None, None):
        checks.append(_duration_check(component))
    if not checks:
        return None
    if len(checks) == 1:
        return checks[0]
    return lambda usage, stretch: all(check(usage, stretch) for check in checks)


def _clock_check(component: Component, zone: ZoneInfo, *, by_start: bool) -> _Applies:
    days = component.weekdays
    start = component.local_from or 0
    end = MINUTES_PER_DAY if component.local_until is None else component.local_until
    first, last = component.date_from, component.date_until

    def applies(usage: Usage, stretch: Interval) -> bool:
        at = usage.started_at if by_start else stretch.started_at
        local = at.astimezone(zone)
        if days and local.weekday() not in days:
            return False
        date = local.date()
        if (first is not None and date < first) or (last is not None and date >= last):
            return False
        minute = local.hour * 60 + local.minute
        if start < end:
            return start <= minute < end
        return minute >= start or minute < end

    return applies


def _power_check(component: Component) -> _Applies:
    start, end = component.power_from_w or 0, component.power_up_to_w

    def applies(_: Usage, stretch: Interval) -> bool:
        power_w = stretch.power_w
        if power_w is None:
            power_w = average_power_w(stretch.energy_wh, stretch.seconds)
        return start <= power_w and (end is None or power_w < end)

    return applies


def _duration_check(component: Component) -> _Applies:
    start = component.duration_from_seconds or 0
    end = component.duration_up_to_seconds

    def applies(usage: Usage, _: Interval) -> bool:
        seconds = seconds_between(usage.started_at, usage.ended_at)
        return start <= seconds and (end is None or seconds < end)

    return applies
