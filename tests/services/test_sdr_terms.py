"""Terms of a batch's records: found once for a stretch of time, as if asked anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.clock import is_within
from clearinghouse.services.sdr_terms import stretch

_BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
_ZONES = (UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-5)))

_instants = st.builds(
    lambda hours, zone: (_BEGIN + timedelta(hours=hours)).astimezone(zone),
    st.integers(0, 12),
    st.sampled_from(_ZONES),
)
_periods = st.lists(st.tuples(_instants, st.none() | _instants), max_size=4)


@given(periods=_periods, at=_instants, other=_instants)
def test_within_a_stretch_the_same_versions_are_in_force(
    periods: list[tuple[datetime, datetime | None]], at: datetime, other: datetime
) -> None:
    bounds = [edge for period in periods for edge in period if edge is not None]

    since, until = stretch(bounds, at)

    assert since <= at < until
    if since <= other < until:
        assert _in_force(periods, other) == _in_force(periods, at)


@given(periods=_periods, at=_instants)
def test_a_stretch_reaches_to_the_next_bound_and_no_further(
    periods: list[tuple[datetime, datetime | None]], at: datetime
) -> None:
    bounds = [edge for period in periods for edge in period if edge is not None]

    since, until = stretch(bounds, at)

    assert all(bound <= since or bound >= until for bound in bounds)
    assert {since, until} - set(bounds) <= {
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    }


def _in_force(
    periods: list[tuple[datetime, datetime | None]], at: datetime
) -> list[bool]:
    return [is_within(at, begins, ends) for begins, ends in periods]
