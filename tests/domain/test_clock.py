"""Time, energy, distance, and the one error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.clock import (
    ShiftedClock,
    SystemClock,
    instant_text,
    is_too_far_ahead,
    is_within,
    milliseconds_between,
    seconds_between,
)
from clearinghouse.domain.energy import average_power_w, exceeds_power
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.travel import distance_m
from tests.domain.builders import BERLIN, NOW, seconds

DAY = timedelta(days=1)


def test_clocks_tell_aware_time_in_utc() -> None:
    now = SystemClock().now()
    later = ShiftedClock(lambda: DAY).now()

    assert now.tzinfo is UTC
    assert DAY <= later - now < 2 * DAY


def test_period_is_half_open() -> None:
    assert is_within(NOW, NOW, None)
    assert is_within(NOW, NOW, NOW + DAY)
    assert not is_within(NOW + DAY, NOW, NOW + DAY)
    assert not is_within(NOW - seconds(1), NOW, None)


def test_durations_ignore_the_change_of_clocks() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(BERLIN)
    after = datetime(2026, 10, 25, 2, 15, tzinfo=UTC)

    assert seconds_between(before, after) == 105 * 60
    assert milliseconds_between(after, before) == -105 * 60_000


def test_clocks_may_differ_by_two_minutes() -> None:
    assert not is_too_far_ahead(NOW + seconds(120), NOW)
    assert is_too_far_ahead(NOW + seconds(121), NOW)


def test_power_is_compared_without_rounding() -> None:
    assert not exceeds_power(52_500, 3600, power_w=50_000, percent=105)
    assert exceeds_power(52_501, 3600, power_w=50_000, percent=105)
    assert average_power_w(10, 0) == 0
    assert average_power_w(11_000, 1800) == 22_000


def test_distances_are_good_to_a_per_cent() -> None:
    zurich, bern = (47_376_900, 8_541_700), (46_948_000, 7_447_400)
    oslo, rome = (59_913_900, 10_752_200), (41_902_800, 12_496_400)

    assert distance_m(zurich, bern) == pytest.approx(95_500, rel=0.01)
    assert distance_m(oslo, rome) == pytest.approx(2_008_000, rel=0.01)
    assert distance_m((0, 179_990_000), (0, -179_990_000)) < 3_000


PLACES = st.tuples(
    st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000)
)


@given(PLACES, PLACES)
def test_distance_is_the_same_both_ways(
    one: tuple[int, int], two: tuple[int, int]
) -> None:
    assert distance_m(one, two) == distance_m(two, one)
    assert distance_m(one, one) == 0


def test_error_keeps_code_and_detail_apart() -> None:
    error = ClearingHouseError(codes.NO_AGREEMENT, "CHVIS with DEHOM")

    assert str(error) == "NO_AGREEMENT: CHVIS with DEHOM"
    assert str(ClearingHouseError(codes.NO_AGREEMENT)) == "NO_AGREEMENT"
    assert error.items == ()


def test_text_of_an_instant_keeps_the_offset_it_was_written_in() -> None:
    winter = NOW.astimezone(timezone(timedelta(hours=1)))

    assert instant_text(NOW) == "2026-11-20T12:00:00+00:00"
    assert instant_text(winter) == "2026-11-20T13:00:00+01:00"
