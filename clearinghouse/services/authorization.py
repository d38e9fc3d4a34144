"""Authorization: who may charge, and who may stop (clauses 4.3-I3, 5-B1 to 5-C2).

The answer is given after the decision is stored. When the home CSP has to be asked,
there are two transactions and the question between them; nothing is held meanwhile. The
session id is made of the message's id, so that whoever takes over a message whose
handling broke off asks about, and stores, the same session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.authorization import (
    AuthorizationFacts,
    Decision,
    conclude,
    conclude_stop,
    decide,
    decide_stop,
)
from clearinghouse.domain.clock import milliseconds_between
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.sessions import (
    IllegalStep,
    Session,
    SessionState,
    Trigger,
    step,
)
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.services import authorization_facts as gather
from clearinghouse.services import session_names as names
from clearinghouse.services.authorization_facts import Holder, Presented
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Refusal
from clearinghouse.services.ports import (
    AuthorizeQuestion,
    Deadline,
)
from clearinghouse.services.session_places import party_id_of, place_of
from clearinghouse.services.takeover import claimed
from clearinghouse.storage import (
    messages,
    sessions,
)

#: How long a decision may take before a repeat of its message takes it over: above the
#: largest budget that the settings allow, in milliseconds.
DECIDING_MAX = 12_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeStart:
    """The question whether the holder of a credential may charge at an EVSE."""

    evse_id: EvseId
    presented: Presented
    partner_session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeStop:
    """The question whether the holder of a credential may stop a session."""

    session_id: UUID
    presented: Presented


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The decision for the station; ``csp_party`` names the home CSP, if agreed.

    A refusal by the rules of the business is an outcome like any other, with code 0.
    """

    decision: Decision
    session_id: UUID
    csp_party: str | None = None
    code: Code = codes.OK
    items: tuple[Item, ...] = ()


