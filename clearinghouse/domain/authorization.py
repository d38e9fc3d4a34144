"""Authorization: may this credential charge here? A pure decision.

Order (contract), between partners with an agreement: blocked; credential issued by the
clearing house; the CSP's uploaded list; a live question to the CSP that owns the
credential; otherwise refuse. A credential is never broadcast, and without an agreement
nothing is told of it.
Clauses 4.3-I3 and 5-B1 to 5-C2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import (
    Agreement,
    Module,
    SilentCsp,
    goes_through,
    issued_by_clearing_house,
)
from clearinghouse.domain.credentials import CredentialStatus, ListedCredential
from clearinghouse.identifiers.credential import CredentialKind

#: How long an authorization waits for the plug; afterwards the session expires.
PLUG_IN_WINDOW_SECONDS = 300


class Verdict(StrEnum):
    """Whether the user may charge (or stop)."""

    AUTHORIZED = "AUTHORIZED"
    REFUSED = "REFUSED"


class DecisionSource(StrEnum):
    """Who or what decided."""

    CLEARING_HOUSE = "CLEARING_HOUSE"
    LIST = "LIST"
    LIVE = "LIVE"
    OFFLINE_LIST = "OFFLINE_LIST"


class LiveOutcome(StrEnum):
    """How the question to the home CSP ended."""

    AUTHORIZED = "AUTHORIZED"
    REFUSED = "REFUSED"
    SILENT = "SILENT"  #: no answer in time: unknown, not no
    UNREACHABLE = "UNREACHABLE"  #: no connection, or the breaker is open
    BUSY = "BUSY"  #: all slots to this partner are taken
    FAULTED = "FAULTED"  #: an answer that is none


_WITHOUT_ANSWER = {
    LiveOutcome.SILENT: codes.PARTNER_SILENT,
    LiveOutcome.UNREACHABLE: codes.PARTNER_UNREACHABLE,
    LiveOutcome.BUSY: codes.PARTNER_BUSY,
    LiveOutcome.FAULTED: codes.PARTNER_FAULT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAnswer:
    """What the home CSP said, or that it said nothing."""

    outcome: LiveOutcome
    valid_until: datetime | None = None
    max_energy_wh: int | None = None
    max_duration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFacts:
    """The CSP that owns the credential, seen from the visited partner.

    ``agreement`` is the one in force now; ``can_be_asked``: it registered an endpoint.
    """

    participant_id: int
    is_active: bool
    agreement: Agreement | None
    can_be_asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationFacts:
    """All that the decision rests on.

    ``home`` is found by the list entry, else by the provider part of a contract id and
    the assignment table; ``None`` when nobody is known to own the credential.
    ``secret_matches``: whether PIN or password fit; ``None`` when none is stored.
    """

    kind: CredentialKind
    home: HomeFacts | None
    listed: ListedCredential | None = None
    secret_matches: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to the station; ``reason`` is the code of a refusal, else ``OK``."""

    verdict: Verdict
    reason: Code
    source: DecisionSource | None = None
    home_id: int | None = None
    agreement_id: int | None = None
    list_version: int | None = None
    valid_until: datetime | None = None
    max_energy_wh: int | None = None
    max_duration_seconds: int | None = None

    @property
    def is_authorized(self) -> bool:
        """Whether the user may charge (or stop)."""
        return self.verdict is Verdict.AUTHORIZED


@dataclass(frozen=True, slots=True, kw_only=True)
class AskHome:
    """The facts do not decide: ask this CSP, then call :func:`conclude`."""

    home_id: int
    agreement_id: int | None


def decide(facts: AuthorizationFacts, *, now: datetime) -> Decision | AskHome:
    """Decide from what is known here, or name the CSP that has to be asked."""
    refusal = _refusal(facts)
    if refusal is not None:
        return refusal
    home, agreement = _parties(facts)
    if issued_by_clearing_house(agreement.mode):
        return _decide_from_own(facts, now)
    decision = _decide_from_list(facts, now)
    if decision is not None:
        return decision
    if home.can_be_asked:
        return AskHome(home_id=home.participant_id, agreement_id=agreement.agreement_id)
    listed = _usable_entry(facts) is not None
    reason = codes.CREDENTIAL_LIST_OLD if listed else codes.CREDENTIAL_UNKNOWN
    return _refuse(facts, reason)


