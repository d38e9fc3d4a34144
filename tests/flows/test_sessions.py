"""Sessions: reports in any order, notices for the home CSP, timers, who sees what."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.sessions import EVENTS_MAX, SessionEventKind, SessionState
from clearinghouse.services import sessions as use_cases
from clearinghouse.storage import outbox, sessions
from clearinghouse.storage.outbox import Claim
from clearinghouse.storage.sessions import StoredEvent
from tests.builders import (
    make_agreement,
    make_cso,
    make_csp,
    make_event,
    make_session,
    seconds,
)
from tests.fixtures.roaming import CARD, entry
from tests.flows.asking import report, seen, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import SessionNotice
    from tests.fixtures.engine import Speaker
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming


def authorized(roaming: Roaming) -> str:
    roaming.list_cards(entry(CARD))
    return start(roaming.cso_speaks).required("sessionId")


def notices(env: Environment) -> list[SessionNotice]:
    """Return what waits in the outbox for home CSPs, as it will be sent."""
    with env.database.begin() as tx:
        due = outbox.claim_due(
            tx, Claim(now=env.clock.now(), per_participant=outbox.CLAIM_MAX)
        )
    assert all(one.kind is DeliveryKind.NOTIFY_SESSION for one in due)
    found = [use_cases.session_notice(env, one.payload) for one in due]
    return [one for one in found if one is not None]


@pytest.mark.clause("4.3-I3")
@pytest.mark.clause("3.12")
def test_session_runs_from_start_to_end(roaming: Roaming, clock: StillClock) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=120)
    send = partial(report, roaming.cso_speaks, session_id)

    states = [
        send("STARTED", at=10).required("state"),
        send("PROGRESS", at=20, energy_wh=1000).required("state"),
        send("SUSPENDED", at=30, energy_wh=1500).required("state"),
        send("RESUMED", at=40).required("state"),
        send("ENDED", at=50, energy_wh=2500).required("state"),
    ]

    view = seen(roaming.csp_speaks, session_id)
    assert states == ["ACTIVE", "ACTIVE", "SUSPENDED", "ACTIVE", "ENDED"]
    assert view.required("state") == "ENDED"
    assert datetime.fromisoformat(view.required("startedAt")) == seconds(10)
    assert datetime.fromisoformat(view.required("endedAt")) == seconds(50)
    (energy, *_) = view.all("energyWh")
    assert energy.text == "2500"
    names = [
        one.text
        for event in view.all("event")
        for one in event
        if "event" in str(one.tag)
    ]
    assert names[0] == "STARTED"
    assert len(view.all("occurredAt")) == 5


def test_home_csp_is_told_of_each_event_once(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    session_id = authorized(roaming)
    event_id = uuid4()
    clock.forward(seconds=60)

    report(roaming.cso_speaks, session_id, at=5, event_id=event_id)
    again = report(roaming.cso_speaks, session_id, at=5, event_id=event_id)
    report(roaming.cso_speaks, session_id, "PROGRESS", at=9, energy_wh=700)

    first, second = notices(env)
    assert again.code == codes.ALREADY_DONE.number
    assert again.required("state") == "ACTIVE"
    assert (first.event, first.event_id) == (SessionEventKind.STARTED, event_id)
    assert str(first.session_id) == session_id
    assert first.state is SessionState.ACTIVE
    assert (first.cso_party, first.evse_id) == ("CHREP", "CH*REP*E0001*1")
    assert first.occurred_at == seconds(5)
    assert (second.event, second.energy_wh) == (SessionEventKind.PROGRESS, 700)


def test_late_event_is_kept_and_does_not_move_the_session_back(
    roaming: Roaming, clock: StillClock
) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=60)
    send = partial(report, roaming.cso_speaks, session_id)
    send("STARTED", at=10)
    send("SUSPENDED", at=30)

    late = send("PROGRESS", at=20, energy_wh=800)

    view = seen(roaming.cso_speaks, session_id)
    assert late.code == codes.EVENT_LATE.number
    assert late.required("state") == "SUSPENDED"
    assert len(view.all("occurredAt")) == 3
    times = [one.text for one in view.all("occurredAt")]
    assert times == sorted(str(one) for one in times), "by time of event"


def test_end_before_its_start_is_kept(roaming: Roaming, clock: StillClock) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=60)

    end = report(roaming.cso_speaks, session_id, "ENDED", at=50, energy_wh=900)
    start_ = report(roaming.cso_speaks, session_id, "STARTED", at=10)

    view = seen(roaming.cso_speaks, session_id)
    assert end.required("state") == "ENDED"
    assert start_.code == codes.EVENT_LATE.number
    assert view.required("state") == "ENDED"
    assert datetime.fromisoformat(view.required("startedAt")) == seconds(10)
    assert datetime.fromisoformat(view.required("endedAt")) == seconds(50)


def test_event_id_is_for_one_event_only(roaming: Roaming, clock: StillClock) -> None:
    session_id = authorized(roaming)
    event_id = uuid4()
    clock.forward(seconds=60)
    send = partial(report, roaming.cso_speaks, session_id, event_id=event_id)

    send("STARTED", at=5)
    other = send("STARTED", at=6)

    assert other.code == codes.SESSION_EVENT_CONFLICT.number
    assert not other.is_fault


@pytest.mark.parametrize(
    ("at", "energy_wh", "code"),
    [
        (181, None, codes.SESSION_EVENT_FUTURE),
        (-61 * 86_400, None, codes.SESSION_EVENT_PAST),
        (0, -1, codes.SESSION_EVENT_ENERGY),
    ],
)
def test_refuses_events_that_cannot_be(
    roaming: Roaming,
    clock: StillClock,
    at: int,
    energy_wh: int | None,
    code: codes.Code,
) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=60)

    answer = report(
        roaming.cso_speaks, session_id, "PROGRESS", at=at, energy_wh=energy_wh
    )

    assert answer.code == code.number
    assert not answer.has("state")
    assert seen(roaming.cso_speaks, session_id).required("state") == "AUTHORIZED"


def test_illegal_step_is_named_by_the_state(roaming: Roaming, env: Environment) -> None:
    refused = make_session(roaming.cso, roaming.csp, state=SessionState.REFUSED)
    with env.database.begin() as tx:
        sessions.insert_session(tx, refused)

    answer = report(roaming.cso_speaks, str(refused.session_id))

    assert answer.code == codes.SESSION_IS_REFUSED.number


def test_repeated_report_gets_the_stored_answer(
    roaming: Roaming, clock: StillClock
) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=60)
    message_id, event_id = uuid4(), uuid4()
    send = partial(
        report,
        roaming.cso_speaks,
        session_id,
        message_id=message_id,
        event_id=event_id,
    )

    first = send("STARTED", at=5)
    report(roaming.cso_speaks, session_id, "ENDED", at=9)
    repeat = send("STARTED", at=5)
    other = send("STARTED", at=6)

    assert first.required("state") == "ACTIVE"
    assert repeat.raw == first.raw
    assert other.code == codes.DUPLICATE_CONFLICT.number


def test_station_that_is_stuck_does_not_fill_the_log(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=1000)
    send = partial(report, roaming.cso_speaks, session_id)
    with env.database.begin() as tx:
        for number in range(EVENTS_MAX):
            event = make_event(
                roaming.cso,
                event=SessionEventKind.PROGRESS,
                occurred_at=seconds(number),
            )
            active = SessionState.ACTIVE
            step = StoredEvent(event=event, state_before=active, state_after=active)
            sessions.insert_event(tx, UUID(session_id), step)

    more = send("PROGRESS", at=300, energy_wh=5000)
    end = send("ENDED", at=400)

    view = seen(roaming.cso_speaks, session_id)
    times = [datetime.fromisoformat(str(one.text)) for one in view.all("occurredAt")]
    assert (more.code, end.code) == (0, 0)
    assert view.required("state") == "ENDED"
    assert view.all("energyWh")[0].text == "5000"
    assert len(times) == EVENTS_MAX
    assert times[-2:] == [seconds(EVENTS_MAX - 1), seconds(400)]


def test_both_partners_find_the_session_by_their_own_names(
    roaming: Roaming, clock: StillClock
) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=60)
    report(roaming.cso_speaks, session_id, at=5, own_id="tx-77")

    view = roaming.cso_speaks.call(
        "session", "GetSession", "<partnerSessionId>tx-77</partnerSessionId>"
    )
    foreign = roaming.csp_speaks.call(
        "session", "GetSession", "<partnerSessionId>tx-77</partnerSessionId>"
    )

    assert view.required("sessionId") == session_id
    assert view.required("value") == "tx-77"
    assert view.required("csoId") == "CHREP"
    assert view.required("cspId") == "DEABC"
    assert foreign.code == codes.SESSION_UNKNOWN.number


def test_name_of_another_session_refuses_the_report(
    roaming: Roaming, clock: StillClock
) -> None:
    one, two = authorized(roaming), authorized(roaming)
    clock.forward(seconds=60)
    report(roaming.cso_speaks, one, own_id="tx-1")

    answer = report(roaming.cso_speaks, two, own_id="tx-1")

    assert answer.code == codes.SESSION_FOREIGN_ID.number
    assert seen(roaming.cso_speaks, two).required("state") == "AUTHORIZED"


@pytest.mark.clause("8-min")
def test_session_of_others_and_one_that_is_not_there_look_alike(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    session_id = authorized(roaming)
    with env.database.begin() as tx:
        outsider = make_csp(tx, "NLTNM")
        make_agreement(tx, roaming.cso, outsider)
        operator = make_cso(tx, "CHIBA")

    assert seen(roaming.cso_speaks, session_id).code == 0
    assert seen(roaming.csp_speaks, session_id).code == 0
    for one in (outsider, operator):
        hidden = seen(speaker(one), session_id)
        missing = seen(speaker(one), str(uuid4()))
        assert hidden.code == missing.code == codes.SESSION_UNKNOWN.number
        told = report(speaker(one), session_id)
        assert told.code == codes.SESSION_UNKNOWN.number
    assert report(roaming.csp_speaks, session_id).code == codes.SESSION_UNKNOWN.number


def test_authorization_without_a_plug_expires(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    session_id = authorized(roaming)

    clock.forward(seconds=299)
    early = use_cases.expire_due(env)
    clock.forward(seconds=1)
    due = use_cases.expire_due(env)

    assert (early, due) == (0, 1)
    assert seen(roaming.cso_speaks, session_id).required("state") == "EXPIRED"
    late = report(roaming.cso_speaks, session_id)
    assert late.code == codes.SESSION_IS_EXPIRED.number
    assert use_cases.expire_due(env) == 0
    assert notices(env) == []


@pytest.mark.parametrize("state", [SessionState.STARTING, SessionState.START_UNKNOWN])
def test_start_that_nobody_confirms_fails_and_its_csp_is_told(
    roaming: Roaming, env: Environment, clock: StillClock, state: SessionState
) -> None:
    waiting = make_session(
        roaming.cso, roaming.csp, state=state, valid_until=seconds(300)
    )
    with env.database.begin() as tx:
        sessions.insert_session(tx, waiting)

    clock.forward(seconds=300)
    use_cases.expire_due(env)

    (notice,) = notices(env)
    view = seen(roaming.csp_speaks, str(waiting.session_id))
    assert view.required("state") == "START_FAILED"
    assert notice.event is SessionEventKind.FAILED
    assert notice.state is SessionState.START_FAILED
    assert notice.occurred_at == clock.at


def test_running_session_has_no_timer(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    session_id = authorized(roaming)
    clock.forward(seconds=60)
    report(roaming.cso_speaks, session_id)

    clock.forward(seconds=3600)

    assert use_cases.expire_due(env) == 0


def test_notice_of_a_session_that_is_gone_is_moot(env: Environment) -> None:
    payload = {
        "session_id": str(uuid4()),
        "event_id": str(uuid4()),
        "event": "STARTED",
        "occurred_at": seconds(0).isoformat(),
        "energy_wh": None,
        "state": "ACTIVE",
    }

    assert use_cases.session_notice(env, payload) is None