Render: TypeAlias = Callable[[Authorization | Refusal], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is known of one question once the facts are gathered."""

    session_id: UUID
    evse_id: EvseId
    operator_id: int
    home_party: str | None
    facts: AuthorizationFacts
    subject_id: int | None
    partner_session_id: str | None


def authorize_start(
    env: Environment, exchange: Exchange, command: AuthorizeStart, render: Render
) -> bytes:
    """Decide whether the holder of a credential may charge at an EVSE of the sender.

    Within the time a station waits; the home CSP has its share of it. Raises
    :class:`ClearingHouseError`: ``EVSE_UNKNOWN`` for an EVSE that is not there or not
    the sender's, ``SESSION_FOREIGN_ID`` when the sender's own id names another session,
    ``CH.IN_PROGRESS`` while a twin of the message is being decided.
    """
    holder = gather.recognise(env, command.presented)
    with env.database.begin("realtime") as tx:
        now = env.clock.now()
        stored = claimed(tx, exchange, now=now, milliseconds_max=DECIDING_MAX)
        if stored is not None:
            return stored
        case = _case(tx, exchange, command, holder, now=now)
        asked = decide(case.facts, now=now)
        if isinstance(asked, Decision):
            answer = render(_begun(tx, exchange.sender, case, asked, now=now))
            messages.remember(tx, exchange, answer, at=now)
            return answer
        cso_party = party_id_of(tx, case.operator_id)
    # No transaction is open while the home CSP thinks.
    question = _question(command.presented, case.session_id, case.evse_id, cso_party)
    deadline = _deadline(env, exchange)
    reply = env.partners.authorize(asked.home_id, question, deadline=deadline)
    decision = conclude(case.facts, gather.live_answer(reply), now=env.clock.now())
    if decision.is_authorized and case.subject_id is None:
        subject_id = gather.enrolled(env, asked.home_id, command.presented)
        case = replace(case, subject_id=subject_id)
    with env.database.begin("realtime") as tx:
        stored = messages.answered(tx, exchange, for_update=True)
        if stored is not None:
            return stored
        now = env.clock.now()
        answer = render(_begun(tx, exchange.sender, case, decision, now=now))
        messages.remember(tx, exchange, answer, at=now)
    return answer


def authorize_stop(
    env: Environment, exchange: Exchange, command: AuthorizeStop, render: Render
) -> bytes:
    """Decide whether the holder of a credential may stop a session of the sender's.

    The medium that started it may; about another one of the same CSP this is asked, if
    it decided the start. Raises :class:`ClearingHouseError`: ``SESSION_UNKNOWN`` for a
    session that is not there or not the sender's, a code that names the state when
    there is nothing to stop, ``CH.IN_PROGRESS`` as :func:`authorize_start`.
    """
    holder = gather.recognise(env, command.presented)
    with env.database.begin("realtime") as tx:
        now = env.clock.now()
        stored = claimed(tx, exchange, now=now, milliseconds_max=DECIDING_MAX)
        if stored is not None:
            return stored
        session = _stoppable(tx, exchange.sender, command.session_id)
        facts = gather.stop_facts_of(tx, session, holder, at=now)
        asked = decide_stop(facts)
        if isinstance(asked, Decision):
            answer = render(_stopped(tx, session, asked))
            messages.remember(tx, exchange, answer, at=now)
            return answer
        evse_id, cso_party = place_of(tx, session)
    question = _question(command.presented, session.session_id, evse_id, cso_party)
    deadline = _deadline(env, exchange)
    reply = env.partners.authorize(asked.home_id, question, deadline=deadline)
    decision = conclude_stop(facts, gather.live_answer(reply))
    with env.database.begin("realtime") as tx:
        stored = messages.answered(tx, exchange, for_update=True)
        if stored is not None:
            return stored
        # What happened to the session while its CSP was asked counts as well.
        session = _stoppable(tx, exchange.sender, command.session_id)
        answer = render(_stopped(tx, session, decision))
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer


def _case(
    tx: Connection,
    exchange: Exchange,
    command: AuthorizeStart,
    holder: Holder,
    *,
    now: datetime,
) -> _Case:
    """Gather the facts; refuse an EVSE that is not the sender's."""
    sender = exchange.sender
    names.require_free(tx, sender, command.partner_session_id)
    found = gather.case_of(tx, sender, command.evse_id, holder, at=now)
    return _Case(
        session_id=names.session_id_of(exchange),
        evse_id=command.evse_id,
        operator_id=found.operator_id,
        home_party=found.home_party,
        facts=found.facts,
        subject_id=holder.subject_id,
        partner_session_id=command.partner_session_id,
    )


def _question(
    presented: Presented, session_id: UUID, evse_id: EvseId, cso_party: str
) -> AuthorizeQuestion:
    return AuthorizeQuestion(
        session_id=session_id,
        evse_id=evse_id.spaced,
        cso_party=cso_party,
        kind=presented.kind,
        value=presented.value,
        secret=presented.secret,
    )


def _deadline(env: Environment, exchange: Exchange) -> Deadline:
    """Return when the home CSP's share of the time is over, counted from arrival."""
    spent = milliseconds_between(exchange.received_at, env.clock.now())
    return Deadline.after(
        max(0, env.limits.authorize_partner_milliseconds - max(0, spent))
    )


def _begun(
    tx: Connection, sender: Sender, case: _Case, decision: Decision, *, now: datetime
) -> Authorization:
    """Store the session that a decision begins, and return what the station is told."""
    trigger = Trigger.AUTHORIZE if decision.is_authorized else Trigger.REFUSE
    state = step(SessionState.REQUESTED, trigger)
    if isinstance(state, IllegalStep):
        raise ClearingHouseError(state.code)
    authorized = decision.is_authorized
    session = Session(
        session_id=case.session_id,
        state=state,
        visited_id=sender.participant_id,
        home_id=decision.home_id,
        agreement_id=decision.agreement_id,
        evse_key=case.evse_id.key,
        subject_id=case.subject_id,
        decision_source=decision.source,
        list_version=decision.list_version,
        refusal_code=None if authorized else decision.reason.number,
        created_at=now,
        authorized_at=now if authorized else None,
        valid_until=decision.valid_until,
    )
    sessions.insert_session(tx, session)
    names.give(tx, sender, case.session_id, case.partner_session_id)
    return Authorization(
        decision=decision,
        session_id=case.session_id,
        # Whose credential it is, only partners with an agreement are told.
        csp_party=None if decision.agreement_id is None else case.home_party,
    )


def _stoppable(tx: Connection, sender: Sender, session_id: UUID) -> Session:
    """Return a session of the sender's that a stop can reach, locked."""
    session = sessions.session_by_id(tx, session_id, for_update=True)
    if session is None or session.visited_id != sender.participant_id:
        raise ClearingHouseError(codes.SESSION_UNKNOWN, "not there, or another's")
    reached = step(session.state, Trigger.STOP)
    if isinstance(reached, IllegalStep):
        raise ClearingHouseError(reached.code, "nothing to stop")
    return session


def _stopped(tx: Connection, session: Session, decision: Decision) -> Authorization:
    """Store that a stop was authorized, and return what the station is told."""
    if decision.is_authorized:
        state = step(session.state, Trigger.STOP)
        if isinstance(state, IllegalStep):
            raise ClearingHouseError(state.code, "nothing to stop")
        if state is not session.state:
            sessions.save_session(tx, replace(session, state=state))
    return Authorization(decision=decision, session_id=session.session_id)
