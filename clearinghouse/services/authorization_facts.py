"""What an authorization rests on: who operates, who owns, what is listed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.agreements import in_force
from clearinghouse.domain.authorization import (
    AuthorizationFacts,
    LiveAnswer,
    LiveOutcome,
    StopFacts,
    Verdict,
)
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sessions import Session
from clearinghouse.identifiers import credential
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.services.environment import Environment
from clearinghouse.services.ports import (
    Answered,
    AuthorizeAnswer,
    Busy,
    Faulted,
    NoEndpoint,
    Refused,
    Reply,
    TimedOut,
    Unreachable,
)
from clearinghouse.storage import agreements, authorization, participants
from clearinghouse.storage.authorization import Question
from clearinghouse.storage.vault import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A credential as a user presents it, in canonical form; personal."""

    kind: CredentialKind
    value: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who presents a credential, as far as the vault knows: by pseudonym."""

    presented: Presented
    known: Found | None

    @property
    def subject_id(self) -> int | None:
        """The pseudonym, ``None`` when nobody enrolled the credential."""
        return None if self.known is None else self.known.subject_id


def recognise(env: Environment, presented: Presented) -> Holder:
    """Look a presented credential up in the vault."""
    kind = SubjectKind(presented.kind)
    found = env.vault.find_subjects(kind, [presented.value])
    return Holder(presented=presented, known=found.get(presented.value))


def enrolled(env: Environment, home_id: int, presented: Presented) -> int | None:
    """Give a credential that its CSP just vouched for a pseudonym.

    ``None`` when another CSP has listed it meanwhile.
    """
    enrolment = env.vault.enrol(
        home_id,
        SubjectKind(presented.kind),
        [presented.value],
        at=env.clock.now(),
    )
    return enrolment.subjects.get(presented.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question with its facts; ``home_party`` is who owns the credential."""

    operator_id: int
    home_party: str | None
    facts: AuthorizationFacts


def case_of(
    tx: Connection,
    sender: Sender,
    evse_id: EvseId,
    holder: Holder,
    *,
    at: datetime,
) -> Case:
    """Return all that the decision about a start rests on.

    Raises :class:`ClearingHouseError` (``EVSE_UNKNOWN``) for an EVSE that is not there
    or that the sender may not speak for.
    """
    question = Question(
        kind=holder.presented.kind,
        visited_id=sender.participant_id,
        evse_key=evse_id.key,
        subject_id=holder.subject_id,
        provider_id=_owner(tx, holder),
        at=at,
    )
    station = authorization.station(tx, question)
    if station.operator_id is None or not _may_speak_for(
        tx, sender, station.operator_id, at=at
    ):
        raise ClearingHouseError(codes.EVSE_UNKNOWN, "not there, or another's")
    return Case(
        operator_id=station.operator_id,
        home_party=station.home_party,
        facts=_without_secrets(station.facts, holder.presented),
    )


def stop_facts_of(
    tx: Connection, session: Session, holder: Holder, *, at: datetime
) -> StopFacts:
    """Return all that the decision about a stop rests on.

    A user name is no medium: whoever knows it is not therefore its user.
    """
    if session.home_id is None:
        raise ClearingHouseError(codes.INTERNAL, "a session in use without a home CSP")
    home = authorization.home_facts(tx, session.home_id, session.visited_id, at=at)
    return StopFacts(
        home_id=session.home_id,
        started_by=session.decision_source,
        same_medium=(
            holder.subject_id is not None
            and holder.subject_id == session.subject_id
            and holder.presented.kind is not CredentialKind.USERNAME
        ),
        owner_id=_owner(tx, holder),
        can_be_asked=home is not None and home.is_active and home.can_be_asked,
    )


def _may_speak_for(
    tx: Connection, sender: Sender, operator_id: int, *, at: datetime
) -> bool:
    """Say whether the sender is the operator, or a visited CSP that collects from it.

    The latter by an agreement that says so (clause 4.2-visited).
    """
    if operator_id == sender.participant_id:
        return True
    if Role.CSP not in sender.roles:
        return False
    collected = agreements.agreements_to_collect(tx, sender.participant_id)
    versions = (one for one in collected if one.visited_id == operator_id)
    return in_force(versions, at) is not None


def _owner(tx: Connection, holder: Holder) -> int | None:
    """Return which CSP owns a credential, by assignment or by the contract id in it."""
    if holder.known is not None:
        return holder.known.owner_id
    presented = holder.presented
    provider = credential.provider_of(presented.kind, presented.value)
    if provider is None:
        return None
    return participants.owners_of_aliases(tx, [provider]).get(provider)


def _without_secrets(
    facts: AuthorizationFacts, presented: Presented
) -> AuthorizationFacts:
    """Keep a list from deciding about what only its CSP can check.

    Lists hold no passwords: a user name alone proves nothing, and a PIN that was typed
    in has to be looked at by somebody. A blocked entry still counts.
    """
    needs_home = (
        presented.kind is CredentialKind.USERNAME or presented.secret is not None
    )
    listed = facts.listed
    if not needs_home or listed is None or listed.status is CredentialStatus.BLOCKED:
        return facts
    return replace(facts, listed=None)


def live_answer(reply: Reply[AuthorizeAnswer]) -> LiveAnswer:
    """Return what a reply of the home CSP means for the decision."""
    match reply:
        case Answered(answer):
            authorized = answer.verdict is Verdict.AUTHORIZED
            return LiveAnswer(
                outcome=LiveOutcome.AUTHORIZED if authorized else LiveOutcome.REFUSED,
                valid_until=answer.valid_until,
                max_energy_wh=answer.max_energy_wh,
            )
        case Refused():
            return LiveAnswer(outcome=LiveOutcome.REFUSED)
        case TimedOut():
            return LiveAnswer(outcome=LiveOutcome.SILENT)
        case Unreachable() | NoEndpoint():
            return LiveAnswer(outcome=LiveOutcome.UNREACHABLE)
        case Busy():
            return LiveAnswer(outcome=LiveOutcome.BUSY)
        case Faulted():
            return LiveAnswer(outcome=LiveOutcome.FAULTED)
        case _:
            assert_never(reply)
