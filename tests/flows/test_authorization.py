"""Authorization of a start: from the list, by the home CSP, or refused (4.3-I3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode, SilentCsp, Terms
from clearinghouse.domain.authorization import DecisionSource, Verdict
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers import contract_id
from clearinghouse.services.ports import (
    Answered,
    AuthorizeAnswer,
    AuthorizeQuestion,
    Busy,
    Faulted,
    NoEndpoint,
    Refused,
    TimedOut,
    Unreachable,
)
from clearinghouse.storage import agreements, evses, participants
from tests.builders import make_agreement, make_cso, make_csp, make_evse, seconds
from tests.fixtures.engine import credential
from tests.fixtures.roaming import CARD, EVSE, OTHER_CARD, entry
from tests.flows.asking import NO, YES, decision, start, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import Reply
    from tests.fixtures.engine import Speaker
    from tests.fixtures.partners import ScriptedPartners, StillClock
    from tests.fixtures.roaming import Roaming

WEEK_SECONDS = 7 * 86_400
#: What differs from answer to answer, whatever was asked.
ONCE = frozenset({"sessionId", "correlationId"})


def agree(roaming: Roaming, **terms: object) -> None:
    """Replace the agreement by one with these terms."""
    with roaming.env.database.begin() as tx:
        make_agreement(
            tx,
            roaming.cso,
            roaming.csp,
            valid_from=roaming.env.clock.now(),
            terms=Terms(**terms),  # type: ignore[arg-type]  # terms by name
        )


@pytest.mark.clause("4.3-I3")
@pytest.mark.clause("5-B2")
def test_card_on_a_fresh_list_is_authorized_without_asking(
    roaming: Roaming, partners: ScriptedPartners, clock: StillClock
) -> None:
    roaming.list_cards(entry(CARD))
    roaming.register_endpoint()

    answer = start(roaming.cso_speaks)

    session = stored(roaming.env, answer)
    assert answer.code == 0
    assert decision(answer) == ("AUTHORIZED", None, "LIST")
    assert answer.required("cspId") == "DEABC"
    assert answer.required("listVersion") == "1"
    until = datetime.fromisoformat(answer.required("validUntil"))
    assert until == clock.at + timedelta(seconds=300)
    assert session.state is SessionState.AUTHORIZED
    assert session.home_id == roaming.csp.participant_id
    assert session.visited_id == roaming.cso.participant_id
    assert session.agreement_id == roaming.agreement.agreement_id
    assert session.decision_source is DecisionSource.LIST
    assert session.subject_id is not None
    assert not partners.asked


@pytest.mark.clause("4.3-I5/I7")
@pytest.mark.parametrize(
    ("kind", "listed", "presented"),
    [
        ("RFID", "04A1B2C3D4E580", "04:a1:b2:c3:d4:e5:80"),
        ("STATIC_QR", "https://qr.example/7F-a", "https://qr.example/7F-a"),
        ("PNC_CERTIFICATE", "DE-ABC-C00000001-3", "deabcc00000001"),
        ("PNC_CERTIFICATE", "ab" * 32, "AB" * 32),
    ],
)
def test_each_listable_kind_is_found_in_any_spelling(
    roaming: Roaming, kind: str, listed: str, presented: str
) -> None:
    roaming.list_cards(entry(listed, kind=kind))

    answer = start(roaming.cso_speaks, presented, kind=kind)

    assert decision(answer) == ("AUTHORIZED", None, "LIST")


def test_evse_is_found_in_any_spelling(roaming: Roaming) -> None:
    roaming.list_cards(entry(CARD))

    for spelling in ("CH*REP*E0001*1", "chrepe00011", "CH*REPE0001*1"):
        assert start(roaming.cso_speaks, evse=spelling).code == 0


def test_blocked_card_is_refused_whatever_its_csp_would_say(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.list_cards(entry(CARD, status="BLOCKED"))
    roaming.register_endpoint()
    partners.will_authorize(YES)

    answer = start(roaming.cso_speaks)

    session = stored(roaming.env, answer)
    assert decision(answer) == ("REFUSED", "CREDENTIAL_BLOCKED", "LIST")
    assert session.state is SessionState.REFUSED
    assert session.refusal_code == codes.CREDENTIAL_BLOCKED.number
    assert not partners.asked


def test_expired_card_is_refused(roaming: Roaming, clock: StillClock) -> None:
    until = (clock.at + timedelta(hours=1)).isoformat()
    roaming.list_cards(entry(CARD, valid_until=until))

    before = start(roaming.cso_speaks)
    clock.forward(seconds=3600)
    speaker = roaming.cso_speaks.logged_in()

    assert decision(before)[0] == "AUTHORIZED"
    assert decision(start(speaker)) == ("REFUSED", "CREDENTIAL_EXPIRED", "LIST")


def test_unknown_card_is_refused_and_shown_to_nobody(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.list_cards(entry(OTHER_CARD))
    roaming.register_endpoint()
    partners.will_authorize(YES)

    answer = start(roaming.cso_speaks)

    assert decision(answer) == ("REFUSED", "CREDENTIAL_UNKNOWN", None)
    assert not answer.has("cspId")
    assert not partners.asked, "a credential is never broadcast"


@pytest.mark.clause("4.3-I5/I7")
@pytest.mark.parametrize("kind", ["PNC_CERTIFICATE", "STATIC_QR", "DYNAMIC_QR"])
def test_contract_in_the_credential_names_the_csp_to_ask(
    roaming: Roaming, partners: ScriptedPartners, kind: str
) -> None:
    roaming.register_endpoint()
    limits = AuthorizeAnswer(
        verdict=Verdict.AUTHORIZED, valid_until=seconds(120), max_energy_wh=30_000
    )
    partners.will_authorize(Answered(limits))

    answer = start(roaming.cso_speaks, "DE-ABC-C00000001-3", kind=kind)

    ((asked, question),) = partners.asked
    assert decision(answer) == ("AUTHORIZED", None, "LIVE")
    assert answer.required("maxEnergyWh") == "30000"
    assert datetime.fromisoformat(answer.required("validUntil")) == seconds(120)
    assert asked == roaming.csp.participant_id
    assert isinstance(question, AuthorizeQuestion)
    assert str(question.session_id) == answer.required("sessionId")
    assert question.cso_party == "CHREP"
    assert question.evse_id == "CH*REP*E0001*1"
    assert stored(roaming.env, answer).subject_id is not None


def test_alias_of_a_csp_routes_to_it(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.register_endpoint()
    with roaming.env.database.begin() as tx:
        participants.add_alias(tx, roaming.csp.participant_id, "NLTNM")
    partners.will_authorize(YES)
    value = contract_id.format("NLTNMC00000001")

    answer = start(roaming.cso_speaks, value, kind="PNC_CERTIFICATE")

    assert decision(answer) == ("AUTHORIZED", None, "LIVE")


def test_home_csp_may_refuse(roaming: Roaming, partners: ScriptedPartners) -> None:
    roaming.register_endpoint()
    partners.will_authorize(NO, Refused(code=303))

    said_no = start(roaming.cso_speaks, "DEABCC00000001", kind="PNC_CERTIFICATE")
    would_not = start(roaming.cso_speaks, "DEABCC00000001", kind="PNC_CERTIFICATE")

    refused = ("REFUSED", "CREDENTIAL_REFUSED", "LIVE")
    assert decision(said_no) == decision(would_not) == refused


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (TimedOut(), "PARTNER_SILENT"),
        (Unreachable(), "PARTNER_UNREACHABLE"),
        (NoEndpoint(), "PARTNER_UNREACHABLE"),
        (Busy(), "PARTNER_BUSY"),
        (Faulted(took_effect_unknown=True), "PARTNER_FAULT"),
    ],
)
def test_silence_refuses_unless_the_agreement_allows_the_list(
    roaming: Roaming,
    partners: ScriptedPartners,
    clock: StillClock,
    reply: Reply[AuthorizeAnswer],
    reason: str,
) -> None:
    roaming.list_cards(entry(CARD))
    roaming.register_endpoint()
    clock.forward(seconds=2 * 86_400)  # older than fresh, younger than its limit
    speaker = roaming.cso_speaks.logged_in()
    partners.will_authorize(reply, reply)

    closed = start(speaker)
    agree(roaming, silent_csp=SilentCsp.ALLOW_FROM_LIST)
    open_ = start(speaker)

    assert decision(closed) == ("REFUSED", reason, None)
    assert decision(open_) == ("AUTHORIZED", None, "OFFLINE_LIST")
    assert open_.required("listVersion") == "1"
    assert len(partners.asked) == 2


def test_list_older_than_its_limit_never_authorizes(
    roaming: Roaming, partners: ScriptedPartners, clock: StillClock
) -> None:
    agree(roaming, silent_csp=SilentCsp.ALLOW_FROM_LIST)
    roaming.list_cards(entry(CARD))
    roaming.register_endpoint()
    clock.forward(seconds=WEEK_SECONDS + 1)
    partners.will_authorize(TimedOut())

    answer = start(roaming.cso_speaks.logged_in())

    assert decision(answer) == ("REFUSED", "CREDENTIAL_LIST_OLD", "OFFLINE_LIST")


def test_removed_card_is_asked_about_and_not_taken_from_the_list(
    roaming: Roaming, partners: ScriptedPartners
) -> None:
    roaming.list_cards(entry(CARD), entry(OTHER_CARD))
    roaming.list_cards(entry(OTHER_CARD))
    roaming.register_endpoint()
    partners.will_authorize(YES)

    live = start(roaming.cso_speaks)
    silent = start(roaming.cso_speaks)

    assert decision(live) == ("AUTHORIZED", None, "LIVE")
    assert decision(silent) == ("REFUSED", "PARTNER_SILENT", None)


@pytest.mark.parametrize(
    ("kind", "value", "secret"),
    [("USERNAME", "ada@example.org", "hunter22"), ("RFID", CARD, "1234")],
)
def test_password_and_pin_are_checked_by_the_csp_only(
    roaming: Roaming, partners: ScriptedPartners, kind: str, value: str, secret: str
) -> None:
    roaming.list_cards(entry(value, kind=kind))
    roaming.register_endpoint()
    partners.will_authorize(YES, NO)

    right = start(roaming.cso_speaks, value, kind=kind, secret=secret)
    wrong = start(roaming.cso_speaks, value, kind=kind, secret="9" * 8)

    question = partners.asked[0][1]
    assert isinstance(question, AuthorizeQuestion)
    assert question.secret == secret
    assert secret not in repr(question)
    assert value not in repr(question)
    assert decision(right) == ("AUTHORIZED", None, "LIVE")
    assert decision(wrong) == ("REFUSED", "CREDENTIAL_REFUSED", "LIVE")


def test_user_name_alone_opens_nothing(roaming: Roaming) -> None:
    roaming.list_cards(entry("ada@example.org", kind="USERNAME"))

    answer = start(roaming.cso_speaks, "ada@example.org", kind="USERNAME")

    assert decision(answer)[:2] == ("REFUSED", "CREDENTIAL_UNKNOWN")


def test_no_agreement_refuses_and_does_not_tell_whose_card_it_is(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    roaming.list_cards(entry(CARD))
    with env.database.begin() as tx:
        stranger = make_cso(tx, "CHIBA")
        evses.apply_delta(
            tx,
            stranger.participant_id,
            upserts=[make_evse("CH*IBA*E1")],
            removals=[],
        )

    answer = start(speaker(stranger), evse="CH*IBA*E1")

    assert decision(answer) == ("REFUSED", "CREDENTIAL_UNKNOWN", None)
    assert not answer.has("cspId")
    assert b"DEABC" not in answer.raw


@pytest.mark.clause("8-min")
def test_cso_without_agreement_cannot_tell_an_enrolled_card_from_another(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    roaming.list_cards(entry(CARD), entry(OTHER_CARD, status="BLOCKED"))
    roaming.register_endpoint()
    with env.database.begin() as tx:
        stranger = make_cso(tx, "CHIBA")
        evses.apply_delta(
            tx,
            stranger.participant_id,
            upserts=[make_evse("CH*IBA*E1")],
            removals=[],
        )
    client = speaker(stranger)

    answers = [
        start(client, presented, evse="CH*IBA*E1")
        for presented in (CARD, OTHER_CARD, "04A1B2C3D4E5FF")
    ]

    told = {
        tuple(
            (etree.QName(one).localname, one.text)
            for one in answer.element.iter()
            if etree.QName(one).localname not in ONCE
        )
        for answer in answers
    }
    assert len(told) == 1
    assert decision(answers[0]) == ("REFUSED", "CREDENTIAL_UNKNOWN", None)


@pytest.mark.clause("5-A")
@pytest.mark.clause("5-C1/C2")
@pytest.mark.parametrize(
    ("mode", "verdict"), [(Mode.A, "REFUSED"), (Mode.B2, "AUTHORIZED")]
)
def test_mode_says_whether_authorization_goes_through_us(
    roaming: Roaming, clock: StillClock, mode: Mode, verdict: str
) -> None:
    with roaming.env.database.begin() as tx:
        make_agreement(tx, roaming.cso, roaming.csp, valid_from=clock.at, mode=mode)
    roaming.list_cards(entry(CARD))

    answer = start(roaming.cso_speaks)

    assert decision(answer)[0] == verdict
    if mode is Mode.A:
        assert decision(answer)[1] == "MODE_NOT_AGREED"


def test_card_of_a_suspended_csp_is_refused(roaming: Roaming) -> None:
    roaming.list_cards(entry(CARD))
    with roaming.env.database.begin() as tx:
        participants.set_status(
            tx, roaming.csp.participant_id, ParticipantStatus.SUSPENDED
        )

    answer = start(roaming.cso_speaks)

    assert decision(answer)[:2] == ("REFUSED", "PARTICIPANT_SUSPENDED")


def test_agreement_counts_from_and_until_its_instants(
    roaming: Roaming, clock: StillClock
) -> None:
    roaming.list_cards(entry(CARD))
    with roaming.env.database.begin() as tx:
        agreements.end_agreement(tx, roaming.agreement.agreement_id, at=seconds(10))

    clock.forward(seconds=9)
    before = start(roaming.cso_speaks)
    clock.forward(seconds=1)
    after = start(roaming.cso_speaks)

    assert decision(before)[0] == "AUTHORIZED"
    assert decision(after)[:2] == ("REFUSED", "CREDENTIAL_UNKNOWN")


@pytest.mark.parametrize("evse", ["CH*REP*E9999", "CH*IBA*E1"])
def test_evse_that_is_not_there_and_one_of_another_look_alike(
    roaming: Roaming, env: Environment, evse: str
) -> None:
    roaming.list_cards(entry(CARD))
    with env.database.begin() as tx:
        other = make_cso(tx, "CHIBA")
        evses.apply_delta(
            tx, other.participant_id, upserts=[make_evse("CH*IBA*E1")], removals=[]
        )

    answer = start(roaming.cso_speaks, evse=evse)

    assert answer.code == codes.EVSE_UNKNOWN.number
    assert not answer.is_fault
    assert not answer.has("decision")


def test_evse_that_its_operator_removed_is_no_evse(
    roaming: Roaming, env: Environment
) -> None:
    roaming.list_cards(entry(CARD))
    assert start(roaming.cso_speaks).code == 0
    with env.database.begin() as tx:
        evses.apply_delta(
            tx, roaming.cso.participant_id, upserts=[], removals=["CHREPE00011"]
        )

    local = start(roaming.cso_speaks)
    remote = roaming.csp_speaks.call(
        "session", "StartSession", f"<evseId>{EVSE}</evseId>{credential(CARD)}"
    )

    assert local.code == remote.code == codes.EVSE_UNKNOWN.number


@pytest.mark.clause("4.2-visited")
def test_visited_csp_speaks_for_the_operator_it_collects_from(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    roaming.list_cards(entry(CARD))
    with env.database.begin() as tx:
        visited = make_csp(tx, "NLTNM")
        make_agreement(tx, visited, roaming.csp)

    before = start(speaker(visited))
    with env.database.begin() as tx:
        make_agreement(tx, roaming.cso, visited)
    as_guest = start(speaker(visited))
    with env.database.begin() as tx:
        make_agreement(tx, roaming.cso, visited, terms=Terms(collects=True))
    after = start(speaker(visited))

    assert before.code == as_guest.code == codes.EVSE_UNKNOWN.number
    assert decision(after) == ("AUTHORIZED", None, "LIST")
    assert stored(env, after).visited_id == visited.participant_id


@pytest.mark.parametrize(
    ("evse", "value", "code"),
    [
        ("CHSWIE16970", CARD, codes.EVSE_UNKNOWN),
        ("CHESWIE16970", CARD, codes.EVSE_MALFORMED),
        (EVSE, "04A1B2", codes.CREDENTIAL_MALFORMED),
    ],
)
def test_malformed_identifiers_are_told_what_to_change(
    roaming: Roaming, evse: str, value: str, code: codes.Code
) -> None:
    answer = start(roaming.cso_speaks, value, evse=evse)

    assert answer.code == code.number
    if code is codes.EVSE_MALFORMED:
        assert "write CH*SWI*E16970" in answer.items[0]["expected"]
    assert CARD not in str(answer.items)
