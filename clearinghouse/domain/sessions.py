"""Sessions: states, the one transition table, and events in any order.

The session id is the clearing house's. A time-out is unknown, not no: a remote start
without an answer is START_UNKNOWN until an event, an SDR or a timer settles it. Events
are ordered by when they occurred, not by when they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.authorization import DecisionSource
from clearinghouse.domain.clock import is_too_far_ahead, is_too_long_ago

#: How long a start may stay without an answer or an event before it counts as failed.
START_UNKNOWN_SECONDS = 300

#: Events kept of one session. It stops a stuck station from filling a session's log.
EVENTS_MAX = 200


class SessionState(StrEnum):
    """The states of a session; after SDR_RECEIVED the SDR's own life goes on."""

    REQUESTED = "REQUESTED"
    REFUSED = "REFUSED"
    RESERVED = "RESERVED"
    AUTHORIZED = "AUTHORIZED"
    STARTING = "STARTING"
    START_UNKNOWN = "START_UNKNOWN"
    START_FAILED = "START_FAILED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    STOPPING = "STOPPING"
    ENDED = "ENDED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SDR_RECEIVED = "SDR_RECEIVED"


class SessionEventKind(StrEnum):
    """What a CSO reports of a session."""

    STARTED = "STARTED"
    PROGRESS = "PROGRESS"
    SUSPENDED = "SUSPENDED"
    RESUMED = "RESUMED"
    ENDED = "ENDED"
    FAILED = "FAILED"


class Trigger(StrEnum):
    """All that can move a session: our decisions, timers, answers, events, the SDR."""

    AUTHORIZE = "AUTHORIZE"
    REFUSE = "REFUSE"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"
    START = "START"  #: a remote start goes out
    START_ACCEPTED = "START_ACCEPTED"  #: the CSO took it; whether it runs is not known
    START_TIMED_OUT = "START_TIMED_OUT"
    START_REFUSED = "START_REFUSED"  #: the CSO refused, or the timer gave up
    STOP = "STOP"  #: a stop is authorized or goes out
    SDR = "SDR"
    STARTED = "STARTED"
    PROGRESS = "PROGRESS"
    SUSPENDED = "SUSPENDED"
    RESUMED = "RESUMED"
    ENDED = "ENDED"
    FAILED = "FAILED"


class Origin(StrEnum):
    """Who began the session: the user at the station, or the CSP."""

    LOCAL = "LOCAL"
    REMOTE = "REMOTE"


_S, _T = SessionState, Trigger

#: Before energy flows: an event that shows that it does implies the start.
_WAITING = (_S.AUTHORIZED, _S.STARTING, _S.START_UNKNOWN)
_CHARGING = (_S.ACTIVE, _S.SUSPENDED, _S.STOPPING)
_EVENTS = tuple(Trigger(kind.value) for kind in SessionEventKind)

#: States from which an SDR may come: from AUTHORIZED on.
SDR_STATES = frozenset({*_WAITING, *_CHARGING, _S.START_FAILED, _S.ENDED, _S.EXPIRED})

TRANSITIONS: Mapping[tuple[SessionState, Trigger], SessionState] = MappingProxyType(
    {
        (_S.REQUESTED, _T.AUTHORIZE): _S.AUTHORIZED,
        (_S.REQUESTED, _T.REFUSE): _S.REFUSED,
        (_S.RESERVED, _T.AUTHORIZE): _S.AUTHORIZED,
        (_S.RESERVED, _T.EXPIRE): _S.EXPIRED,
        (_S.RESERVED, _T.CANCEL): _S.CANCELLED,
        (_S.AUTHORIZED, _T.EXPIRE): _S.EXPIRED,
        # remote start; an answer that comes after the time-out settles only a refusal
        (_S.AUTHORIZED, _T.START): _S.STARTING,
        (_S.STARTING, _T.START_ACCEPTED): _S.STARTING,
        (_S.STARTING, _T.START_TIMED_OUT): _S.START_UNKNOWN,
        (_S.STARTING, _T.START_REFUSED): _S.START_FAILED,
        (_S.START_UNKNOWN, _T.START_ACCEPTED): _S.START_UNKNOWN,
        (_S.START_UNKNOWN, _T.START_REFUSED): _S.START_FAILED,
        # a stop reaches a start of unknown outcome too, and may be repeated
        (_S.STARTING, _T.STOP): _S.STARTING,
        (_S.START_UNKNOWN, _T.STOP): _S.START_UNKNOWN,
        (_S.ACTIVE, _T.STOP): _S.STOPPING,
        (_S.SUSPENDED, _T.STOP): _S.STOPPING,
        (_S.STOPPING, _T.STOP): _S.STOPPING,
        # events that show that charging has begun
        **{(state, _T.STARTED): _S.ACTIVE for state in (*_WAITING, _S.ACTIVE)},
        **{(state, _T.PROGRESS): _S.ACTIVE for state in (*_WAITING, _S.ACTIVE)},
        **{(state, _T.RESUMED): _S.ACTIVE for state in (*_WAITING, _S.ACTIVE)},
        **{(state, _T.SUSPENDED): _S.SUSPENDED for state in (*_WAITING, _S.ACTIVE)},
        # each of these tells the whole state: so the newest event alone decides
        (_S.SUSPENDED, _T.PROGRESS): _S.ACTIVE,
        (_S.SUSPENDED, _T.SUSPENDED): _S.SUSPENDED,
        (_S.SUSPENDED, _T.RESUMED): _S.ACTIVE,
        # while a stop is out the station still reports what happened before it
        (_S.STOPPING, _T.STARTED): _S.STOPPING,
        (_S.STOPPING, _T.PROGRESS): _S.STOPPING,
        (_S.STOPPING, _T.SUSPENDED): _S.STOPPING,
        (_S.STOPPING, _T.RESUMED): _S.STOPPING,
        # the end; it is kept when it comes before the start
        **{(state, _T.ENDED): _S.ENDED for state in (*_WAITING, *_CHARGING)},
        **{(state, _T.FAILED): _S.START_FAILED for state in _WAITING},
        **{(state, _T.FAILED): _S.ENDED for state in _CHARGING},
        # the SDR, and reports that come after it
        **{(state, _T.SDR): _S.SDR_RECEIVED for state in SDR_STATES},
        **{(_S.SDR_RECEIVED, event): _S.SDR_RECEIVED for event in _EVENTS},
    }
)

