"""Intermediate SDRs: number, time, energy and meter rise together; usage so far."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.clock import CLOCK_AHEAD_SECONDS
from clearinghouse.domain.intermediate_sdrs import (
    INTERVAL_SECONDS,
    PER_SESSION_MAX,
    Claim,
    IntermediateSdr,
    Neighbours,
    Told,
    count_problems,
    field_problems,
    is_same,
    order_problems,
    start_problems,
    usage_so_far,
)
from clearinghouse.domain.sessions import Session, SessionEventKind, SessionState

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PROGRESS = SessionEventKind.PROGRESS


def make(number: int, minutes: int, energy_wh: int, **more: object) -> IntermediateSdr:
    one = IntermediateSdr(
        session_id=UUID(int=1),
        sequence_no=number,
        event_id=UUID(int=number),
        occurred_at=START + timedelta(minutes=minutes),
        energy_wh=energy_wh,
    )
    return replace(one, **more)  # type: ignore[arg-type]  # by the tests


def refused(
    new: IntermediateSdr,
    before: Sequence[IntermediateSdr] = (),
    after: Sequence[IntermediateSdr] = (),
) -> list[tuple[int, str]]:
    """Judge a new one among those of lower numbers, and of the same and higher ones."""
    problems = order_problems(new, next_of(reversed(before)), next_of(after))
    return [(item.code.number, item.path) for item in problems]


def next_of(known: Iterable[IntermediateSdr]) -> Neighbours:
    """Return the first ones of these, which come nearest first."""
    ordered = list(known)
    metered = (one for one in ordered if one.meter_wh is not None)
    return Neighbours(next(iter(ordered), None), next(metered, None))


@st.composite
def stories(draw: st.DrawFn) -> list[IntermediateSdr]:
    """Make the intermediate SDRs of a session that went as sessions go."""
    steps = st.tuples(
        st.integers(1, 5), st.integers(1, 60), st.integers(0, 9_000), st.booleans()
    )
    number, minutes, energy_wh = 0, 0, 0
    story = []
    for skip, pause, energy, has_meter in draw(st.lists(steps, max_size=12)):
        number, minutes, energy_wh = number + skip, minutes + pause, energy_wh + energy
        meter_wh = 500 + energy_wh if has_meter else None
        story.append(make(number, minutes, energy_wh, meter_wh=meter_wh))
    return story


def arrive(known: list[IntermediateSdr], new: IntermediateSdr) -> list[tuple[int, str]]:
    """Judge a new one as the service does, and keep it when nothing is wrong."""
    place = bisect.bisect_left([one.sequence_no for one in known], new.sequence_no)
    problems = refused(new, known[:place], known[place:])
    if not problems:
        known.insert(place, new)
    return problems


@given(st.data(), stories())
def test_what_is_true_is_taken_in_any_order_of_arrival(
    data: st.DataObject, story: list[IntermediateSdr]
) -> None:
    known: list[IntermediateSdr] = []

    for one in data.draw(st.permutations(story)):
        assert arrive(known, one) == []

    assert known == story


@given(
    st.lists(
        st.tuples(
            st.integers(1, 9),
            st.integers(0, 9),
            st.integers(0, 9),
            st.none() | st.integers(0, 9),
        ),
        max_size=15,
    )
)
def test_whatever_comes_what_is_kept_rises_in_all_respects(
    chances: list[tuple[int, int, int, int | None]],
) -> None:
    known: list[IntermediateSdr] = []

    for number, minutes, energy_wh, meter_wh in chances:
        arrive(known, make(number, minutes, energy_wh, meter_wh=meter_wh))

    for low, high in itertools.pairwise(known):
        assert low.sequence_no < high.sequence_no
        assert low.energy_wh <= high.energy_wh
        pause = high.occurred_at - low.occurred_at
        assert pause >= timedelta(seconds=INTERVAL_SECONDS)
    told = [one.meter_wh for one in known if one.meter_wh is not None]
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("meter_wh", "paths"),
    [
        (99, ["intermediateSdr/meterWh"]),
        (100, []),
        (300, []),
        (301, ["intermediateSdr/meterWh"]),
    ],
)
def test_meter_rises_over_those_that_tell_none(meter_wh: int, paths: list[str]) -> None:
    before = [make(1, 5, 1_000, meter_wh=100), make(2, 10, 1_500)]
    after = [make(4, 20, 2_500), make(5, 25, 3_000, meter_wh=300)]

    found = refused(make(3, 15, 2_000, meter_wh=meter_wh), before, after)

    assert [path for _, path in found] == paths


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (make(2, 10, 999), [(647, "energyWh")]),
        (make(2, 10, 1_000), []),
        (make(2, 10, 3_001), [(647, "energyWh")]),
        (make(2, 5, 2_000), [(647, "occurredAt")]),
        (make(2, 20, 2_000), [(647, "occurredAt")]),
        (make(3, 10, 2_000), [(647, "intermediateSdr/sequenceNo")]),
        (make(2, 10, 2_000, meter_wh=99), [(647, "intermediateSdr/meterWh")]),
        (make(2, 10, 2_000, meter_wh=301), [(647, "intermediateSdr/meterWh")]),
        (make(2, 10, 2_000, meter_wh=300), []),
        (
            make(2, 4, 0, meter_wh=99),
            [
                (647, "energyWh"),
                (647, "intermediateSdr/meterWh"),
                (647, "occurredAt"),
            ],
        ),
    ],
)
def test_neighbours_by_number_bound_a_new_one_and_all_faults_are_told(
    new: IntermediateSdr, expected: list[tuple[int, str]]
) -> None:
    before = make(1, 5, 1_000, meter_wh=100)
    after = make(3, 20, 3_000, meter_wh=300)

    assert refused(new, [before], [after]) == expected


@pytest.mark.parametrize("side", [-1, 1])
def test_less_than_a_minute_from_the_next_one_is_too_close(side: int) -> None:
    known = make(2, 10, 1_000)
    near = known.occurred_at + side * timedelta(seconds=INTERVAL_SECONDS - 1)
    far = known.occurred_at + side * timedelta(seconds=INTERVAL_SECONDS)
    new = make(2 + side, 0, 1_000)
    places = ([known], []) if side > 0 else ([], [known])

    assert refused(replace(new, occurred_at=near), *places) == [(648, "occurredAt")]
    assert refused(replace(new, occurred_at=far), *places) == []


@pytest.mark.parametrize(
    ("started_at", "earliest"),
    [
        (START, START),
        (None, START - timedelta(minutes=5, seconds=CLOCK_AHEAD_SECONDS)),
    ],
)
def test_none_lies_before_the_start_of_its_session(
    started_at: datetime | None, earliest: datetime
) -> None:
    session = Session(
        session_id=UUID(int=1),
        state=SessionState.ACTIVE,
        visited_id=1,
        home_id=2,
        evse_key="CHREPE00011",
        created_at=START - timedelta(minutes=5),
        started_at=started_at,
    )
    first = replace(make(1, 0, 0), occurred_at=earliest)
    early = replace(first, occurred_at=earliest - timedelta(microseconds=1))

    assert list(start_problems(first, session)) == []
    (problem,) = start_problems(early, session)
    assert (problem.code, problem.path) == (codes.INTERMEDIATE_ORDER, "occurredAt")
    assert earliest.isoformat() in problem.expected
    assert problem.found == early.occurred_at.isoformat()


def test_a_session_takes_so_many_and_no_more() -> None:
    (full,) = count_problems(PER_SESSION_MAX)

    assert full.code is codes.INTERMEDIATE_LIMIT
    assert list(count_problems(PER_SESSION_MAX - 1)) == []


@pytest.mark.parametrize(
    ("told", "event", "energy_wh", "paths"),
    [
        (Told(sequence_no=1), PROGRESS, 0, []),
        (Told(sequence_no=1), SessionEventKind.ENDED, 5, ["event"]),
        (Told(sequence_no=1), PROGRESS, None, ["energyWh"]),
        (Told(sequence_no=1, meter_wh=-1), PROGRESS, 5, ["intermediateSdr/meterWh"]),
        *(
            (
                Told(
                    sequence_no=1,
                    claim=Claim(currency=code, amount=Decimal(amount)),
                ),
                PROGRESS,
                5,
                paths,
            )
            for code, amount, paths in (
                ("EUR", "0.00", []),
                ("EUR", "1.1", []),
                ("EUR", "1.001", ["intermediateSdr/claimedNet"]),
                ("EUR", "-0.01", ["intermediateSdr/claimedNet"]),
                ("EUX", "1.00", ["intermediateSdr/claimedNet"]),
            )
        ),
        (
            Told(sequence_no=1, meter_wh=-1),
            SessionEventKind.STARTED,
            None,
            ["event", "energyWh", "intermediateSdr/meterWh"],
        ),
    ],
)
def test_what_one_lacks_or_must_not_hold_is_told_by_path(
    told: Told, event: SessionEventKind, energy_wh: int | None, paths: list[str]
) -> None:
    problems = list(field_problems(told, event, energy_wh))

    assert [item.path for item in problems] == paths
    assert {item.code for item in problems} <= {codes.INTERMEDIATE_FIELD}


@given(stories())
def test_usage_so_far_has_all_energy_and_all_time(story: list[IntermediateSdr]) -> None:
    usage = usage_so_far(START, story)

    last = story[-1] if story else make(1, 0, 0)
    seconds = sum(interval.seconds for interval in usage.intervals)
    assert sum(one.energy_wh for one in usage.intervals) == last.energy_wh
    assert timedelta(seconds=seconds) == last.occurred_at - START
    assert usage.ended_at == last.occurred_at


def test_a_repeat_adds_the_same_and_anything_else_is_another() -> None:
    stored = make(1, 5, 10, meter_wh=7, tariff_id="T-1")
    told = Told(sequence_no=1, meter_wh=7, tariff_id="T-1")
    claim = Claim(currency="EUR", amount=Decimal("1.00"))

    assert is_same(stored, told)
    assert is_same(None, None)
    others = [
        None,
        replace(told, sequence_no=2),
        replace(told, meter_wh=8),
        replace(told, tariff_id=None),
        replace(told, claim=claim),
    ]
    assert not any(is_same(stored, other) for other in others)
    assert not is_same(None, told)
