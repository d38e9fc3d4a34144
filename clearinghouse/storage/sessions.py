"""Service sessions, the partners' own ids for them, and their events (3.12).

Lock order of the house: participant, session, SDR, ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Row,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from clearinghouse.domain.authorization import DecisionSource
from clearinghouse.domain.sessions import (
    EVENTS_MAX,
    Origin,
    Session,
    SessionEvent,
    SessionEventKind,
    SessionState,
)
from clearinghouse.storage.tables.columns import among, touched
from clearinghouse.storage.tables.sessions import (
    session,
    session_event,
    session_partner_id,
)

_STARTS_LOCK_SPACE = 7_311_907
_LOCK_STARTS = text("SELECT pg_advisory_xact_lock(:space, hashtext(:evse_key))")

#: States in which time alone moves a session on; in others no time is stored.
TIMED_STATES = (
    SessionState.RESERVED,
    SessionState.AUTHORIZED,
    SessionState.STARTING,
    SessionState.START_UNKNOWN,
)

#: Sessions that one run of the timer takes. It bounds its transaction.
DUE_MAX = 500

#: Sessions of one search. It bounds an operator's view and a batch's candidates.
SESSIONS_MAX = 10_000

#: Ids that partners may have for one session.
PARTNER_IDS_MAX = 4


# Made once: to make it for each session took longer than to run it.
_INSERT = insert(session)


@dataclass(frozen=True, slots=True)
class PartnerSessionId:
    """A partner's own id for one of our sessions."""

    participant_id: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event with the step that it caused."""

    event: SessionEvent
    state_before: SessionState
    state_after: SessionState


def insert_session(tx: Connection, new: Session) -> None:
    """Store a session that has just begun."""
    fixed = {
        "session_id": new.session_id,
        "visited_id": new.visited_id,
        "evse_key": new.evse_key,
        "origin": new.origin,
        "created_at": new.created_at,
    }
    tx.execute(_INSERT, fixed | _changing(new))


def save_session(tx: Connection, changed: Session) -> None:
    """Store what may change of a session; who, where and when it was asked stays.

    Raises :class:`LookupError` when there is no such session.
    """
    values = _changing(changed) | touched()
    stored = (
        update(session)
        .where(session.c.session_id == changed.session_id)
        .values(**values)
    )
    if tx.execute(stored).rowcount != 1:
        raise LookupError("the session was never inserted")


def session_by_id(
    tx: Connection, session_id: UUID, *, for_update: bool = False
) -> Session | None:
    """Return a session; ``for_update`` lets one message at a time step it."""
    query = select(session).where(session.c.session_id == session_id)
    if for_update:
        query = query.with_for_update()
    row = tx.execute(query).one_or_none()
    return None if row is None else _session(row)


def session_by_partner_id(
    tx: Connection, partner_id: PartnerSessionId, *, for_update: bool = False
) -> Session | None:
    """Return the session that a partner knows under its own id."""
    named = select(session_partner_id.c.session_id).where(
        session_partner_id.c.participant_id == partner_id.participant_id,
        session_partner_id.c.value == partner_id.value,
    )
    query = select(session).where(session.c.session_id == named.scalar_subquery())
    if for_update:
        query = query.with_for_update()
    row = tx.execute(query).one_or_none()
    return None if row is None else _session(row)


def name_session(
    tx: Connection, session_id: UUID, partner_id: PartnerSessionId
) -> bool:
    """Note a partner's own id; ``False`` when it names another session already."""
    tx.execute(
        insert_or(session_partner_id)
        .values(
            participant_id=partner_id.participant_id,
            value=partner_id.value,
            session_id=session_id,
        )
        .on_conflict_do_nothing()
    )
    query = select(session_partner_id.c.session_id).where(
        session_partner_id.c.participant_id == partner_id.participant_id,
        session_partner_id.c.value == partner_id.value,
    )
    named: UUID = tx.execute(query).scalar_one()
    return named == session_id


def partner_ids_of(tx: Connection, session_id: UUID) -> tuple[PartnerSessionId, ...]:
    """Return the partners' ids for a session, in the order of the participants."""
    query = (
        select(session_partner_id)
        .where(session_partner_id.c.session_id == session_id)
        .order_by(session_partner_id.c.participant_id, session_partner_id.c.value)
        .limit(PARTNER_IDS_MAX)
    )
    return tuple(
        PartnerSessionId(row.participant_id, row.value) for row in tx.execute(query)
    )


def lock_starts(tx: Connection, evse_key: str) -> None:
    """Let one remote start at an EVSE be judged at a time, until the transaction ends.

    Two orders of one CSP for one user would otherwise not see each other.
    """
    tx.execute(_LOCK_STARTS, {"space": _STARTS_LOCK_SPACE, "evse_key": evse_key})


