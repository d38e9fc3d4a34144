"""Remote start and stop: the home CSP asks, the visited CSO acts (clause 4.3-I3).

A time-out is unknown, not no. A start goes out once, whatever happens to us: its
session is stored before the call, under an id made of the message's, so that a repeat
of the message finds it. A stop may go out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import Agreement, Module, goes_through
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sessions import (
    START_UNKNOWN_SECONDS,
    IllegalStep,
    Origin,
    Session,
    SessionState,
    Trigger,
    step,
)
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.services import session_names as names
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Refusal
from clearinghouse.services.ports import (
    Answered,
    Busy,
    ControlAnswer,
    Deadline,
    Faulted,
    NoEndpoint,
    NotAnswered,
    Refused,
    Reply,
    StartOrder,
    StopOrder,
    TimedOut,
    Unreachable,
)
from clearinghouse.services.takeover import claimed
from clearinghouse.storage import (
    agreements,
    credentials,
    evses,
    messages,
    participants,
    sessions,
)
from clearinghouse.storage.evses import StoredEvse
from clearinghouse.storage.sessions import PartnerSessionId

#: Time beyond the call's own after which an unanswered message was cut off.
_CUT_OFF_MILLISECONDS = 5_000

#: A second start of one user at one EVSE within this time is the first one again: apps
#: repeat themselves under new message ids.
REPEAT_SECONDS = 60

_WITHOUT_ANSWER: Mapping[type[NotAnswered], Code] = MappingProxyType(
    {
        Refused: codes.PARTNER_REFUSED,
        TimedOut: codes.PARTNER_SILENT,
        Unreachable: codes.PARTNER_UNREACHABLE,
        Busy: codes.PARTNER_BUSY,
        NoEndpoint: codes.PARTNER_NO_ENDPOINT,
        Faulted: codes.PARTNER_FAULT,
    }
)

_STARTING = frozenset({SessionState.STARTING, SessionState.START_UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """For whom to start: a credential or a contract of the sender's; personal.

    ``provider`` is the provider id in a contract id, ``None`` for a credential.
    """

    kind: SubjectKind
    value: str = field(repr=False)
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStart:
    """The order to start a session at an EVSE."""

    evse_id: EvseId
    customer: Customer
    partner_session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Where a session stands after an order.

    A start that failed is an outcome with code 0: its state says so, ``items`` why.
    """

    session_id: UUID
    state: SessionState
    code: Code = codes.OK
    items: tuple[Item, ...] = ()


Render: TypeAlias = Callable[[Ordered | Refusal], bytes]


def start_session(
    env: Environment, exchange: Exchange, command: RemoteStart, render: Render
) -> bytes:
    """Start a session at another operator's EVSE for a user of the sender.

    Answers with the state: STARTING when the CSO took it, START_UNKNOWN when it gave no
    answer in time, START_FAILED when it refused or was not reached. Raises
    :class:`ClearingHouseError`: ``EVSE_UNKNOWN`` (also without an agreement),
    ``MODE_NOT_AGREED``, ``PARTICIPANT_SUSPENDED``, ``CREDENTIAL_UNKNOWN`` for one of
    another CSP, ``CREDENTIAL_BLOCKED``, ``CONTRACT_NOT_YOURS``, ``SESSION_FOREIGN_ID``,
    ``CH.IN_PROGRESS`` while a twin of the message is being handled.
    """
    session_id = names.session_id_of(exchange)
    with env.database.begin() as tx:
        now = env.clock.now()
        stored = claimed(tx, exchange, now=now, milliseconds_max=_longest(env))
        if stored is not None:
            return stored
        cut_off = sessions.session_by_id(tx, session_id, for_update=True)
        if cut_off is not None:
            # We ended between the call and its answer: it is never sent again.
            answer = render(_started(tx, cut_off, TimedOut()))
            messages.remember(tx, exchange, answer, at=now)
            return answer
        begun = _begun(tx, env, exchange, command, now=now)
        if isinstance(begun, Ordered):
            answer = render(begun)
            messages.remember(tx, exchange, answer, at=now)
            return answer
    order = StartOrder(
        session_id=session_id,
        evse_id=command.evse_id.spaced,
        csp_party=exchange.sender.party_id,
        partner_session_id=command.partner_session_id,
    )
    deadline = Deadline.after(env.limits.remote_start_milliseconds)
    reply = env.partners.start_session(begun.visited_id, order, deadline=deadline)
    with env.database.begin() as tx:
        stored = messages.answered(tx, exchange, for_update=True)
        if stored is not None:
            return stored
        answer = render(_started(tx, _required(tx, session_id), reply))
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer


