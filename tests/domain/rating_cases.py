"""Random tariffs and usages for the property tests of rating."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from clearinghouse.domain.tariffs import (
    Component,
    ComponentType,
    PricedBy,
    PricePer,
    Tariff,
)
from clearinghouse.domain.usage import Interval, Usage, average_power_w
from clearinghouse.identifiers.zones import zone_named

#: The evening before clocks change in Berlin and Lord Howe's day after; a Saturday.
EVENING = datetime(2026, 10, 24, 15, 0, tzinfo=UTC)
KINDS = ("CHADEMO", "IEC_62196_T2", "iec_62196_t2")
MINUTES = (0, 1, 120, 150, 360, 720, 1080, 1320, 1439)
DATES = tuple(date(2026, 10, day) for day in range(23, 28))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One SDR to rate; ``transactions``: the number of each interval's transaction."""

    tariff: Tariff
    usage: Usage
    transactions: tuple[int, ...]
    zone: ZoneInfo
    connectors: frozenset[str]
    vat_rate_bp: int
    sign: int


PRICES = st.integers(0, 5_000_000) | st.sampled_from([490_000, 10_000, 10**12])


def _band(values: st.SearchStrategy[int]) -> st.SearchStrategy[list[int | None]]:
    """Draw a half-open band, or one or two open ends."""
    both = st.lists(values, min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(
        st.just([None, None]),
        both,
        both.map(lambda band: [band[0], None]),
        both.map(lambda band: [None, band[1]]),
    )


# Made once: a strategy that is made anew for each draw is never remembered.
_KINDS = st.sampled_from(ComponentType)
_STEPS = st.none() | st.sampled_from([1, 60, 90, 900, 1000])
_TIERS = _band(st.integers(0, 6_000))
_CLOCKS = st.none() | st.tuples(st.sampled_from(MINUTES), st.sampled_from(MINUTES))
_DAYS = _band(st.sampled_from([day.day for day in DATES]))
_POWERS = _band(st.sampled_from([1, 3_600, 7_200, 11_000, 22_000]))
_DURATIONS = _band(st.sampled_from([60, 3_600, 5_400, 7_200]))
_GRACES = st.sampled_from([0, 0, 60, 900])
_WEEKDAYS = st.just(frozenset[int]()) | st.frozensets(st.integers(0, 6))
_CONNECTORS = st.none() | st.sampled_from(KINDS)
_PRIORITIES = st.none() | st.integers(1, 3)
_BOUNDS = _band(PRICES)
_CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF"])
_DISCOUNTS = st.just(0) | st.integers(0, 1_000_000)
_PRICED_BY = st.sampled_from(PricedBy)
_PARTS = st.lists(
    st.tuples(st.integers(0, 12_000), st.integers(0, 4_000)), min_size=1, max_size=3
)
_TRANSACTIONS = st.lists(st.tuples(_PARTS, st.integers(0, 900)), max_size=3)
_ZONES = st.sampled_from(
    ["Europe/Berlin", "UTC", "Australia/Lord_Howe", "America/St_Johns"]
)
_EVSE_KINDS = st.frozensets(st.sampled_from(KINDS))
_RATES = st.sampled_from([0, 700, 1900, 2550, 10_000])
_SIGNS = st.sampled_from([1, -1])
_MINUTES_LATER = st.integers(0, 2_000)
_YES_OR_NO = st.booleans()
_PARKING = st.integers(0, 9_000)
_IDLE = st.integers(0, 3_000)


@st.composite
def components(draw: st.DrawFn) -> Component:
    """Draw a component with whatever a tariff may say."""
    kind = draw(_KINDS)
    flat = kind is ComponentType.FLAT
    step = None if flat else draw(_STEPS)
    tier = [None, None] if flat else draw(_TIERS)
    graced = kind in (ComponentType.IDLE, ComponentType.PARKING)
    clock = draw(_CLOCKS)
    days = draw(_DAYS)
    power = draw(_POWERS)
    duration = draw(_DURATIONS)
    per_step = step is not None and draw(_YES_OR_NO)
    return Component(
        type=kind,
        price_u=draw(PRICES),
        price_per=PricePer.STEP if per_step else PricePer.UNIT,
        step=step,
        tier_from=tier[0] or 0,
        tier_up_to=tier[1],
        grace_seconds=draw(_GRACES) if graced else 0,
        local_from=clock and clock[0],
        local_until=clock and clock[1],
        weekdays=draw(_WEEKDAYS),
        date_from=None if days[0] is None else date(2026, 10, days[0]),
        date_until=None if days[1] is None else date(2026, 10, days[1]),
        power_from_w=power[0],
        power_up_to_w=power[1],
        duration_from_seconds=duration[0],
        duration_up_to_seconds=duration[1],
        connector=draw(_CONNECTORS),
        priority=draw(_PRIORITIES),
    )


def plain(component: Component) -> Component:
    """Return a component without most of its restrictions, so that some do apply."""
    return Component(
        type=component.type,
        price_u=component.price_u,
        price_per=component.price_per,
        step=component.step,
        tier_from=component.tier_from,
        tier_up_to=component.tier_up_to,
        grace_seconds=component.grace_seconds,
        local_from=component.local_from,
        local_until=component.local_until,
        priority=component.priority,
    )


_PRICES_OF_ONE = st.lists(
    components() | components().map(plain), min_size=1, max_size=7
)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Draw a tariff in a currency with 0, 2, 3 or 4 decimals."""
    bounds = draw(_BOUNDS)
    return Tariff(
        tariff_id="T",
        currency=draw(_CURRENCIES),
        valid_from=EVENING,
        components=tuple(draw(_PRICES_OF_ONE)),
        minimum_u=bounds[0],
        maximum_u=bounds[1],
        discount_ppm=draw(_DISCOUNTS),
        vat_included=draw(_YES_OR_NO),
        priced_by=draw(_PRICED_BY),
    )


@st.composite
def usages(draw: st.DrawFn) -> tuple[Usage, tuple[int, ...]]:
    """Draw a session: charging transactions, some of them split, parking and idling."""
    started_at = EVENING + timedelta(minutes=draw(_MINUTES_LATER))
    at, intervals, numbers = started_at, list[Interval](), list[int]()
    for number, (split, pause) in enumerate(draw(_TRANSACTIONS)):
        energy_wh = sum(part[0] for part in split)
        power_w = average_power_w(energy_wh, sum(part[1] for part in split))
        for energy, seconds in split:
            known = power_w if len(split) > 1 else None
            intervals.append(Interval(at, energy, seconds, known))
            numbers.append(number)
            at += timedelta(seconds=seconds)
        at += timedelta(seconds=pause)
    idle_seconds = draw(_IDLE)
    ended_at = at + timedelta(seconds=idle_seconds)
    usage = Usage(
        started_at,
        ended_at,
        tuple(intervals),
        draw(_PARKING),
        idle_seconds,
    )
    return usage, tuple(numbers)


_TARIFFS = tariffs()
_USAGES = usages()


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw an SDR to rate."""
    usage, transactions = draw(_USAGES)
    return Case(
        tariff=draw(_TARIFFS),
        usage=usage,
        transactions=transactions,
        zone=zone_named(draw(_ZONES)),
        connectors=draw(_EVSE_KINDS),
        vat_rate_bp=draw(_RATES),
        sign=draw(_SIGNS),
    )
