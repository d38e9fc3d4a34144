"""Messages of authorization: repeated, taken over, in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from clearinghouse import codes
from clearinghouse.services.ports import AuthorizeQuestion
from clearinghouse.storage import evses, participants
from clearinghouse.storage.tables.sessions import session
from tests.builders import make_evse
from tests.fixtures.roaming import CARD, entry
from tests.flows.asking import NO, YES, decision, start

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import AuthorizeAnswer, Reply
    from tests.fixtures.engine import Answer
    from tests.fixtures.partners import ScriptedPartners, StillClock
    from tests.fixtures.roaming import Roaming


def test_exact_repeat_gets_the_stored_decision(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.register_endpoint()
    send = partial(
        start, roaming.cso_speaks, kind="PNC_CERTIFICATE", message_id=uuid4()
    )
    partners.will_authorize(YES, NO)

    first = send("DEABCC00000001")
    repeat = send("DEABCC00000001")
    other = send("DEABCC00000002")

    assert repeat.raw == first.raw
    assert len(partners.asked) == 1
    assert other.code == codes.DUPLICATE_CONFLICT.number


def test_refusal_is_stored_like_any_other_answer(roaming: Roaming) -> None:
    message_id = uuid4()

    first = start(roaming.cso_speaks, evse="CH*REP*E9", message_id=message_id)
    with roaming.env.database.begin() as tx:
        evses.apply_delta(
            tx,
            roaming.cso.participant_id,
            upserts=[make_evse("CH*REP*E9")],
            removals=[],
        )
    repeat = start(roaming.cso_speaks, evse="CH*REP*E9", message_id=message_id)

    assert first.code == codes.EVSE_UNKNOWN.number
    assert repeat.raw == first.raw


def test_partner_session_id_names_one_session_only(roaming: Roaming) -> None:
    roaming.list_cards(entry(CARD))

    first = start(roaming.cso_speaks, own_id="tx-1")
    second = start(roaming.cso_speaks, own_id="tx-1")

    assert first.code == 0
    assert second.code == codes.SESSION_FOREIGN_ID.number
    found = roaming.cso_speaks.call(
        "session", "GetSession", "<partnerSessionId>tx-1</partnerSessionId>"
    )
    assert found.required("sessionId") == first.required("sessionId")


def test_twin_waits_while_the_csp_is_asked_and_no_transaction_is_open(
    roaming: Roaming, partners: ScriptedPartners, env: Environment
) -> None:
    roaming.register_endpoint()
    message_id = uuid4()
    twins: list[Answer] = []

    def think() -> Reply[AuthorizeAnswer]:
        with env.database.begin() as tx:  # nothing that we need is locked
            participants.hear_heartbeat(
                tx, roaming.cso.participant_id, at=env.clock.now(), skew_ms=0
            )
        twins.append(ask())
        return YES

    def ask() -> Answer:
        return start(
            roaming.cso_speaks,
            "DEABCC00000001",
            kind="PNC_CERTIFICATE",
            message_id=message_id,
        )

    partners.will_authorize(think)
    first = ask()

    assert decision(first)[0] == "AUTHORIZED"
    assert [twin.code for twin in twins] == [codes.IN_PROGRESS.number]
    assert twins[0].is_fault
    assert len(partners.asked) == 1
    assert ask().raw == first.raw


def test_repeat_takes_over_a_message_whose_handler_died(
    roaming: Roaming, partners: ScriptedPartners, clock: StillClock
) -> None:
    roaming.register_endpoint()
    message_id = uuid4()

    class Killed(BaseException):
        """Ends the process in the middle of the call."""

    def die() -> Reply[AuthorizeAnswer]:
        raise Killed

    def ask() -> Answer:
        return start(
            roaming.cso_speaks,
            "DEABCC00000001",
            kind="PNC_CERTIFICATE",
            message_id=message_id,
        )

    partners.will_authorize(die, YES)
    with pytest.raises(Killed):
        ask()
    at_once = ask()
    clock.forward(seconds=13)
    later = ask()

    asked = [question for _, question in partners.asked]
    assert at_once.code == codes.IN_PROGRESS.number
    assert decision(later)[0] == "AUTHORIZED"
    assert all(isinstance(one, AuthorizeQuestion) for one in asked)
    assert (
        len({one.session_id for one in asked if isinstance(one, AuthorizeQuestion)})
        == 1
    )


def test_csp_has_its_share_of_the_time_counted_from_arrival(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.register_endpoint()
    partners.will_authorize(YES)

    start(roaming.cso_speaks, "DEABCC00000001", kind="PNC_CERTIFICATE")

    (deadline,) = partners.deadlines
    assert 0 <= deadline.remaining_milliseconds() <= 1400


def test_twins_at_the_same_moment_begin_one_session(roaming: Roaming) -> None:
    roaming.list_cards(entry(CARD))
    message_id = uuid4()

    def ask(_: int) -> Answer:
        return start(roaming.cso_speaks, message_id=message_id)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))

    decided = {answer.raw for answer in answers if not answer.is_fault}
    waiting = {answer.code for answer in answers if answer.is_fault}
    assert len(decided) == 1
    assert waiting <= {codes.IN_PROGRESS.number}
    with roaming.env.database.begin_read_only() as tx:
        query = select(func.count()).select_from(session)
        assert tx.execute(query).scalar_one() == 1
