"""Sessions: reports of the CSO, timers, and what either partner may see (3.12).

Events are ordered by when they happened, whatever the order in which they come; each is
passed on to the home CSP through the outbox, in the transaction that stores it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID, uuid5

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.intermediate_sdrs import IntermediateSdr, Told
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.sessions import (
    EVENTS_MAX,
    Applied,
    IllegalStep,
    Session,
    SessionEvent,
    SessionEventKind,
    SessionState,
    Trigger,
    apply_event,
    event_problem,
    is_repeat,
    step,
)
from clearinghouse.services import intermediate_sdrs as progress
from clearinghouse.services import session_names as names
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Refusal
from clearinghouse.services.ports import SessionNotice
from clearinghouse.services.session_places import place_of
from clearinghouse.storage import (
    intermediate_sdrs,
    messages,
    outbox,
    participants,
    sessions,
)
from clearinghouse.storage.outbox import NewDelivery
from clearinghouse.storage.sessions import PartnerSessionId, StoredEvent

#: How a timer moves a session whose time is up.
_TIMER = {
    SessionState.RESERVED: Trigger.EXPIRE,
    SessionState.AUTHORIZED: Trigger.EXPIRE,
    SessionState.STARTING: Trigger.START_REFUSED,
    SessionState.START_UNKNOWN: Trigger.START_REFUSED,
}

#: Runs of the timer in one call, each of at most ``sessions.DUE_MAX``; stops one call
#: from working through the night after an outage.
_TIMER_RUNS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a CSO reports of a session; ``event_id`` is the same in a repetition.

    ``intermediate`` makes a report of progress an intermediate SDR.
    """

    session_id: UUID
    event: SessionEventKind
    event_id: UUID
    occurred_at: datetime
    energy_wh: int | None = None
    reason: str | None = None
    partner_session_id: str | None = None
    intermediate: Told | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The state of the session after a report."""

    state: SessionState
    code: Code = codes.OK
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as its partners see it; parties by their ids, the EVSE as spaced."""

    session: Session
    cso_party: str
    csp_party: str | None
    evse_id: str
    names: tuple[tuple[str, str], ...]
    events: tuple[SessionEvent, ...]
    intermediate: IntermediateSdr | None


Render: TypeAlias = Callable[[Reported | Refusal], bytes]


def report_session(
    env: Environment, exchange: Exchange, report: Report, render: Render
) -> bytes:
    """Take a report of the visited partner, and pass it on to the home CSP.

    A late event is kept and answered with a warning, a known one with another. Raises
    :class:`ClearingHouseError`: ``SESSION_UNKNOWN`` for a session that is not there or
    not the sender's, a code that names the state when the event cannot follow it,
    ``SESSION_EVENT_FUTURE``, ``SESSION_EVENT_PAST``, ``SESSION_EVENT_ENERGY``,
    ``SESSION_EVENT_CONFLICT``, ``SESSION_FOREIGN_ID``, and those of
    :func:`clearinghouse.services.intermediate_sdrs.take`.
    """
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        session = sessions.session_by_id(tx, report.session_id, for_update=True)
        if session is None or session.visited_id != exchange.sender.participant_id:
            raise ClearingHouseError(codes.SESSION_UNKNOWN, "not there, or another's")
        event, told = _event(exchange, report), report.intermediate
        outcome = _repeated(tx, session, event, told) or _applied(
            tx, env, session, event, told
        )
        names.give(tx, exchange.sender, session.session_id, report.partner_session_id)
        answer = render(outcome)
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer


def get_session(
    env: Environment,
    sender: Sender,
    *,
    session_id: UUID | None = None,
    partner_session_id: str | None = None,
) -> SessionView:
    """Return a session by our id, or by the sender's own name for it.

    Raises :class:`ClearingHouseError` (``SESSION_UNKNOWN``) when there is none, or it
    is neither at the sender's EVSE nor of its EV user.
    """
    with env.database.begin_read_only() as tx:
        if session_id is not None:
            session = sessions.session_by_id(tx, session_id)
        else:
            own = PartnerSessionId(sender.participant_id, partner_session_id or "")
            session = sessions.session_by_partner_id(tx, own)
        if session is None or sender.participant_id not in (
            session.visited_id,
            session.home_id,
        ):
            raise ClearingHouseError(codes.SESSION_UNKNOWN, "not there, or others'")
        return _view(tx, session)


def expire_due(env: Environment) -> int:
    """Move sessions whose time is up; return how many. Called by the worker.

    An authorization without a plug expires. A start that nobody confirmed counts as
    failed, of which its CSP is told, for it gave the order.
    """
    count = 0
    for _ in range(_TIMER_RUNS_MAX):
        with env.database.begin() as tx:
            now = env.clock.now()
            due = sessions.sessions_due(tx, now=now)
            for session in due:
                _time_out(tx, session, now)
        count += len(due)
        if len(due) < sessions.DUE_MAX:
            break
    return count


