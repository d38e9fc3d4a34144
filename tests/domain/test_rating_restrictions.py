"""Rating: what a price may depend on, which one goes first, and what comes behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.money import divide_half_away
from clearinghouse.domain.rating import ENGINE_VERSION, compile_tariff, rate
from clearinghouse.domain.tariffs import (
    ComponentType,
    PricedBy,
    PricePer,
    Tariff,
    digest,
)
from clearinghouse.domain.usage import Interval, Usage
from tests.domain.builders import BERLIN, component, make_tariff, make_usage, seconds

ENERGY, TIME, PARKING, IDLE, FLAT = (
    ComponentType.ENERGY,
    ComponentType.TIME,
    ComponentType.PARKING,
    ComponentType.IDLE,
    ComponentType.FLAT,
)
SIX, TEN_PM = 6 * 60, 22 * 60


def net(
    tariff: Tariff,
    usage: Usage,
    connectors: frozenset[str] = frozenset(),
    vat_rate_bp: int = 0,
) -> int:
    """Rate in both ways, which must agree."""
    rated = rate(tariff, usage, BERLIN, connectors=connectors, vat_rate_bp=vat_rate_bp)
    compiled = compile_tariff(tariff, BERLIN, connectors)
    assert compiled(usage, vat_rate_bp) == rated.net_minor
    return rated.net_minor


def test_dates_are_those_of_the_zone_and_the_last_is_not_in() -> None:
    may = component(
        FLAT, "1.00", date_from=date(2026, 5, 1), date_until=date(2026, 6, 1)
    )

    def at(day: datetime) -> int:
        return net(make_tariff(may), make_usage(started_at=day))

    assert at(datetime(2026, 4, 30, 21, 59, tzinfo=UTC)) == 0
    assert at(datetime(2026, 4, 30, 22, 0, tzinfo=UTC)) == 100  # midnight in Berlin
    assert at(datetime(2026, 5, 31, 21, 59, tzinfo=UTC)) == 100
    assert at(datetime(2026, 5, 31, 22, 0, tzinfo=UTC)) == 0


@pytest.mark.parametrize(
    ("energy_wh", "minor"),
    [(10_999, 440), (11_000, 660), (22_000, 1320), (22_001, 0)],
)
def test_power_is_the_average_of_the_charging_transaction(
    energy_wh: int, minor: int
) -> None:
    tariff = make_tariff(
        component(ENERGY, "0.40", power_up_to_w=11_000),
        component(ENERGY, "0.60", power_from_w=11_000, power_up_to_w=22_001),
    )

    assert net(tariff, make_usage(energy_wh)) == minor


def test_readings_do_not_move_a_transaction_to_another_power() -> None:
    start = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    fast = Interval(start, 20_000, 1800, 22_000)
    slow = Interval(start + seconds(1800), 2_000, 1800, 22_000)
    usage = Usage(start, start + seconds(3600), (fast, slow))
    tariff = make_tariff(component(ENERGY, "1.00", power_from_w=22_000))

    assert net(tariff, usage) == 2200


def test_session_prices_take_the_average_power_of_all_charging() -> None:
    start = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    parts = (Interval(start, 0, 3600), Interval(start + seconds(3600), 22_000, 3600))
    usage = Usage(start, start + seconds(7200), parts, parking_seconds=60)
    tariff = make_tariff(
        component(FLAT, "1.00", power_from_w=11_000, power_up_to_w=11_001),
        component(PARKING, "0.10", power_from_w=11_001),
    )

    assert net(tariff, usage) == 100


def test_no_time_is_no_power() -> None:
    tariff = make_tariff(component(ENERGY, "1.00", power_up_to_w=1))

    assert net(tariff, make_usage(1_000, charge_seconds=0)) == 100


@pytest.mark.parametrize(
    ("elapsed", "minor"), [(1799, 0), (1800, 100), (3599, 100), (3600, 0)]
)
def test_duration_is_that_of_the_service_session(elapsed: int, minor: int) -> None:
    tariff = make_tariff(
        component(FLAT, "1.00", duration_from_seconds=1800, duration_up_to_seconds=3600)
    )

    assert net(tariff, make_usage(charge_seconds=elapsed)) == minor


def test_connector_is_one_that_the_evse_has() -> None:
    tariff = make_tariff(
        component(ENERGY, "0.59", connector="IEC_62196_T2_COMBO"),
        component(ENERGY, "0.39", connector="IEC_62196_T2"),
    )
    used = make_usage(10_000)

    assert net(tariff, used, frozenset({"iec_62196_t2_combo", "CHADEMO"})) == 590
    assert net(tariff, used, frozenset({"IEC_62196_T2"})) == 390
    assert net(tariff, used) == 0


def test_highest_priority_that_applies_is_the_price() -> None:
    tariff = make_tariff(
        component(ENERGY, "0.50", priority=1),
        component(ENERGY, "0.30", priority=2, local_from=TEN_PM, local_until=SIX),
        component(ENERGY, "0.10", priority=3, weekdays=frozenset({6})),
        component(ENERGY, "0.01"),
    )

    def at(*moment: int) -> int:
        start = datetime(*moment, tzinfo=BERLIN)  # type: ignore[misc,arg-type] # parts
        return net(tariff, make_usage(10_000, started_at=start))

    assert at(2026, 1, 5, 12) == 510
    assert at(2026, 1, 5, 23) == 310
    assert at(2026, 1, 11, 23) == 110


def test_priority_counts_where_its_tier_lies_and_nowhere_else() -> None:
    tariff = make_tariff(
        component(ENERGY, "0.50", priority=1),
        component(ENERGY, "0.00", priority=2, tier_from=2_000, tier_up_to=5_000),
        component(TIME, "0.01", priority=9),
    )

    assert net(tariff, make_usage(10_000, charge_seconds=60)) == 350 + 1


def test_equal_priorities_are_added() -> None:
    tariff = make_tariff(
        component(FLAT, "1.00", priority=5),
        component(FLAT, "0.50", priority=5),
        component(FLAT, "9.00", priority=4),
    )

    assert net(tariff, make_usage()) == 150


def test_parking_has_a_grace_and_tiers_begin_behind_it() -> None:
    tariff = make_tariff(
        component(PARKING, "0.10", grace_seconds=600, tier_up_to=600),
        component(PARKING, "0.20", grace_seconds=600, tier_from=600),
    )

    assert net(tariff, make_usage(parking_seconds=600)) == 0
    assert net(tariff, make_usage(parking_seconds=601)) == 10
    assert net(tariff, make_usage(parking_seconds=1320)) == 100 + 40


def test_rival_without_grace_prices_the_grace_of_another() -> None:
    tariff = make_tariff(
        component(IDLE, "1.00", priority=2, grace_seconds=600),
        component(IDLE, "0.10", priority=1),
    )

    assert net(tariff, make_usage(idle_seconds=1200)) == 1000 + 100


def test_price_per_step_is_exact() -> None:
    quarter = component(PARKING, "0.50", step=900, price_per=PricePer.STEP)
    third = component(TIME, "0.10", step=420, price_per=PricePer.STEP)

    assert net(make_tariff(quarter), make_usage(parking_seconds=3661)) == 250
    assert net(make_tariff(third), make_usage(charge_seconds=421)) == 20
    assert net(make_tariff(quarter), make_usage()) == 0


def test_discount_comes_behind_the_bounds_and_before_the_rounding() -> None:
    tariff = replace(
        make_tariff(component(ENERGY, "0.01"), maximum="90.00", minimum="0.10"),
        discount_ppm=125_000,
    )

    assert net(tariff, make_usage(1_000)) == 9  # 0.0875
    assert net(tariff, make_usage(10_000_000)) == 7875
    assert net(replace(tariff, discount_ppm=1_000_000), make_usage(10_000)) == 0


@pytest.mark.parametrize(
    ("vat_rate_bp", "minor"), [(1900, 992), (0, 1180), (2550, 940)]
)
def test_v3_price_with_vat(vat_rate_bp: int, minor: int) -> None:
    tariff = replace(make_tariff(component(ENERGY, "0.59")), vat_included=True)

    rated = rate(tariff, make_usage(20_000), BERLIN, vat_rate_bp=vat_rate_bp)

    assert net(tariff, make_usage(20_000), vat_rate_bp=vat_rate_bp) == minor
    assert rated.gross_minor == 1180
    assert rated.gross_minor - rated.net_minor == 1180 - minor


def test_rate_of_vat_leaves_net_prices_alone() -> None:
    tariff = make_tariff(component(ENERGY, "0.59"))

    assert net(tariff, make_usage(20_000), vat_rate_bp=1900) == 1180
    assert rate(tariff, make_usage(20_000), BERLIN).gross_minor is None


def test_priced_by_start_takes_the_start_of_the_session_for_all() -> None:
    noon = datetime(2026, 6, 1, 15, 30, tzinfo=UTC)
    evening = noon + timedelta(minutes=30)
    parts = (Interval(noon, 12_400, 1800), Interval(evening, 17_600, 5400))
    usage = Usage(noon, evening + seconds(5400 + 600), parts, idle_seconds=600)
    tariff = make_tariff(
        component(ENERGY, "0.40", local_from=SIX, local_until=18 * 60),
        component(ENERGY, "0.55", local_from=18 * 60, local_until=SIX),
        component(IDLE, "0.10", local_from=18 * 60, local_until=SIX),
    )

    assert net(tariff, usage) == 1464 + 100
    assert net(replace(tariff, priced_by=PricedBy.START), usage) == 1200


def test_digest_of_a_tariff_that_says_nothing_new_is_the_one_it_had() -> None:
    known = "5c0da14e"

    assert digest(make_tariff()).hex().startswith(known)
    assert len({digest(one) for one in _variants()}) == len(_variants())


def _variants() -> list[Tariff]:
    plain = make_tariff()
    return [
        plain,
        replace(plain, discount_ppm=1),
        replace(plain, vat_included=True),
        replace(plain, priced_by=PricedBy.START),
        make_tariff(component(ENERGY, "0.49", priority=1)),
        make_tariff(component(ENERGY, "0.49", connector="CHADEMO")),
        make_tariff(component(ENERGY, "0.49", step=1, price_per=PricePer.STEP)),
        make_tariff(component(ENERGY, "0.49", date_from=date(2026, 1, 1))),
        make_tariff(component(ENERGY, "0.49", date_until=date(2026, 1, 1))),
    ]


@given(parts=st.integers(0, 10**24), divisor=st.integers(1, 10**18))
def test_credit_mirrors_its_original(parts: int, divisor: int) -> None:
    assert divide_half_away(-parts, divisor) == -divide_half_away(parts, divisor)


def test_engine_has_a_new_number() -> None:
    assert ENGINE_VERSION == 2
