"""Rating: the worked numbers, windows, tiers and steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.rating import (
    ENGINE_VERSION,
    Clamp,
    Rated,
    compile_tariff,
    rate,
)
from clearinghouse.domain.tariffs import ComponentType, PricePer, Tariff
from clearinghouse.domain.usage import Interval, Usage
from clearinghouse.identifiers.zones import zone_named
from tests.domain.builders import (
    BERLIN,
    START,
    component,
    make_tariff,
    make_usage,
    seconds,
)

ENERGY, TIME, PARKING, IDLE, FLAT = (
    ComponentType.ENERGY,
    ComponentType.TIME,
    ComponentType.PARKING,
    ComponentType.IDLE,
    ComponentType.FLAT,
)
SIX, TEN_PM = 6 * 60, 22 * 60


def net(tariff: Tariff, usage: Usage, zone: ZoneInfo = BERLIN) -> int:
    """Rate in both ways, which must agree."""
    rated = rate(tariff, usage, zone)
    assert compile_tariff(tariff, zone)(usage) == rated.net_minor
    return rated.net_minor


def test_r1_energy_alone() -> None:
    assert net(make_tariff(component(ENERGY, "0.49")), make_usage(23_456)) == 1149


@pytest.mark.parametrize("energy_wh", [18_250, 18_251])
def test_r2_session_fee_energy_and_started_minutes(energy_wh: int) -> None:
    tariff = make_tariff(
        component(FLAT, "0.35"), component(ENERGY, "0.45"), component(TIME, "0.02")
    )

    rated = rate(tariff, make_usage(energy_wh, charge_seconds=42 * 60 + 10), BERLIN)

    assert rated.net_minor == 942
    assert rated.lines[2].billed == 43 * 60


def test_r3_energy_in_tiers() -> None:
    tariff = make_tariff(
        component(ENERGY, "0.39", tier_up_to=40_000),
        component(ENERGY, "0.35", tier_from=40_000),
    )

    assert net(tariff, make_usage(52_345)) == 1992
    assert net(tariff, make_usage(40_000)) == 1560


def day_and_night() -> Tariff:
    """Return a tariff of 0.40 by day and 0.55 in the evening."""
    return make_tariff(
        component(ENERGY, "0.40", local_from=SIX, local_until=18 * 60),
        component(ENERGY, "0.55", local_from=18 * 60, local_until=SIX),
    )


def test_r4_time_of_day_with_transactions_as_intervals() -> None:
    noon = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)  # 17:30 in Berlin
    evening = noon + timedelta(minutes=30)
    usage = Usage(
        noon,
        noon + timedelta(hours=2),
        (Interval(noon, 12_400, 1800), Interval(evening, 17_600, 5400)),
    )

    assert net(day_and_night(), usage) == 1464


def test_r4_time_of_day_without_intervals_takes_the_price_at_start() -> None:
    noon = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)

    usage = make_usage(30_000, charge_seconds=7200, started_at=noon)

    assert net(day_and_night(), usage) == 1200


@pytest.mark.parametrize(
    ("idle_seconds", "minor"),
    [(47 * 60 + 10, 330), (15 * 60, 0), (15 * 60 + 1, 10), (0, 0)],
)
def test_r5_idle_minutes_after_the_grace(idle_seconds: int, minor: int) -> None:
    tariff = make_tariff(component(IDLE, "0.10", grace_seconds=900))

    assert net(tariff, make_usage(idle_seconds=idle_seconds)) == minor


def test_r5_parking_in_started_blocks() -> None:
    quarter = component(PARKING, "0.50", step=900, price_per=PricePer.STEP)

    usage = make_usage(parking_seconds=61 * 60 + 1)

    assert net(make_tariff(quarter), usage) == 250


def test_r6_minimum_and_maximum() -> None:
    low = make_tariff(component(ENERGY, "0.49"), minimum="0.50")
    high = make_tariff(component(ENERGY, "1.35"), maximum="90.00")

    assert net(low, make_usage(312)) == 50
    assert net(high, make_usage(75_000)) == 9000
    assert rate(low, make_usage(312), BERLIN).clamp is Clamp.MINIMUM
    assert rate(high, make_usage(75_000), BERLIN).clamp is Clamp.MAXIMUM


def test_r7_half_a_cent_goes_away_from_zero() -> None:
    rated = net(make_tariff(component(ENERGY, "0.01")), make_usage(12_500))

    assert rated == 13


def test_r8_currencies_without_and_with_three_decimals() -> None:
    yen = make_tariff(component(ENERGY, "49.5"), currency="JPY")
    dinar = make_tariff(component(ENERGY, "0.0455"), currency="KWD")

    assert net(yen, make_usage(23_456)) == 1161
    assert net(dinar, make_usage(7_777)) == 354


def test_r9_elapsed_time_ignores_the_change_of_clocks() -> None:
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(BERLIN)
    end = datetime(2026, 10, 25, 2, 15, tzinfo=UTC).astimezone(BERLIN)
    elapsed = end.astimezone(UTC) - start.astimezone(UTC)
    usage = make_usage(charge_seconds=elapsed // seconds(1), started_at=start)

    assert net(make_tariff(component(TIME, "0.05")), usage) == 525


def test_weekdays_are_those_of_the_zone() -> None:
    sunday_night = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # Monday in Berlin
    tariff = make_tariff(component(FLAT, "1.00", weekdays=frozenset({0})))

    assert net(tariff, make_usage(started_at=sunday_night)) == 100
    assert net(tariff, make_usage(started_at=sunday_night), zone_named("UTC")) == 0


def test_window_over_midnight_covers_both_ends() -> None:
    night = make_tariff(component(FLAT, "1.00", local_from=TEN_PM, local_until=SIX))

    def at(hour: int) -> int:
        start = datetime(2026, 1, 5, hour, 0, tzinfo=BERLIN)
        return net(night, make_usage(started_at=start))

    assert [at(hour) for hour in (21, 22, 0, 5, 6)] == [0, 100, 100, 100, 0]


def test_parking_and_idle_take_their_own_moments() -> None:
    start = datetime(2026, 1, 5, 21, 30, tzinfo=BERLIN)
    parking = component(PARKING, "0.10", local_from=TEN_PM, local_until=SIX)
    idle = component(IDLE, "0.10", local_from=TEN_PM, local_until=SIX)
    usage = make_usage(
        charge_seconds=3600, parking_seconds=600, idle_seconds=600, started_at=start
    )

    assert net(make_tariff(parking), usage) == 0
    assert net(make_tariff(idle), usage) == 100


def test_minutes_are_priced_by_the_start_of_their_transaction() -> None:
    before = datetime(2026, 1, 5, 21, 30, tzinfo=BERLIN)
    after = before + timedelta(minutes=45)
    usage = Usage(
        before,
        after + timedelta(minutes=10),
        (Interval(before, 0, 2_400), Interval(after, 0, 600)),
    )
    day = component(TIME, "0.10", local_from=SIX, local_until=TEN_PM)
    night = component(TIME, "0.01", local_from=TEN_PM, local_until=SIX)

    assert net(make_tariff(day, night), usage) == 410


def test_tiers_count_on_over_the_windows() -> None:
    noon = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)
    evening = noon + timedelta(minutes=30)
    usage = Usage(
        noon,
        noon + timedelta(hours=2),
        (Interval(noon, 10_000, 1800), Interval(evening, 10_000, 5400)),
    )
    tariff = make_tariff(
        component(ENERGY, "1.00", tier_from=5_000, local_from=18 * 60, local_until=SIX)
    )

    assert net(tariff, usage) == 1000


def test_step_is_a_started_unit_of_energy() -> None:
    tariff = make_tariff(component(ENERGY, "0.50", step=1000))

    assert net(tariff, make_usage(12_001)) == 650
    assert net(tariff, make_usage(12_000)) == 600
    assert net(tariff, make_usage(0)) == 0


def test_lines_explain_the_amount() -> None:
    tariff = make_tariff(component(ENERGY, "0.45"), component(TIME, "0.02"))

    rated = rate(tariff, make_usage(10_000, charge_seconds=61), BERLIN)

    assert isinstance(rated, Rated)
    assert rated.engine_version == ENGINE_VERSION
    assert [line.quantity for line in rated.lines] == [10_000, 61]
    assert [line.billed for line in rated.lines] == [10_000, 120]
    assert rated.clamp is None


USAGES = st.builds(
    Usage,
    started_at=st.just(START),
    ended_at=st.just(START + timedelta(days=1)),
    intervals=st.lists(
        st.builds(
            Interval,
            started_at=st.just(START),
            energy_wh=st.integers(0, 100_000),
            seconds=st.integers(0, 20_000),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    parking_seconds=st.integers(0, 90_000),
    idle_seconds=st.integers(0, 90_000),
)


@given(usage=USAGES)
def test_windows_that_cover_the_day_change_nothing(usage: Usage) -> None:
    split = make_tariff(
        component(ENERGY, "0.43", local_from=0, local_until=SIX),
        component(ENERGY, "0.43", local_from=SIX, local_until=TEN_PM),
        component(ENERGY, "0.43", local_from=TEN_PM, local_until=0),
    )

    assert net(split, usage) == net(make_tariff(component(ENERGY, "0.43")), usage)


@given(usage=USAGES)
def test_more_energy_never_costs_less(usage: Usage) -> None:
    tariff = make_tariff(
        component(ENERGY, "0.43", step=1000, tier_up_to=40_000),
        component(ENERGY, "0.21", tier_from=40_000),
        component(TIME, "0.02"),
        minimum="0.50",
        maximum="90",
    )
    more = usage._replace(
        intervals=(*usage.intervals, Interval(START, 1_000, 0)),
    )

    assert net(tariff, more) >= net(tariff, usage)