def sessions_near(
    tx: Connection, evse_keys: Iterable[str], *, earliest: datetime, latest: datetime
) -> tuple[Session, ...]:
    """Return the sessions on some EVSEs that were asked for within a period.

    For SDRs that name no session: EVSE, credential and time decide which one fits.
    """
    query = (
        select(session)
        .where(
            among(session.c.evse_key, evse_keys),
            session.c.created_at.between(earliest, latest),
        )
        .order_by(session.c.created_at)
        .limit(SESSIONS_MAX)
    )
    return tuple(_session(row) for row in tx.execute(query))


def sessions_due(tx: Connection, *, now: datetime) -> tuple[Session, ...]:
    """Return sessions whose time is up, locked; those others work on are skipped."""
    query = (
        select(session)
        .where(session.c.state.in_(TIMED_STATES), session.c.valid_until <= now)
        .order_by(session.c.valid_until)
        .limit(DUE_MAX)
        .with_for_update(skip_locked=True)
    )
    return tuple(_session(row) for row in tx.execute(query))


def insert_event(tx: Connection, session_id: UUID, stored: StoredEvent) -> bool:
    """Append an event; ``False`` when its id is known for this session."""
    event = stored.event
    added = (
        insert_or(session_event)
        .values(
            session_id=session_id,
            event_id=event.event_id,
            event=event.event,
            occurred_at=event.occurred_at,
            received_at=event.received_at,
            reported_by=event.reported_by,
            energy_wh=event.energy_wh,
            reason=event.reason,
            state_before=stored.state_before,
            state_after=stored.state_after,
        )
        .on_conflict_do_nothing()
        .returning(session_event.c.event_row)
    )
    return tx.execute(added).first() is not None


def event_by_id(tx: Connection, session_id: UUID, event_id: UUID) -> StoredEvent | None:
    """Return one event of a session."""
    query = select(session_event).where(
        session_event.c.session_id == session_id, session_event.c.event_id == event_id
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _event(row)


def count_events(tx: Connection, session_id: UUID) -> int:
    """Return how many events of a session are stored, up to the most that are kept."""
    stored = (
        select(session_event.c.event_row)
        .where(session_event.c.session_id == session_id)
        .limit(EVENTS_MAX)
    )
    return tx.execute(select(func.count()).select_from(stored.subquery())).scalar_one()


def events_of(tx: Connection, session_id: UUID) -> tuple[StoredEvent, ...]:
    """Return a session's latest events in the order in which they occurred."""
    latest = (
        select(session_event)
        .where(session_event.c.session_id == session_id)
        .order_by(session_event.c.occurred_at.desc(), session_event.c.event_row.desc())
        .limit(EVENTS_MAX)
    )
    return tuple(_event(row) for row in reversed(tx.execute(latest).all()))


def _changing(one: Session) -> dict[str, object]:
    return {
        "state": one.state,
        "home_id": one.home_id,
        "agreement_id": one.agreement_id,
        "subject_id": one.subject_id,
        "decision_source": one.decision_source,
        "list_version": one.list_version,
        "refusal_code": one.refusal_code,
        "authorized_at": one.authorized_at,
        "valid_until": one.valid_until if one.state in TIMED_STATES else None,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "energy_wh": one.energy_wh,
        "last_event_at": one.last_event_at,
    }


def _session(row: Row[*tuple[Any, ...]]) -> Session:
    source = row.decision_source
    return Session(
        session_id=row.session_id,
        state=SessionState(row.state),
        visited_id=row.visited_id,
        home_id=row.home_id,
        evse_key=row.evse_key,
        created_at=row.created_at,
        origin=Origin(row.origin),
        agreement_id=row.agreement_id,
        subject_id=row.subject_id,
        decision_source=None if source is None else DecisionSource(source),
        list_version=row.list_version,
        refusal_code=row.refusal_code,
        authorized_at=row.authorized_at,
        valid_until=row.valid_until,
        started_at=row.started_at,
        ended_at=row.ended_at,
        energy_wh=row.energy_wh,
        last_event_at=row.last_event_at,
    )


def _event(row: Row[*tuple[Any, ...]]) -> StoredEvent:
    return StoredEvent(
        event=SessionEvent(
            event_id=row.event_id,
            event=SessionEventKind(row.event),
            occurred_at=row.occurred_at,
            received_at=row.received_at,
            reported_by=row.reported_by,
            energy_wh=row.energy_wh,
            reason=row.reason,
        ),
        state_before=SessionState(row.state_before),
        state_after=SessionState(row.state_after),
    )
