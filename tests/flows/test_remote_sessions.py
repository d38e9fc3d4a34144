"""Remote start and stop: sent once, unknown when silent, reachable afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sessions import Origin, SessionState
from clearinghouse.identifiers import contract_id
from clearinghouse.services.ports import (
    Answered,
    Busy,
    ControlAnswer,
    Faulted,
    NoEndpoint,
    Refused,
    StartOrder,
    StopOrder,
    TimedOut,
    Unreachable,
)
from clearinghouse.storage import participants, sessions
from tests.builders import make_agreement, make_csp
from tests.fixtures.engine import credential
from tests.fixtures.roaming import CARD, CONTRACT, EVSE, OTHER_CARD, entry
from tests.flows.asking import report, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sessions import Session
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import Reply
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import ScriptedPartners, StillClock
    from tests.fixtures.roaming import Roaming

YES = Answered(ControlAnswer(accepted=True, partner_session_id="cso-1"))
NO = Answered(ControlAnswer(accepted=False, reason="OCCUPIED"))
TAPS = 4
BY_CONTRACT = f"<contractId>{CONTRACT}</contractId>"


def remote_start(
    speaker: Speaker,
    who: str = BY_CONTRACT,
    *,
    evse: str = EVSE,
    own_id: str | None = None,
    message_id: UUID | None = None,
) -> Answer:
    own = "" if own_id is None else f"<partnerSessionId>{own_id}</partnerSessionId>"
    return speaker.call(
        "session",
        "StartSession",
        f"<evseId>{evse}</evseId>{who}{own}",
        message_id=message_id,
    )


def remote_stop(
    speaker: Speaker, session_id: str, *, message_id: UUID | None = None
) -> Answer:
    return speaker.call(
        "session",
        "StopSession",
        f"<sessionId>{session_id}</sessionId>",
        message_id=message_id,
    )


def stored(env: Environment, answer: Answer) -> Session:
    with env.database.begin_read_only() as tx:
        session = sessions.session_by_id(tx, UUID(answer.required("sessionId")))
    assert session is not None
    return session


@pytest.mark.clause("4.3-I3")
def test_order_reaches_the_operator_of_the_evse(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)

    answer = remote_start(roaming.csp_speaks, own_id="app-1")

    ((asked, order),) = partners.asked
    session = stored(roaming.env, answer)
    assert answer.code == 0
    assert answer.required("state") == "STARTING"
    assert asked == roaming.cso.participant_id
    assert isinstance(order, StartOrder)
    assert str(order.session_id) == answer.required("sessionId")
    assert order.evse_id == "CH*REP*E0001*1"
    assert order.csp_party == "DEABC"
    assert order.partner_session_id == "app-1"
    assert session.origin is Origin.REMOTE
    assert session.visited_id == roaming.cso.participant_id
    assert session.home_id == roaming.csp.participant_id
    view = seen(roaming.cso_speaks, answer.required("sessionId"))
    assert sorted(str(one.text) for one in view.all("value")) == ["app-1", "cso-1"]


def test_session_is_stored_before_the_order_goes_out(
    roaming: Roaming, partners: ScriptedPartners, env: Environment
) -> None:
    states: list[SessionState] = []

    def look() -> Reply[ControlAnswer]:
        order = partners.asked[-1][1]
        assert isinstance(order, StartOrder)
        with env.database.begin() as tx:
            session = sessions.session_by_id(tx, order.session_id, for_update=True)
        assert session is not None
        states.append(session.state)
        return YES

    partners.will_start(look)
    remote_start(roaming.csp_speaks)

    assert states == [SessionState.STARTING]


@pytest.mark.parametrize(
    ("reply", "state", "reason"),
    [
        (TimedOut(), "START_UNKNOWN", codes.PARTNER_SILENT),
        (Faulted(took_effect_unknown=True), "START_UNKNOWN", codes.PARTNER_FAULT),
        (Faulted(took_effect_unknown=False), "START_FAILED", codes.PARTNER_FAULT),
        (NO, "START_FAILED", codes.PARTNER_REFUSED),
        (Refused(code=500), "START_FAILED", codes.PARTNER_REFUSED),
        (Unreachable(), "START_FAILED", codes.PARTNER_UNREACHABLE),
        (Busy(), "START_FAILED", codes.PARTNER_BUSY),
        (NoEndpoint(), "START_FAILED", codes.PARTNER_NO_ENDPOINT),
    ],
)
def test_order_without_a_yes_is_unknown_or_failed_and_says_why(
    roaming: Roaming,
    partners: ScriptedPartners,
    reply: Reply[ControlAnswer],
    state: str,
    reason: codes.Code,
) -> None:
    partners.will_start(reply)

    answer = remote_start(roaming.csp_speaks)

    assert answer.code == 0
    assert answer.required("state") == state
    assert [item["code"] for item in answer.items] == [str(reason.number)]
    assert stored(roaming.env, answer).state.value == state


def test_order_is_never_sent_twice(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    message_id = uuid4()
    send = partial(remote_start, roaming.csp_speaks, message_id=message_id)
    partners.will_start(TimedOut(), YES)

    first = send()
    repeat = send()
    other = send(f"<contractId>{contract_id.format('DEABCC00000002')}</contractId>")

    assert first.required("state") == "START_UNKNOWN"
    assert repeat.raw == first.raw
    assert len(partners.asked) == 1
    assert other.code == codes.DUPLICATE_CONFLICT.number


def test_order_is_not_sent_again_after_we_died_in_the_call(
    roaming: Roaming, partners: ScriptedPartners, clock: StillClock
) -> None:
    class Killed(BaseException):
        """Ends the process in the middle of the call."""

    def die() -> Reply[ControlAnswer]:
        raise Killed

    send = partial(remote_start, roaming.csp_speaks, message_id=uuid4())
    partners.will_start(die, YES)

    with pytest.raises(Killed):
        send()
    at_once = send()
    clock.forward(seconds=16)
    later = send()

    assert at_once.code == codes.IN_PROGRESS.number
    assert later.required("state") == "START_UNKNOWN"
    assert len(partners.asked) == 1


def test_event_settles_an_unknown_start(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(TimedOut())
    session_id = remote_start(roaming.csp_speaks).required("sessionId")

    answer = report(roaming.cso_speaks, session_id)

    assert answer.required("state") == "ACTIVE"


def test_event_that_overtakes_the_answer_counts(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    def started_first() -> Reply[ControlAnswer]:
        order = partners.asked[-1][1]
        assert isinstance(order, StartOrder)
        report(roaming.cso_speaks, str(order.session_id))
        return TimedOut()

    partners.will_start(started_first)

    assert remote_start(roaming.csp_speaks).required("state") == "ACTIVE"


def test_second_tap_in_the_app_is_the_first_start_again(
    roaming: Roaming, partners: ScriptedPartners, clock: StillClock
) -> None:
    partners.will_start(TimedOut(), YES)
    first = remote_start(roaming.csp_speaks)

    again = remote_start(roaming.csp_speaks)
    clock.forward(seconds=61)
    later = remote_start(roaming.csp_speaks)

    assert again.code == codes.ALREADY_DONE.number
    assert again.required("sessionId") == first.required("sessionId")
    assert again.required("state") == "START_UNKNOWN"
    assert later.required("sessionId") != first.required("sessionId")
    assert len(partners.asked) == 2


def test_taps_at_the_same_moment_send_one_order(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(*[YES] * TAPS)
    together = Barrier(TAPS)

    def tap(_: int) -> Answer:
        together.wait()
        return remote_start(roaming.csp_speaks)

    with ThreadPoolExecutor(TAPS) as fingers:
        answers = list(fingers.map(tap, range(TAPS)))

    assert len({answer.required("sessionId") for answer in answers}) == 1
    assert len(partners.asked) == 1


def test_same_name_for_the_same_start_finds_its_session(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)
    first = remote_start(roaming.csp_speaks, own_id="app-1")
    report(roaming.cso_speaks, first.required("sessionId"))

    again = remote_start(roaming.csp_speaks, own_id="app-1")
    other = remote_start(
        roaming.csp_speaks,
        f"<contractId>{contract_id.format('DEABCC00000002')}</contractId>",
        own_id="app-1",
    )

    assert again.code == codes.ALREADY_DONE.number
    assert again.required("state") == "ACTIVE"
    assert other.code == codes.SESSION_FOREIGN_ID.number
    assert len(partners.asked) == 1


@pytest.mark.parametrize(
    ("who", "evse", "code"),
    [
        (BY_CONTRACT, "CH*REP*E9999", codes.EVSE_UNKNOWN),
        (BY_CONTRACT, "CHESWIE16970", codes.EVSE_MALFORMED),
        (
            f"<contractId>{contract_id.format('NLTNMC00000001')}</contractId>",
            EVSE,
            codes.CONTRACT_NOT_YOURS,
        ),
        (
            "<contractId>DE-ABC-C00000001-5</contractId>",
            EVSE,
            codes.CONTRACT_CHECK_DIGIT,
        ),
        ("<contractId>DE-ABC-1</contractId>", EVSE, codes.CONTRACT_MALFORMED),
        (credential("04A1"), EVSE, codes.CREDENTIAL_MALFORMED),
    ],
)
def test_refused_start_reaches_nobody_and_enrols_nobody(
    roaming: Roaming, partners: ScriptedPartners, who: str, evse: str, code: codes.Code
) -> None:
    answer = remote_start(roaming.csp_speaks, who, evse=evse)

    found = roaming.env.vault.find_subjects(
        SubjectKind.CONTRACT, ["DEABCC00000001", "NLTNMC00000001"]
    )
    assert answer.code == code.number
    assert not answer.is_fault
    assert not partners.asked
    assert not found


def test_blocked_card_and_card_of_another_csp_start_nothing(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    roaming.list_cards(entry(CARD, status="BLOCKED"), entry(OTHER_CARD))
    with env.database.begin() as tx:
        other = make_csp(tx, "NLTNM")
        make_agreement(tx, roaming.cso, other)

    blocked = remote_start(roaming.csp_speaks, credential(CARD))
    foreign = remote_start(speaker(other), credential(OTHER_CARD))

    assert blocked.code == codes.CREDENTIAL_BLOCKED.number
    assert foreign.code == codes.CREDENTIAL_UNKNOWN.number


def test_csp_without_agreement_does_not_learn_that_the_evse_exists(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    with env.database.begin() as tx:
        other = make_csp(tx, "NLTNM")
    who = f"<contractId>{contract_id.format('NLTNMC00000001')}</contractId>"

    there = remote_start(speaker(other), who)
    nowhere = remote_start(speaker(other), who, evse="CH*REP*E9999")

    assert there.code == nowhere.code == codes.EVSE_UNKNOWN.number
    assert roaming.cso.party_id.encode() not in there.raw


@pytest.mark.clause("5-C1/C2")
@pytest.mark.parametrize("mode", [Mode.C1, Mode.C2, Mode.A])
def test_mixed_and_direct_mode_start_past_the_clearing_house(
    roaming: Roaming, clock: StillClock, mode: Mode
) -> None:
    with roaming.env.database.begin() as tx:
        make_agreement(tx, roaming.cso, roaming.csp, valid_from=clock.at, mode=mode)

    answer = remote_start(roaming.csp_speaks)

    assert answer.code == codes.MODE_NOT_AGREED.number


def test_suspended_operator_gets_no_orders(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    with roaming.env.database.begin() as tx:
        participants.set_status(
            tx, roaming.cso.participant_id, ParticipantStatus.SUSPENDED
        )

    answer = remote_start(roaming.csp_speaks)

    assert answer.code == codes.PARTICIPANT_SUSPENDED.number
    assert not partners.asked


@pytest.mark.clause("4.3-I3")
def test_stop_reaches_the_operator_under_its_own_name(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)
    partners.will_stop(YES)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")
    report(roaming.cso_speaks, session_id)

    answer = remote_stop(roaming.csp_speaks, session_id)

    order = partners.asked[-1][1]
    assert answer.code == 0
    assert answer.required("state") == "STOPPING"
    assert isinstance(order, StopOrder)
    assert order.partner_session_id == "cso-1"
    assert (
        report(roaming.cso_speaks, session_id, "ENDED", at=9).required("state")
        == "ENDED"
    )


def test_stop_reaches_a_start_of_unknown_outcome(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(TimedOut())
    partners.will_stop(YES)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")

    answer = remote_stop(roaming.csp_speaks, session_id)

    assert answer.code == 0
    assert answer.required("state") == "START_UNKNOWN"
    assert isinstance(partners.asked[-1][1], StopOrder)


def test_silent_stop_may_have_taken_effect(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")
    report(roaming.cso_speaks, session_id)

    answer = remote_stop(roaming.csp_speaks, session_id)

    assert answer.required("state") == "STOPPING"
    assert answer.items[0]["code"] == str(codes.PARTNER_SILENT.number)


def test_refused_stop_leaves_the_session_running(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)
    partners.will_stop(NO)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")
    report(roaming.cso_speaks, session_id)

    answer = remote_stop(roaming.csp_speaks, session_id)

    assert answer.code == codes.PARTNER_REFUSED.number
    assert seen(roaming.csp_speaks, session_id).required("state") == "ACTIVE"


def test_stop_that_did_not_get_through_may_be_repeated_as_the_same_message(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")
    report(roaming.cso_speaks, session_id)
    send = partial(remote_stop, roaming.csp_speaks, session_id, message_id=uuid4())
    partners.will_stop(Unreachable(), YES, NO)

    lost = send()
    done = send()
    repeat = send()

    assert lost.code == codes.PARTNER_UNREACHABLE.number
    assert lost.required("retryable") == "true"
    assert done.required("state") == "STOPPING"
    assert repeat.raw == done.raw


def test_session_of_another_csp_cannot_be_stopped(
    roaming: Roaming,
    partners: ScriptedPartners,
    env: Environment,
    speaker: Callable[[Participant], Speaker],
) -> None:
    partners.will_start(YES)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")
    with env.database.begin() as tx:
        other = make_csp(tx, "NLTNM")
        make_agreement(tx, roaming.cso, other)
    partners.asked.clear()

    foreign = remote_stop(speaker(other), session_id)
    missing = remote_stop(speaker(other), str(uuid4()))

    assert foreign.code == missing.code == codes.SESSION_UNKNOWN.number
    assert not partners.asked


def test_session_that_ended_needs_no_stop(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    partners.will_start(YES)
    session_id = remote_start(roaming.csp_speaks).required("sessionId")
    report(roaming.cso_speaks, session_id, "ENDED")

    answer = remote_stop(roaming.csp_speaks, session_id)

    assert answer.code == codes.SESSION_IS_ENDED.number
