"""Authorization of a stop: by the medium that started, or by the CSP's word."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.sessions import SessionState
from clearinghouse.services.ports import AuthorizeQuestion, TimedOut
from clearinghouse.storage import sessions
from tests.builders import make_cso, make_csp
from tests.fixtures.roaming import CARD, OTHER_CARD, entry
from tests.flows.asking import NO, YES, decision, report, start, stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import AuthorizeAnswer, Reply
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import ScriptedPartners
    from tests.fixtures.roaming import Roaming

#: Two contracts of one user, and what names the first of them.
CONTRACT_VALUE = "DEABCC00000001"
OTHER_CONTRACT = "DEABCC00000002"


def charging_by_list(roaming: Roaming) -> str:
    roaming.list_cards(entry(CARD), entry(OTHER_CARD))
    session_id = start(roaming.cso_speaks).required("sessionId")
    report(roaming.cso_speaks, session_id)
    return session_id


def charging_by_csp(roaming: Roaming, partners: ScriptedPartners) -> str:
    roaming.register_endpoint()
    partners.will_authorize(YES)
    answer = start(roaming.cso_speaks, CONTRACT_VALUE, kind="PNC_CERTIFICATE")
    session_id = answer.required("sessionId")
    report(roaming.cso_speaks, session_id)
    partners.asked.clear()
    return session_id


def stop_by_contract(
    roaming: Roaming, session_id: str, message_id: UUID | None = None
) -> Answer:
    """Ask to stop with another contract of the CSP."""
    return stop(
        roaming.cso_speaks,
        session_id,
        OTHER_CONTRACT,
        kind="PNC_CERTIFICATE",
        message_id=message_id,
    )


def state(env: Environment, session_id: str) -> SessionState:
    with env.database.begin_read_only() as tx:
        session = sessions.session_by_id(tx, UUID(session_id))
    assert session is not None
    return session.state


@pytest.mark.clause("4.3-I3")
def test_medium_that_started_may_stop(roaming: Roaming) -> None:
    session_id = charging_by_list(roaming)

    answer = stop(roaming.cso_speaks, session_id)

    assert decision(answer) == ("AUTHORIZED", None, "LIST")
    assert state(roaming.env, session_id) is SessionState.STOPPING


def test_medium_that_started_may_stop_even_when_blocked_since(
    roaming: Roaming,
) -> None:
    session_id = charging_by_list(roaming)
    roaming.list_cards(entry(CARD, status="BLOCKED"), entry(OTHER_CARD))

    assert decision(stop(roaming.cso_speaks, session_id))[0] == "AUTHORIZED"


def test_other_medium_may_not_stop_what_a_list_started(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    session_id = charging_by_list(roaming)
    roaming.register_endpoint()
    partners.will_authorize(YES)

    answer = stop(roaming.cso_speaks, session_id, OTHER_CARD)

    assert decision(answer) == ("REFUSED", "CREDENTIAL_OTHER_MEDIUM", "LIST")
    assert state(roaming.env, session_id) is SessionState.ACTIVE
    assert not partners.asked


def test_csp_that_authorized_the_start_decides_about_another_medium(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    session_id = charging_by_csp(roaming, partners)
    partners.will_authorize(NO, TimedOut(), YES)

    refused = stop_by_contract(roaming, session_id)
    silent = stop_by_contract(roaming, session_id)
    authorized = stop_by_contract(roaming, session_id)

    asked = partners.asked[0][1]
    assert decision(refused) == ("REFUSED", "CREDENTIAL_REFUSED", "LIVE")
    assert decision(silent) == ("REFUSED", "PARTNER_SILENT", "LIVE")
    assert decision(authorized) == ("AUTHORIZED", None, "LIVE")
    assert isinstance(asked, AuthorizeQuestion)
    assert str(asked.session_id) == session_id
    assert asked.evse_id == "CH*REP*E0001*1"
    assert asked.cso_party == "CHREP"
    assert state(roaming.env, session_id) is SessionState.STOPPING


@pytest.mark.clause("8-min", "8-separate")
def test_card_of_another_csp_and_one_that_nobody_knows_look_alike_to_the_station(
    roaming: Roaming,
    env: Environment,
    partners: ScriptedPartners,
    speaker: Callable[[Participant], Speaker],
) -> None:
    session_id = charging_by_csp(roaming, partners)
    with env.database.begin() as tx:
        other_csp = make_csp(tx, "FRXYZ")
    line = entry(OTHER_CARD, contract="FRXYZC00000001")
    listed = roaming.list_cards(line, speaker=speaker(other_csp))
    partners.will_authorize(YES, YES)

    foreign = stop(roaming.cso_speaks, session_id, OTHER_CARD)
    unknown = stop(roaming.cso_speaks, session_id, "04A1B2C3D4E5FF")

    assert (listed.code, listed.items) == (0, [])
    assert decision(foreign) == ("REFUSED", "CREDENTIAL_OTHER_MEDIUM", "LIVE")
    assert (foreign.code, said(foreign)) == (unknown.code, said(unknown))
    assert not partners.asked
    assert state(env, session_id) is SessionState.ACTIVE


def said(answer: Answer) -> dict[str, str | None]:
    """Return what an answer says beside its result."""
    told = answer.children(answer.element)
    return {name: value for name, value in told.items() if name != "result"}


def test_user_name_alone_does_not_stop_its_session(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.list_cards(entry("ada@example.org", kind="USERNAME"))
    roaming.register_endpoint()
    partners.will_authorize(YES, NO)
    name = "ada@example.org"
    begun = start(roaming.cso_speaks, name, kind="USERNAME", secret="hunter22")
    session_id = begun.required("sessionId")
    report(roaming.cso_speaks, session_id)

    answer = stop(
        roaming.cso_speaks, session_id, name, kind="USERNAME", secret="guessed1"
    )

    assert decision(answer) == ("REFUSED", "CREDENTIAL_REFUSED", "LIVE")


def test_session_that_is_not_there_and_one_of_another_look_alike(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    session_id = charging_by_list(roaming)
    with env.database.begin() as tx:
        other = make_cso(tx, "CHIBA")

    foreign = stop(speaker(other), session_id)
    missing = stop(speaker(other), str(uuid4()))

    assert foreign.code == missing.code == codes.SESSION_UNKNOWN.number
    assert not foreign.is_fault


def test_home_csp_cannot_speak_for_the_station(roaming: Roaming) -> None:
    session_id = charging_by_list(roaming)

    answer = stop(roaming.csp_speaks, session_id)

    assert answer.code == codes.SESSION_UNKNOWN.number


def test_session_that_ended_is_named_by_its_state(roaming: Roaming) -> None:
    session_id = charging_by_list(roaming)
    report(roaming.cso_speaks, session_id, "ENDED")

    assert stop(roaming.cso_speaks, session_id).code == codes.SESSION_IS_ENDED.number


def test_session_that_was_never_started_has_nothing_to_stop(roaming: Roaming) -> None:
    roaming.list_cards(entry(CARD))
    session_id = start(roaming.cso_speaks).required("sessionId")

    answer = stop(roaming.cso_speaks, session_id)

    assert answer.code == codes.SESSION_IS_AUTHORIZED.number


def test_repeated_stop_gets_the_stored_answer(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    session_id = charging_by_csp(roaming, partners)
    partners.will_authorize(YES, NO)
    message_id = uuid4()

    first = stop_by_contract(roaming, session_id, message_id)
    repeat = stop_by_contract(roaming, session_id, message_id)
    other = stop(roaming.cso_speaks, session_id, CARD, message_id=message_id)

    assert repeat.raw == first.raw
    assert len(partners.asked) == 1
    assert other.code == codes.DUPLICATE_CONFLICT.number


def test_end_reported_while_the_csp_is_asked_counts(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    session_id = charging_by_csp(roaming, partners)

    def think() -> Reply[AuthorizeAnswer]:
        report(roaming.cso_speaks, session_id, "ENDED")
        return YES

    partners.will_authorize(think)

    answer = stop_by_contract(roaming, session_id)

    assert answer.code == codes.SESSION_IS_ENDED.number
    assert state(roaming.env, session_id) is SessionState.ENDED
