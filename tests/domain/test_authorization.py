"""The authorization decision: its order, its reasons, and silence."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import Agreement, Mode, SilentCsp, Terms
from clearinghouse.domain.authorization import (
    PLUG_IN_WINDOW_SECONDS,
    AskHome,
    AuthorizationFacts,
    Decision,
    DecisionSource,
    HomeFacts,
    LiveAnswer,
    LiveOutcome,
    StopFacts,
    Verdict,
    conclude,
    conclude_stop,
    decide,
    decide_stop,
)
from clearinghouse.domain.credentials import CredentialStatus, ListedCredential
from clearinghouse.identifiers.credential import CredentialKind
from tests.domain.builders import HOME_ID, NOW, OTHER_ID, make_agreement, seconds

HOUR = 3600
ALLOW = Terms(silent_csp=SilentCsp.ALLOW_FROM_LIST, list_age_limit_seconds=48 * HOUR)
SILENT = LiveAnswer(outcome=LiveOutcome.SILENT)


def make_entry(
    *,
    status: CredentialStatus = CredentialStatus.VALID,
    age_seconds: int = HOUR,
    ends_in_seconds: int | None = None,
) -> ListedCredential:
    ends = None if ends_in_seconds is None else NOW + seconds(ends_in_seconds)
    return ListedCredential(
        subject_id=11,
        csp_id=HOME_ID,
        status=status,
        list_version=3,
        confirmed_at=NOW - seconds(age_seconds),
        valid_until=ends,
    )


def make_home(
    agreement: Agreement | None = None,
    *,
    is_active: bool = True,
    can_be_asked: bool = True,
) -> HomeFacts:
    return HomeFacts(
        participant_id=HOME_ID,
        is_active=is_active,
        agreement=agreement or make_agreement(),
        can_be_asked=can_be_asked,
    )


def question(
    home: HomeFacts | None,
    listed: ListedCredential | None = None,
    *,
    kind: CredentialKind = CredentialKind.RFID,
    secret_matches: bool | None = None,
) -> AuthorizationFacts:
    return AuthorizationFacts(
        kind=kind, home=home, listed=listed, secret_matches=secret_matches
    )


def decided(answer: Decision | AskHome) -> Decision:
    assert isinstance(answer, Decision)
    return answer


@pytest.mark.clause("5-B2")
def test_listed_credential_is_authorized_from_the_list() -> None:
    decision = decided(decide(question(make_home(), make_entry()), now=NOW))

    assert decision.is_authorized
    assert decision.source is DecisionSource.LIST
    assert (decision.home_id, decision.agreement_id, decision.list_version) == (1, 7, 3)
    assert decision.reason is codes.OK
    assert decision.valid_until == NOW + seconds(PLUG_IN_WINDOW_SECONDS)


def test_authorization_ends_with_the_credential() -> None:
    entry = make_entry(ends_in_seconds=60)

    decision = decided(decide(question(make_home(), entry), now=NOW))

    assert decision.valid_until == NOW + seconds(60)


def test_blocked_goes_before_everything_else() -> None:
    blocked = make_entry(status=CredentialStatus.BLOCKED)

    for home in (
        make_home(is_active=False),
        make_home(make_agreement(mode=Mode.A)),
        make_home(),
    ):
        decision = decided(decide(question(home, blocked), now=NOW))
        assert decision.verdict is Verdict.REFUSED
        assert decision.reason is codes.CREDENTIAL_BLOCKED


@pytest.mark.clause("8-min")
@pytest.mark.parametrize("kind", CredentialKind)
@pytest.mark.parametrize("status", [None, *CredentialStatus])
def test_without_an_agreement_every_credential_is_one_that_nobody_knows(
    kind: CredentialKind, status: CredentialStatus | None
) -> None:
    listed = None if status is None else make_entry(status=status)
    nobody = decided(decide(question(None, kind=kind), now=NOW))

    for is_active, can_be_asked, secret_matches in product(
        (True, False), (True, False), (None, True, False)
    ):
        stranger = HomeFacts(
            participant_id=HOME_ID,
            is_active=is_active,
            agreement=None,
            can_be_asked=can_be_asked,
        )
        facts = question(stranger, listed, kind=kind, secret_matches=secret_matches)
        assert decide(facts, now=NOW) == nobody

    assert nobody.reason is codes.CREDENTIAL_UNKNOWN


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        (None, codes.CREDENTIAL_UNKNOWN),
        (make_home(is_active=False), codes.PARTICIPANT_SUSPENDED),
        (make_home(make_agreement(mode=Mode.A)), codes.MODE_NOT_AGREED),
    ],
)
def test_refuses_when_nobody_can_answer(home: HomeFacts | None, reason: Code) -> None:
    decision = decided(decide(question(home, make_entry()), now=NOW))

    assert decision.reason is reason
    assert decision.source is None


@pytest.mark.clause("5-B2")
@pytest.mark.parametrize("entry", [None, make_entry(age_seconds=25 * HOUR)])
def test_asks_the_csp_when_no_fresh_list_decides(
    entry: ListedCredential | None,
) -> None:
    asked = decide(question(make_home(), entry), now=NOW)

    assert asked == AskHome(home_id=HOME_ID, agreement_id=7)


def test_asks_the_csp_about_a_removed_credential() -> None:
    removed = make_entry(status=CredentialStatus.REMOVED)

    assert isinstance(decide(question(make_home(), removed), now=NOW), AskHome)


def test_dynamic_code_is_never_decided_from_a_list() -> None:
    facts = question(make_home(), make_entry(), kind=CredentialKind.DYNAMIC_QR)

    assert isinstance(decide(facts, now=NOW), AskHome)


def test_list_of_a_csp_that_cannot_be_asked_decides_up_to_the_limit() -> None:
    home = make_home(make_agreement(terms=ALLOW), can_be_asked=False)

    young = decide(question(home, make_entry(age_seconds=47 * HOUR)), now=NOW)
    old = decide(question(home, make_entry(age_seconds=49 * HOUR)), now=NOW)
    none = decide(question(home), now=NOW)

    assert decided(young).source is DecisionSource.LIST
    assert decided(old).reason is codes.CREDENTIAL_LIST_OLD
    assert decided(none).reason is codes.CREDENTIAL_UNKNOWN


def test_expired_credential_is_refused() -> None:
    entry = make_entry(ends_in_seconds=0)

    decision = decided(decide(question(make_home(), entry), now=NOW))

    assert decision.reason is codes.CREDENTIAL_EXPIRED


@pytest.mark.clause("4.3-I5/I7")
def test_wrong_secret_is_refused() -> None:
    facts = question(
        make_home(), make_entry(), kind=CredentialKind.USERNAME, secret_matches=False
    )

    assert decided(decide(facts, now=NOW)).reason is codes.CREDENTIAL_SECRET


@pytest.mark.clause("5-B1", "5-C1/C2")
@pytest.mark.parametrize("mode", [Mode.B1, Mode.C1])
def test_clearing_house_decides_on_its_own_credentials_alone(mode: Mode) -> None:
    home = make_home(make_agreement(mode=mode))
    old = make_entry(age_seconds=1000 * HOUR)

    known = decided(decide(question(home, old), now=NOW))
    unknown = decided(decide(question(home), now=NOW))
    expired = decided(decide(question(home, make_entry(ends_in_seconds=0)), now=NOW))

    assert known.is_authorized
    assert known.source is DecisionSource.CLEARING_HOUSE
    assert unknown.reason is codes.CREDENTIAL_UNKNOWN
    assert expired.reason is codes.CREDENTIAL_EXPIRED


def test_csp_authorizes_with_limits() -> None:
    answer = LiveAnswer(
        outcome=LiveOutcome.AUTHORIZED,
        valid_until=NOW + seconds(30),
        max_energy_wh=20_000,
        max_duration_seconds=HOUR,
    )

    decision = conclude(question(make_home()), answer, now=NOW)

    assert decision.source is DecisionSource.LIVE
    assert decision.valid_until == NOW + seconds(30)
    assert (decision.max_energy_wh, decision.max_duration_seconds) == (20_000, HOUR)
    assert decision.list_version is None


def test_csp_refuses_even_what_it_listed() -> None:
    facts = question(make_home(make_agreement(terms=ALLOW)), make_entry())

    decision = conclude(facts, LiveAnswer(outcome=LiveOutcome.REFUSED), now=NOW)

    assert decision.reason is codes.CREDENTIAL_REFUSED
    assert decision.source is DecisionSource.LIVE


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (LiveOutcome.SILENT, codes.PARTNER_SILENT),
        (LiveOutcome.UNREACHABLE, codes.PARTNER_UNREACHABLE),
        (LiveOutcome.BUSY, codes.PARTNER_BUSY),
        (LiveOutcome.FAULTED, codes.PARTNER_FAULT),
    ],
)
def test_silence_refuses_unless_the_agreement_allows(
    outcome: LiveOutcome, reason: Code
) -> None:
    facts = question(make_home(), make_entry(age_seconds=25 * HOUR))

    assert conclude(facts, LiveAnswer(outcome=outcome), now=NOW).reason is reason


def test_silence_is_bridged_by_a_list_within_the_limit() -> None:
    home = make_home(make_agreement(terms=ALLOW))

    young = conclude(question(home, make_entry(age_seconds=48 * HOUR)), SILENT, now=NOW)
    old = conclude(
        question(home, make_entry(age_seconds=48 * HOUR + 1)), SILENT, now=NOW
    )
    unlisted = conclude(question(home), SILENT, now=NOW)

    assert young.source is DecisionSource.OFFLINE_LIST
    assert young.list_version == make_entry().list_version
    assert old.reason is codes.CREDENTIAL_LIST_OLD
    assert unlisted.reason is codes.PARTNER_SILENT


def stop(
    source: DecisionSource | None,
    *,
    same_medium: bool = False,
    owner_id: int | None = HOME_ID,
) -> Decision | AskHome:
    return decide_stop(
        StopFacts(
            home_id=HOME_ID,
            started_by=source,
            same_medium=same_medium,
            owner_id=owner_id,
            can_be_asked=True,
        )
    )


@pytest.mark.parametrize("source", [None, *DecisionSource])
def test_medium_that_started_may_stop(source: DecisionSource | None) -> None:
    assert decided(stop(source, same_medium=True)).is_authorized


@pytest.mark.parametrize(
    "source",
    [DecisionSource.LIST, DecisionSource.OFFLINE_LIST, DecisionSource.CLEARING_HOUSE],
)
def test_other_medium_may_not_stop_what_a_list_started(source: DecisionSource) -> None:
    decision = decided(stop(source))

    assert decision.reason is codes.CREDENTIAL_OTHER_MEDIUM


@pytest.mark.parametrize("source", [None, DecisionSource.LIVE])
def test_csp_is_asked_about_another_medium_of_its_own(
    source: DecisionSource | None,
) -> None:
    assert isinstance(stop(source), AskHome)


@pytest.mark.clause("8-min", "8-separate")
@pytest.mark.parametrize("source", [None, *DecisionSource])
def test_medium_of_another_csp_and_one_that_nobody_knows_are_refused_alike(
    source: DecisionSource | None,
) -> None:
    foreign = decided(stop(source, owner_id=OTHER_ID))
    unknown = decided(stop(source, owner_id=None))

    assert foreign == unknown
    assert foreign.reason is codes.CREDENTIAL_OTHER_MEDIUM


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (LiveOutcome.AUTHORIZED, codes.OK),
        (LiveOutcome.REFUSED, codes.CREDENTIAL_REFUSED),
        (LiveOutcome.SILENT, codes.PARTNER_SILENT),
    ],
)
def test_stop_is_concluded_by_the_answer(outcome: LiveOutcome, reason: Code) -> None:
    facts = StopFacts(
        home_id=HOME_ID,
        started_by=DecisionSource.LIVE,
        same_medium=False,
        owner_id=None,
        can_be_asked=True,
    )

    decision = conclude_stop(facts, LiveAnswer(outcome=outcome))

    assert decision.reason is reason
    assert decision.is_authorized is (reason is codes.OK)


ENTRIES = st.none() | st.builds(
    make_entry,
    status=st.sampled_from(CredentialStatus),
    age_seconds=st.integers(0, 100 * HOUR),
    ends_in_seconds=st.none() | st.integers(-HOUR, HOUR),
)
TERMS = st.builds(
    Terms,
    silent_csp=st.sampled_from(SilentCsp),
    list_age_limit_seconds=st.integers(0, 90 * HOUR),
    list_fresh_seconds=st.integers(0, 90 * HOUR),
)
HOMES = st.none() | st.builds(
    make_home,
    st.builds(make_agreement, mode=st.sampled_from([Mode.B2, Mode.C2]), terms=TERMS),
    is_active=st.booleans(),
    can_be_asked=st.booleans(),
)
QUESTIONS = st.builds(question, HOMES, ENTRIES, kind=st.sampled_from(CredentialKind))
ANSWERS = st.builds(LiveAnswer, outcome=st.sampled_from(LiveOutcome))


@given(facts=QUESTIONS, answer=ANSWERS)
def test_authorizes_only_what_a_csp_or_a_young_list_vouches_for(
    facts: AuthorizationFacts, answer: LiveAnswer
) -> None:
    decision = decide(facts, now=NOW)
    if isinstance(decision, AskHome):
        decision = conclude(facts, answer, now=NOW)
    if not decision.is_authorized:
        assert decision.reason is not codes.OK
        return

    assert facts.home is not None
    assert facts.home.agreement is not None
    assert decision.valid_until is not None
    if decision.source is DecisionSource.LIVE:
        assert answer.outcome is LiveOutcome.AUTHORIZED
        return
    entry = facts.listed
    assert entry is not None
    assert entry.status is CredentialStatus.VALID
    limit = timedelta(seconds=facts.home.agreement.terms.list_age_limit_seconds)
    assert NOW - entry.confirmed_at <= limit
    assert entry.valid_until is None or entry.valid_until > NOW