def stop_session(
    env: Environment, exchange: Exchange, session_id: UUID, render: Render
) -> bytes:
    """Stop a session of one of the sender's users, also one whose start is unknown.

    Answers with the state; the end comes with the CSO's event. An order that did not
    get through is not stored under the message's id, so that the same message may try
    again. Raises :class:`ClearingHouseError`: ``SESSION_UNKNOWN``, a code that names
    the state, or the reason why the CSO did not take the order.
    """
    with env.database.begin() as tx:
        stored = messages.answered(tx, exchange)
        if stored is not None:
            return stored
        session = _own_session(tx, exchange.sender, session_id)
        order = _stop_order(tx, session)
    deadline = Deadline.after(env.limits.remote_start_milliseconds)
    reply = env.partners.stop_session(session.visited_id, order, deadline=deadline)
    obstacle = _obstacle(reply)
    if obstacle is not None and not _may_have_acted(reply):
        raise ClearingHouseError(obstacle)
    with env.database.begin() as tx:
        twin = messages.claim(tx, exchange)
        if isinstance(twin, bytes):
            return twin
        session = _moved(tx, _required(tx, session_id), Trigger.STOP)
        ordered = Ordered(
            session_id=session_id, state=session.state, items=_items(obstacle)
        )
        answer = render(ordered)
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer


def _longest(env: Environment) -> int:
    return env.limits.remote_start_milliseconds + _CUT_OFF_MILLISECONDS


def _begun(
    tx: Connection,
    env: Environment,
    exchange: Exchange,
    command: RemoteStart,
    *,
    now: datetime,
) -> Session | Ordered:
    """Store the session of a start that goes out, or return the one it repeats."""
    sender = exchange.sender
    stored, agreement = _place(tx, sender, command.evse_id, at=now)
    subject_id = _subject(tx, env, sender, command.customer)
    session = Session(
        session_id=names.session_id_of(exchange),
        state=SessionState.REQUESTED,
        visited_id=stored.cso_id,
        home_id=sender.participant_id,
        evse_key=command.evse_id.key,
        created_at=now,
        origin=Origin.REMOTE,
        agreement_id=agreement.agreement_id,
        subject_id=subject_id,
        authorized_at=now,
        valid_until=now + timedelta(seconds=START_UNKNOWN_SECONDS),
    )
    sessions.lock_starts(tx, session.evse_key)
    repeated = _repeated(tx, sender, session, command.partner_session_id)
    if repeated is not None:
        return Ordered(
            session_id=repeated.session_id,
            state=repeated.state,
            code=codes.ALREADY_DONE,
        )
    for trigger in (Trigger.AUTHORIZE, Trigger.START):
        session = _stepped(session, trigger)
    sessions.insert_session(tx, session)
    names.give(tx, sender, session.session_id, command.partner_session_id)
    return session


def _place(
    tx: Connection, sender: Sender, evse_id: EvseId, *, at: datetime
) -> tuple[StoredEvse, Agreement]:
    """Return the EVSE, and the agreement by which the sender's users charge there."""
    stored = evses.evse_by_key(tx, evse_id.key)
    if stored is None or stored.removed:
        raise ClearingHouseError(codes.EVSE_UNKNOWN)
    agreement = agreements.agreement_between(
        tx, stored.cso_id, sender.participant_id, at=at
    )
    if agreement is None:
        # Without an agreement the sender does not even learn that the EVSE exists.
        raise ClearingHouseError(codes.EVSE_UNKNOWN, "no agreement")
    operator = participants.participant_by_id(tx, stored.cso_id)
    if operator is None or not operator.is_active:
        raise ClearingHouseError(codes.PARTICIPANT_SUSPENDED)
    if not goes_through(agreement.mode, Module.SESSION_CONTROL):
        raise ClearingHouseError(codes.MODE_NOT_AGREED)
    return stored, agreement


def _subject(
    tx: Connection, env: Environment, sender: Sender, customer: Customer
) -> int:
    """Return the pseudonym of a customer of the sender's, new or known.

    Last of all checks, so that a refused start enrols nobody.
    """
    if customer.provider is not None:
        owners = participants.owners_of_aliases(tx, [customer.provider])
        if owners.get(customer.provider) != sender.participant_id:
            raise ClearingHouseError(codes.CONTRACT_NOT_YOURS)
    enrolment = env.vault.enrol(
        sender.participant_id, customer.kind, [customer.value], at=env.clock.now()
    )
    subject_id = enrolment.subjects.get(customer.value)
    if subject_id is None:
        # Another CSP's is as good as none.
        raise ClearingHouseError(codes.CREDENTIAL_UNKNOWN, "another CSP's")
    listed = credentials.listed_credential(tx, subject_id)
    if listed is not None and listed.status is CredentialStatus.BLOCKED:
        raise ClearingHouseError(codes.CREDENTIAL_BLOCKED)
    return subject_id


