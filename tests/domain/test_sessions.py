"""Sessions: one table, and events in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product, starmap
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.sessions import (
    SDR_STATES,
    TRANSITIONS,
    Applied,
    IllegalStep,
    Session,
    SessionEvent,
    SessionEventKind,
    SessionState,
    Trigger,
    apply_event,
    event_problem,
    is_repeat,
    step,
)
from tests.domain.builders import HOME_ID, NOW, SESSION_ID, VISITED_ID, seconds

S, T, K = SessionState, Trigger, SessionEventKind

#: The arrows of the contract, as printed there; an SDR may come from AUTHORIZED on.
ARROWS = {
    S.REQUESTED: {S.AUTHORIZED, S.REFUSED},
    S.RESERVED: {S.AUTHORIZED, S.EXPIRED, S.CANCELLED},
    S.AUTHORIZED: {S.STARTING, S.EXPIRED},
    S.STARTING: {S.ACTIVE, S.START_UNKNOWN, S.START_FAILED},
    S.START_UNKNOWN: {S.ACTIVE, S.START_FAILED},
    S.ACTIVE: {S.SUSPENDED, S.STOPPING},
    S.SUSPENDED: {S.ACTIVE, S.STOPPING},
    S.STOPPING: {S.ENDED},
}


def reachable(state: SessionState) -> set[SessionState]:
    """Return all states that the arrows lead to."""
    found = {state}
    while True:
        more = {target for one in found for target in ARROWS.get(one, ())} - found
        if not more:
            return found
        found |= more


def make_session(state: SessionState = S.AUTHORIZED) -> Session:
    return Session(
        session_id=SESSION_ID,
        state=state,
        visited_id=VISITED_ID,
        home_id=HOME_ID,
        evse_key="CHVISE11",
        created_at=NOW,
    )


def make_event(
    kind: SessionEventKind, at: int, *, energy_wh: int | None = None
) -> SessionEvent:
    return SessionEvent(
        event_id=UUID(int=at),
        event=kind,
        occurred_at=NOW + seconds(at),
        received_at=NOW,
        reported_by=VISITED_ID,
        energy_wh=energy_wh,
    )


def applied(session: Session, *events: SessionEvent) -> Session:
    for event in events:
        outcome = apply_event(session, event)
        assert isinstance(outcome, Applied), outcome
        session = outcome.session
    return session


@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize(
    ("state", "target"), [(a, b) for a in ARROWS for b in ARROWS[a]]
)
def test_table_has_every_arrow_of_the_contract(
    state: SessionState, target: SessionState
) -> None:
    steps = {after for (before, _), after in TRANSITIONS.items() if before is state}
    # AUTHORIZED > STARTING > ACTIVE and ACTIVE > STOPPING > ENDED are there too, at
    # once, for a station that reports only what happened.
    assert target in steps


def test_table_goes_nowhere_else() -> None:
    for (state, trigger), target in TRANSITIONS.items():
        if trigger is T.SDR:
            assert target is S.SDR_RECEIVED
        elif state is not S.SDR_RECEIVED:
            assert target in reachable(state)


@pytest.mark.parametrize(
    "state", [S.REQUESTED, S.REFUSED, S.RESERVED, S.CANCELLED, S.SDR_RECEIVED]
)
def test_no_sdr_before_authorization_or_twice(state: SessionState) -> None:
    assert state not in SDR_STATES
    assert isinstance(step(state, T.SDR), IllegalStep)


def test_code_of_an_illegal_step_names_the_state() -> None:
    illegal = [
        outcome
        for outcome in starmap(step, product(SessionState, Trigger))
        if isinstance(outcome, IllegalStep)
    ]

    by_state = {outcome.state: outcome.code for outcome in illegal}
    assert by_state.keys() == set(SessionState)
    assert len(set(by_state.values())) == len(SessionState)
    assert by_state[S.REFUSED] is codes.SESSION_IS_REFUSED
    assert by_state[S.START_UNKNOWN] is codes.SESSION_START_UNKNOWN


def test_timed_out_start_is_unknown_until_an_event_settles_it() -> None:
    unknown = step(S.STARTING, T.START_TIMED_OUT)

    assert unknown is S.START_UNKNOWN
    assert step(unknown, T.START) == IllegalStep(
        code=codes.SESSION_START_UNKNOWN, state=unknown, trigger=T.START
    )
    assert step(unknown, T.STOP) is S.START_UNKNOWN
    assert step(unknown, T.STARTED) is S.ACTIVE
    assert step(unknown, T.START_REFUSED) is S.START_FAILED
    assert step(unknown, T.SDR) is S.SDR_RECEIVED


def test_end_before_start_is_kept() -> None:
    session = applied(make_session(), make_event(K.ENDED, 100, energy_wh=5_000))

    late = apply_event(session, make_event(K.STARTED, 10))

    assert isinstance(late, Applied)
    assert not late.in_order
    assert late.session.state is S.ENDED
    assert late.session.started_at == NOW + seconds(10)
    assert late.session.ended_at == NOW + seconds(100)
    assert late.session.energy_wh == 5_000


def test_older_event_never_turns_the_state_back() -> None:
    session = applied(
        make_session(),
        make_event(K.STARTED, 10),
        make_event(K.RESUMED, 50),
        make_event(K.SUSPENDED, 40),
    )

    assert session.state is S.ACTIVE
    assert session.last_event_at == NOW + seconds(50)


def test_new_start_after_the_end_is_illegal() -> None:
    session = applied(make_session(), make_event(K.ENDED, 100))

    outcome = apply_event(session, make_event(K.STARTED, 101))

    assert isinstance(outcome, IllegalStep)
    assert outcome.code is codes.SESSION_IS_ENDED


def test_event_of_a_refused_session_is_illegal() -> None:
    outcome = apply_event(make_session(S.REFUSED), make_event(K.STARTED, 1))

    assert isinstance(outcome, IllegalStep)
    assert outcome.code is codes.SESSION_IS_REFUSED


def test_failure_ends_what_had_begun() -> None:
    failed = make_event(K.FAILED, 100)

    assert applied(make_session(), failed).state is S.START_FAILED
    assert applied(make_session(S.ACTIVE), failed).state is S.ENDED


def test_reports_after_the_sdr_are_kept() -> None:
    session = applied(
        make_session(S.SDR_RECEIVED),
        make_event(K.STARTED, 10),
        make_event(K.ENDED, 90),
    )

    assert session.state is S.SDR_RECEIVED
    assert session.ended_at == NOW + seconds(90)


def test_event_in_the_future_is_refused() -> None:
    soon = make_event(K.STARTED, 120)
    late = make_event(K.STARTED, 121)

    assert event_problem(soon, now=NOW) is None
    assert event_problem(late, now=NOW) is codes.SESSION_EVENT_FUTURE


def test_event_of_another_year_is_refused() -> None:
    event = make_event(K.STARTED, 0)
    last = event.occurred_at + timedelta(days=60)

    assert event_problem(event, now=last) is None
    later = last + timedelta(seconds=1)
    assert event_problem(event, now=later) is codes.SESSION_EVENT_PAST


def test_repeat_says_the_same_and_a_reuse_does_not() -> None:
    event = make_event(K.PROGRESS, 10, energy_wh=100)
    again = replace(event, received_at=NOW + seconds(60))

    assert is_repeat(event, again)
    assert not is_repeat(event, replace(again, energy_wh=200))


TRIGGERS = st.lists(st.sampled_from(Trigger), max_size=30)


@given(start=st.sampled_from(SessionState), triggers=TRIGGERS)
def test_sessions_never_leave_the_table(
    start: SessionState, triggers: list[Trigger]
) -> None:
    state = start
    for trigger in triggers:
        outcome = step(state, trigger)
        if isinstance(outcome, IllegalStep):
            assert (state, trigger) not in TRANSITIONS
            assert outcome.state is state
        else:
            assert outcome is TRANSITIONS[state, trigger]
            state = outcome


@st.composite
def stories(draw: st.DrawFn) -> list[SessionEvent]:
    """Draw what a station does: start, pauses and readings, perhaps the end."""
    kinds = [K.STARTED]
    paused = False
    for reading in draw(st.lists(st.booleans(), max_size=8)):
        if reading:
            kinds.append(K.PROGRESS)
        else:
            kinds.append(K.RESUMED if paused else K.SUSPENDED)
            paused = not paused
    if draw(st.booleans()):
        kinds.append(K.ENDED)
    return [
        make_event(kind, at * 10, energy_wh=at * 100)
        for at, kind in enumerate(kinds, start=1)
    ]


@given(data=st.data(), story=stories())
def test_order_of_arrival_does_not_matter(
    data: st.DataObject, story: list[SessionEvent]
) -> None:
    shuffled = data.draw(st.permutations(story))

    assert applied(make_session(), *shuffled) == applied(make_session(), *story)


@given(story=stories(), state=st.sampled_from([S.AUTHORIZED, S.STARTING]))
def test_repeated_events_change_nothing(
    story: list[SessionEvent], state: SessionState
) -> None:
    once = applied(make_session(state), *story)
    last = story[-1]
    if last.event is K.ENDED:
        return

    assert applied(once, last) == once