def session_notice(
    env: Environment, payload: Mapping[str, object]
) -> SessionNotice | None:
    """Return what an outbox row of kind NOTIFY_SESSION says to the home CSP.

    ``None`` when the session is gone, so that there is nothing to tell any more.
    """
    session_id = UUID(str(payload["session_id"]))
    with env.database.begin_read_only() as tx:
        session = sessions.session_by_id(tx, session_id)
        if session is None:
            return None
        evse_id, cso_party = place_of(tx, session)
        own = [
            one.value
            for one in sessions.partner_ids_of(tx, session_id)
            if one.participant_id == session.home_id
        ]
        event_id = UUID(str(payload["event_id"]))
        so_far = intermediate_sdrs.of_event(tx, session_id, event_id)
    energy = payload["energy_wh"]
    return SessionNotice(
        session_id=session_id,
        event=SessionEventKind(str(payload["event"])),
        event_id=event_id,
        occurred_at=datetime.fromisoformat(str(payload["occurred_at"])),
        state=SessionState(str(payload["state"])),
        cso_party=cso_party,
        evse_id=evse_id.spaced,
        energy_wh=energy if isinstance(energy, int) else None,
        partner_session_id=own[0] if own else None,
        intermediate=so_far,
    )


def _event(exchange: Exchange, report: Report) -> SessionEvent:
    return SessionEvent(
        event_id=report.event_id,
        event=report.event,
        occurred_at=report.occurred_at,
        received_at=exchange.received_at,
        reported_by=exchange.sender.participant_id,
        energy_wh=report.energy_wh,
        reason=report.reason,
    )


def _repeated(
    tx: Connection, session: Session, event: SessionEvent, told: Told | None
) -> Reported | None:
    """Return the answer to an event reported before, ``None`` for a new one."""
    known = sessions.event_by_id(tx, session.session_id, event.event_id)
    if known is None:
        return None
    if not is_repeat(known.event, event):
        raise ClearingHouseError(codes.SESSION_EVENT_CONFLICT)
    progress.check_repeat(tx, session.session_id, event.event_id, told)
    return Reported(state=session.state, code=codes.ALREADY_DONE)


def _applied(
    tx: Connection,
    env: Environment,
    session: Session,
    event: SessionEvent,
    told: Told | None,
) -> Reported:
    """Store a new event with the step it causes, and enqueue its notice."""
    problem = event_problem(event, now=env.clock.now())
    if event.energy_wh is not None and event.energy_wh < 0:
        problem = codes.SESSION_EVENT_ENERGY
    if problem is not None:
        raise ClearingHouseError(problem)
    applied = apply_event(session, event)
    if isinstance(applied, IllegalStep):
        raise ClearingHouseError(applied.code)
    if told is not None:
        progress.take(tx, session, event, told)
    sessions.save_session(tx, applied.session)
    if told is not None or _is_kept(tx, event, session):
        sessions.insert_event(tx, session.session_id, _stored(applied, event))
    _notify(tx, applied.session, event)
    return Reported(
        state=applied.session.state,
        code=codes.OK if applied.in_order else codes.EVENT_LATE,
    )


def _is_kept(tx: Connection, event: SessionEvent, session: Session) -> bool:
    """Say whether an event goes into the log: progress only while there is room."""
    if event.event is not SessionEventKind.PROGRESS:
        return True
    return sessions.count_events(tx, session.session_id) < EVENTS_MAX


def _stored(applied: Applied, event: SessionEvent) -> StoredEvent:
    return StoredEvent(
        event=event,
        state_before=applied.state_before,
        state_after=applied.session.state,
    )


def _notify(tx: Connection, session: Session, event: SessionEvent) -> None:
    """Enqueue the event for the home CSP, once however often it is reported."""
    if session.home_id is None:
        return
    payload = {
        "session_id": str(session.session_id),
        "event_id": str(event.event_id),
        "event": event.event.value,
        "occurred_at": event.occurred_at.isoformat(),
        "energy_wh": event.energy_wh,
        "state": session.state.value,
    }
    delivery = NewDelivery(
        participant_id=session.home_id,
        kind=DeliveryKind.NOTIFY_SESSION,
        subject_key=str(session.session_id),
        payload=payload,
        dedupe_key=f"session/{session.session_id}/{event.event_id}",
    )
    outbox.enqueue(tx, delivery, at=event.received_at)


def _time_out(tx: Connection, session: Session, now: datetime) -> None:
    state = step(session.state, _TIMER[session.state])
    if isinstance(state, IllegalStep):
        raise ClearingHouseError(codes.INTERNAL, f"a timer in {session.state}")
    changed = replace(session, state=state)
    sessions.save_session(tx, changed)
    if state is SessionState.START_FAILED:
        _notify(tx, changed, _failure(session, now))


def _failure(session: Session, now: datetime) -> SessionEvent:
    """Return the event that a timer stands for: nobody reported anything."""
    return SessionEvent(
        event_id=uuid5(session.session_id, "timer"),
        event=SessionEventKind.FAILED,
        occurred_at=now,
        received_at=now,
        reported_by=session.visited_id,
    )


def _view(tx: Connection, session: Session) -> SessionView:
    evse_id, cso_party = place_of(tx, session)
    given = sessions.partner_ids_of(tx, session.session_id)
    parties = {one.participant_id for one in given}
    if session.home_id is not None:
        parties.add(session.home_id)
    known = participants.participants_by_id(tx, parties)
    home = None if session.home_id is None else known.get(session.home_id)
    return SessionView(
        session=session,
        cso_party=cso_party,
        csp_party=None if home is None else home.party_id,
        evse_id=evse_id.spaced,
        names=tuple((known[one.participant_id].party_id, one.value) for one in given),
        events=tuple(one.event for one in sessions.events_of(tx, session.session_id)),
        intermediate=intermediate_sdrs.newest(tx, session.session_id),
    )