#: The code of an illegal step names the state that the session is in.
_CODE_OF_STATE: Mapping[SessionState, Code] = MappingProxyType(
    {
        _S.REQUESTED: codes.SESSION_IS_REQUESTED,
        _S.REFUSED: codes.SESSION_IS_REFUSED,
        _S.RESERVED: codes.SESSION_IS_RESERVED,
        _S.AUTHORIZED: codes.SESSION_IS_AUTHORIZED,
        _S.STARTING: codes.SESSION_IS_STARTING,
        _S.START_UNKNOWN: codes.SESSION_START_UNKNOWN,
        _S.START_FAILED: codes.SESSION_IS_START_FAILED,
        _S.ACTIVE: codes.SESSION_IS_ACTIVE,
        _S.SUSPENDED: codes.SESSION_IS_SUSPENDED,
        _S.STOPPING: codes.SESSION_IS_STOPPING,
        _S.ENDED: codes.SESSION_IS_ENDED,
        _S.EXPIRED: codes.SESSION_IS_EXPIRED,
        _S.CANCELLED: codes.SESSION_IS_CANCELLED,
        _S.SDR_RECEIVED: codes.SESSION_IS_SDR_RECEIVED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IllegalStep:
    """A step that the table does not have; ``code`` names the state."""

    code: Code
    state: SessionState
    trigger: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One service session as the clearing house knows it; no personal data.

    ``visited_id`` and ``home_id`` are participants; ``subject_id`` is the pseudonym of
    the credential; ``energy_wh`` is the highest reading reported.
    """

    session_id: UUID
    state: SessionState
    visited_id: int
    home_id: int | None
    evse_key: str
    created_at: datetime
    origin: Origin = Origin.LOCAL
    agreement_id: int | None = None
    subject_id: int | None = None
    decision_source: DecisionSource | None = None
    list_version: int | None = None
    refusal_code: int | None = None
    authorized_at: datetime | None = None
    valid_until: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy_wh: int | None = None
    last_event_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """One report of a CSO; ``event_id`` is made by the CSO and kept when it repeats."""

    event_id: UUID
    event: SessionEventKind
    occurred_at: datetime
    received_at: datetime
    reported_by: int
    energy_wh: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A session after an event; ``in_order`` is false when a newer event came first."""

    session: Session
    state_before: SessionState
    in_order: bool


def step(state: SessionState, trigger: Trigger) -> SessionState | IllegalStep:
    """Return the state after a trigger, or why the state does not allow it."""
    target = TRANSITIONS.get((state, trigger))
    if target is None:
        return IllegalStep(code=_CODE_OF_STATE[state], state=state, trigger=trigger)
    return target


def apply_event(session: Session, event: SessionEvent) -> Applied | IllegalStep:
    """Return the session after an event, whatever the order of arrival.

    A newer event takes a step. An older one is kept and fills in times and energy; it
    moves the session only when it is the end, since nothing can follow an end.
    """
    last = session.last_event_at
    in_order = last is None or event.occurred_at >= last
    state = session.state
    if in_order or _ends_late(session, event):
        target = step(state, Trigger(event.event.value))
        if isinstance(target, IllegalStep):
            return target
        state = target
    changed = replace(
        session,
        state=state,
        started_at=_started_at(session, event),
        ended_at=_ended_at(session, event),
        energy_wh=_highest(session.energy_wh, event.energy_wh),
        last_event_at=event.occurred_at if in_order else last,
    )
    return Applied(session=changed, state_before=session.state, in_order=in_order)


def event_problem(event: SessionEvent, *, now: datetime) -> Code | None:
    """Return why an event cannot be taken at all, ``None`` when it can."""
    if is_too_far_ahead(event.occurred_at, now):
        return codes.SESSION_EVENT_FUTURE
    if is_too_long_ago(event.occurred_at, now):
        return codes.SESSION_EVENT_PAST
    return None


def is_repeat(stored: SessionEvent, incoming: SessionEvent) -> bool:
    """Say whether an event with a known id says the same; else it is a conflict."""
    return (
        stored.event is incoming.event
        and stored.occurred_at == incoming.occurred_at
        and stored.energy_wh == incoming.energy_wh
        and stored.reason == incoming.reason
    )


def _ends_late(session: Session, event: SessionEvent) -> bool:
    ends = event.event in (SessionEventKind.ENDED, SessionEventKind.FAILED)
    return ends and session.state in (*_WAITING, *_CHARGING)


def _started_at(session: Session, event: SessionEvent) -> datetime | None:
    if event.event is not SessionEventKind.STARTED:
        return session.started_at
    if session.started_at is None:
        return event.occurred_at
    return min(session.started_at, event.occurred_at)


def _ended_at(session: Session, event: SessionEvent) -> datetime | None:
    if event.event in (SessionEventKind.ENDED, SessionEventKind.FAILED):
        return session.ended_at or event.occurred_at
    return session.ended_at


def _highest(known_wh: int | None, reported_wh: int | None) -> int | None:
    if known_wh is None or reported_wh is None:
        return reported_wh if known_wh is None else known_wh
    return max(known_wh, reported_wh)