def conclude(
    facts: AuthorizationFacts, answer: LiveAnswer, *, now: datetime
) -> Decision:
    """Decide after the home CSP was asked; silence is for the agreement to judge."""
    if answer.outcome is LiveOutcome.AUTHORIZED:
        return _allow(facts, DecisionSource.LIVE, now, answer)
    if answer.outcome is LiveOutcome.REFUSED:
        return _refuse(facts, codes.CREDENTIAL_REFUSED, DecisionSource.LIVE)
    _, agreement = _parties(facts)
    silence = _WITHOUT_ANSWER[answer.outcome]
    entry = _usable_entry(facts)
    if entry is None or agreement.terms.silent_csp is SilentCsp.REFUSE:
        return _refuse(facts, silence)
    if entry.age_seconds(now) > agreement.terms.list_age_limit_seconds:
        return _refuse(facts, codes.CREDENTIAL_LIST_OLD, DecisionSource.OFFLINE_LIST)
    return _allow(facts, DecisionSource.OFFLINE_LIST, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFacts:
    """Who may stop: ``started_by`` is ``None`` for a remote start.

    ``same_medium``: the credential is the one that started. ``owner_id``: the CSP that
    owns the credential now presented, ``None`` when nobody is known to own it;
    ``can_be_asked`` is about the session's CSP.
    """

    home_id: int
    started_by: DecisionSource | None
    same_medium: bool
    owner_id: int | None
    can_be_asked: bool


def decide_stop(facts: StopFacts) -> Decision | AskHome:
    """Decide whether a credential may stop a session.

    The medium that started may always stop, even when blocked since. Another medium of
    the same CSP may only when that CSP itself decided the start, and then it is asked:
    a list cannot know which media belong to one user.

    What another CSP owns and what nobody knows are one: refused alike, and nobody is
    asked about either. So the station does not learn whether a card is enrolled with
    another CSP, and no CSP gets a credential that is not its own (clauses 8-min,
    8-separate).
    """
    if facts.same_medium:
        return Decision(
            verdict=Verdict.AUTHORIZED,
            reason=codes.OK,
            source=facts.started_by,
            home_id=facts.home_id,
        )
    asked_csp = facts.started_by in (None, DecisionSource.LIVE)
    if asked_csp and facts.can_be_asked and facts.owner_id == facts.home_id:
        return AskHome(home_id=facts.home_id, agreement_id=None)
    return Decision(
        verdict=Verdict.REFUSED,
        reason=codes.CREDENTIAL_OTHER_MEDIUM,
        source=facts.started_by,
        home_id=facts.home_id,
    )


def conclude_stop(facts: StopFacts, answer: LiveAnswer) -> Decision:
    """Decide a stop after the home CSP was asked; without an answer it is refused."""
    authorized = answer.outcome is LiveOutcome.AUTHORIZED
    refusal = _WITHOUT_ANSWER.get(answer.outcome, codes.CREDENTIAL_REFUSED)
    return Decision(
        verdict=Verdict.AUTHORIZED if authorized else Verdict.REFUSED,
        reason=codes.OK if authorized else refusal,
        source=DecisionSource.LIVE,
        home_id=facts.home_id,
    )


def _refusal(facts: AuthorizationFacts) -> Decision | None:
    """Refuse what is blocked, what nobody can answer for, and a wrong secret.

    A visited partner without an agreement with the home CSP is told what it is told of
    a credential that nobody knows: it must not learn by asking who enrolled a card, or
    what its CSP says of it (clause 8-min). Nor is such a refusal the home CSP's affair.
    """
    home, listed = facts.home, facts.listed
    if home is None or home.agreement is None:
        return Decision(verdict=Verdict.REFUSED, reason=codes.CREDENTIAL_UNKNOWN)
    if listed is not None and listed.status is CredentialStatus.BLOCKED:
        return _refuse(facts, codes.CREDENTIAL_BLOCKED, DecisionSource.LIST)
    if not home.is_active:
        return _refuse(facts, codes.PARTICIPANT_SUSPENDED)
    if not goes_through(home.agreement.mode, Module.AUTHORIZATION):
        return _refuse(facts, codes.MODE_NOT_AGREED)
    if facts.secret_matches is False:
        return _refuse(facts, codes.CREDENTIAL_SECRET, DecisionSource.LIST)
    return None


def _parties(facts: AuthorizationFacts) -> tuple[HomeFacts, Agreement]:
    """Return home CSP and agreement; a caller that comes this far has both."""
    if facts.home is None or facts.home.agreement is None:
        raise ValueError("no home CSP or no agreement: decide() refuses first")
    return facts.home, facts.home.agreement


def _decide_from_own(facts: AuthorizationFacts, now: datetime) -> Decision:
    """Decide on a credential of the clearing house: its own list is the truth."""
    source = DecisionSource.CLEARING_HOUSE
    entry = _usable_entry(facts)
    if entry is None:
        return _refuse(facts, codes.CREDENTIAL_UNKNOWN, source)
    if entry.is_expired(now):
        return _refuse(facts, codes.CREDENTIAL_EXPIRED, source)
    return _allow(facts, source, now)


def _decide_from_list(facts: AuthorizationFacts, now: datetime) -> Decision | None:
    """Decide from the CSP's list; ``None``: not listed, or the list is too old."""
    entry = _usable_entry(facts)
    if entry is None:
        return None
    if entry.is_expired(now):
        return _refuse(facts, codes.CREDENTIAL_EXPIRED, DecisionSource.LIST)
    home, agreement = _parties(facts)
    if entry.age_seconds(now) > _age_limit_seconds(agreement, home):
        return None
    return _allow(facts, DecisionSource.LIST, now)


def _usable_entry(facts: AuthorizationFacts) -> ListedCredential | None:
    """Return the list entry that may decide.

    A dynamic code is for one use, so that no list can hold it.
    """
    listed = facts.listed
    if listed is None or facts.kind is CredentialKind.DYNAMIC_QR:
        return None
    return listed if listed.status is CredentialStatus.VALID else None


def _age_limit_seconds(agreement: Agreement, home: HomeFacts) -> int:
    """Return up to which age the list decides without asking.

    A CSP that cannot be asked has said all it will say in its list: the outer limit
    counts. No list older than that limit ever authorizes.
    """
    limit_seconds = agreement.terms.list_age_limit_seconds
    if not home.can_be_asked:
        return limit_seconds
    return min(agreement.terms.list_fresh_seconds, limit_seconds)


def _allow(
    facts: AuthorizationFacts,
    source: DecisionSource,
    now: datetime,
    answer: LiveAnswer | None = None,
) -> Decision:
    home, agreement = _parties(facts)
    entry = facts.listed if source is not DecisionSource.LIVE else None
    limits = (
        now + timedelta(seconds=PLUG_IN_WINDOW_SECONDS),
        None if entry is None else entry.valid_until,
        None if answer is None else answer.valid_until,
    )
    return Decision(
        verdict=Verdict.AUTHORIZED,
        reason=codes.OK,
        source=source,
        home_id=home.participant_id,
        agreement_id=agreement.agreement_id,
        list_version=None if entry is None else entry.list_version,
        valid_until=min(limit for limit in limits if limit is not None),
        max_energy_wh=None if answer is None else answer.max_energy_wh,
        max_duration_seconds=None if answer is None else answer.max_duration_seconds,
    )


def _refuse(
    facts: AuthorizationFacts, reason: Code, source: DecisionSource | None = None
) -> Decision:
    home, agreement = _parties(facts)
    from_list = source not in (None, DecisionSource.LIVE)
    entry = facts.listed if from_list else None
    return Decision(
        verdict=Verdict.REFUSED,
        reason=reason,
        source=source,
        home_id=home.participant_id,
        agreement_id=agreement.agreement_id,
        list_version=None if entry is None else entry.list_version,
    )