def _repeated(
    tx: Connection, sender: Sender, wanted: Session, name: str | None
) -> Session | None:
    """Return the session that a start repeats: by the sender's name, or a moment ago.

    Raises :class:`ClearingHouseError` (``SESSION_FOREIGN_ID``) when the name is that of
    a session elsewhere or of somebody else.
    """
    if name is not None:
        own = PartnerSessionId(sender.participant_id, name)
        named = sessions.session_by_partner_id(tx, own)
        if named is not None and not _is_same_start(named, wanted):
            raise ClearingHouseError(codes.SESSION_FOREIGN_ID)
        return named
    earliest = wanted.created_at - timedelta(seconds=REPEAT_SECONDS)
    near = sessions.sessions_near(
        tx, [wanted.evse_key], earliest=earliest, latest=wanted.created_at
    )
    for session in near:
        if session.state in _STARTING and _is_same_start(session, wanted):
            return session
    return None


def _is_same_start(session: Session, wanted: Session) -> bool:
    return (
        session.origin is Origin.REMOTE
        and session.home_id == wanted.home_id
        and session.evse_key == wanted.evse_key
        and session.subject_id == wanted.subject_id
    )


def _started(tx: Connection, session: Session, reply: Reply[ControlAnswer]) -> Ordered:
    """Store what a CSO's reply to a start order means, and say where things stand."""
    obstacle = _obstacle(reply)
    if obstacle is None:
        trigger = Trigger.START_ACCEPTED
    elif _may_have_acted(reply):
        trigger = Trigger.START_TIMED_OUT
    else:
        trigger = Trigger.START_REFUSED
    session = _moved(tx, session, trigger)
    if isinstance(reply, Answered) and reply.answer.partner_session_id is not None:
        own = PartnerSessionId(session.visited_id, reply.answer.partner_session_id)
        # A name that the CSO uses for another session is its trouble, not the user's.
        sessions.name_session(tx, session.session_id, own)
    return Ordered(
        session_id=session.session_id, state=session.state, items=_items(obstacle)
    )


def _items(obstacle: Code | None) -> tuple[Item, ...]:
    return () if obstacle is None else (Item(code=obstacle),)


def _obstacle(reply: Reply[ControlAnswer]) -> Code | None:
    """Return why a CSO did not say yes, ``None`` when it did."""
    if isinstance(reply, Answered):
        return None if reply.answer.accepted else codes.PARTNER_REFUSED
    return _WITHOUT_ANSWER[type(reply)]


def _may_have_acted(reply: Answered[ControlAnswer] | NotAnswered) -> bool:
    """Say whether an order without a yes or no may have been carried out."""
    match reply:
        case TimedOut() | Faulted(took_effect_unknown=True):
            return True
        case _:
            return False


def _own_session(tx: Connection, sender: Sender, session_id: UUID) -> Session:
    """Return a session of one of the sender's users that a stop can reach."""
    session = sessions.session_by_id(tx, session_id)
    if session is None or session.home_id != sender.participant_id:
        raise ClearingHouseError(codes.SESSION_UNKNOWN, "not there, or another's")
    _stepped(session, Trigger.STOP)
    return session


def _stop_order(tx: Connection, session: Session) -> StopOrder:
    own = [
        one.value
        for one in sessions.partner_ids_of(tx, session.session_id)
        if one.participant_id == session.visited_id
    ]
    return StopOrder(
        session_id=session.session_id, partner_session_id=own[0] if own else None
    )


def _moved(tx: Connection, session: Session, trigger: Trigger) -> Session:
    """Store a step; an event of the CSO that overtook its answer goes before it."""
    target = step(session.state, trigger)
    if isinstance(target, IllegalStep) or target is session.state:
        return session
    moved = replace(session, state=target)
    sessions.save_session(tx, moved)
    return moved


def _stepped(session: Session, trigger: Trigger) -> Session:
    target = step(session.state, trigger)
    if isinstance(target, IllegalStep):
        raise ClearingHouseError(target.code, f"{trigger} in {session.state}")
    return replace(session, state=target)


def _required(tx: Connection, session_id: UUID) -> Session:
    session = sessions.session_by_id(tx, session_id, for_update=True)
    if session is None:
        raise ClearingHouseError(codes.INTERNAL, "a session that went away")
    return session
