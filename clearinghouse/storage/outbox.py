"""Deliveries to partners: enqueued with the business, claimed by lease, fenced.

At least once, under an id that never changes. A claim commits before the network is
touched; a worker that dies loses its lease and another takes over; a worker that wakes
up late finds a newer lease number and is not heard (fencing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Connection, Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.domain.outbox import (
    AWAY,
    SERVICE_OF,
    DeliveryKind,
    DeliveryState,
    NextStep,
)
from clearinghouse.domain.participants import EndpointService
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.messages import outbox

#: Where workers listen for new deliveries.
CHANNEL = "clearinghouse_outbox"

#: Deliveries of one claim. It bounds what a worker that dies leaves behind.
CLAIM_MAX = 100

#: Deliveries to one partner that run at once, over all workers: a slow partner gets no
#: more of us, and one that comes back after hours is not overrun.
RUNNING_PER_PARTICIPANT_MAX = 2

#: Seconds a claimed delivery belongs to its worker: the longest call and a margin.
LEASE_SECONDS = 60

#: Deliveries of one view, of one clean-up, or that are brought forward at once.
ROWS_MAX = 1_000

_CLAIM_LOCK = 7_311_905


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """Something to deliver. ``payload`` holds references only, no personal data.

    ``dedupe_key``: enqueued once, however often the same cause comes by.
    """

    participant_id: int
    kind: DeliveryKind
    subject_key: str
    payload: Mapping[str, object]
    dedupe_key: str | None = None
    delivery_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as stored; ``lease_no`` fences the worker that holds it."""

    delivery_id: UUID
    participant_id: int
    kind: DeliveryKind
    subject_key: str
    payload: Mapping[str, object]
    state: DeliveryState
    attempts: int
    run_at: datetime
    lease_no: int
    created_at: datetime
    last_error_code: int | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a worker asks for; ``skip`` are participants whose link is down."""

    now: datetime
    limit: int = CLAIM_MAX
    lease_seconds: int = LEASE_SECONDS
    per_participant: int = RUNNING_PER_PARTICIPANT_MAX
    skip: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a participant's deliveries stand."""

    participant_id: int
    ready: int
    running: int
    dead: int
    oldest_ready_at: datetime | None


def enqueue(tx: Connection, new: NewDelivery, *, at: datetime) -> bool:
    """Add a delivery in the caller's transaction; it exists if that commits.

    ``False`` when one with the same dedupe key is there. Workers hear of it on commit.
    """
    added = (
        insert(outbox)
        .values(_row(new, at))
        .on_conflict_do_nothing(index_elements=["dedupe_key"])
        .returning(outbox.c.delivery_id)
    )
    if tx.execute(added).first() is None:
        return False
    ring(tx)
    return True


def enqueue_all(tx: Connection, new: Iterable[NewDelivery], *, at: datetime) -> None:
    """Add deliveries that have no dedupe key, as those of a batch, in one statement."""
    rows = [_row(one, at) for one in new]
    if rows:
        tx.execute(insert(outbox), rows)
        ring(tx)


def _row(new: NewDelivery, at: datetime) -> dict[str, object]:
    return {
        "delivery_id": new.delivery_id,
        "participant_id": new.participant_id,
        "kind": new.kind,
        "subject_key": new.subject_key,
        "payload": dict(new.payload),
        "state": DeliveryState.READY,
        "attempts": 0,
        "run_at": at,
        "lease_no": 0,
        "dedupe_key": new.dedupe_key,
        "created_at": at,
    }


def ring(tx: Connection) -> None:
    """Wake the workers when the caller's transaction commits."""
    tx.execute(select(func.pg_notify(CHANNEL, "")))


def wait_for_ring(
    listener: psycopg.Connection[tuple[object, ...]], *, timeout_seconds: int
) -> bool:
    """Wait until a worker is wanted; ``False`` after the time.

    ``listener`` comes from ``Database.listen(CHANNEL)``. Raises
    :class:`psycopg.OperationalError` when its server went away.
    """
    for _ in listener.notifies(timeout=timeout_seconds, stop_after=1):
        return True
    return False


# One claim at a time, for a millisecond: only so is the limit per participant exact.
# The rows are locked one by one all the same, against the operator's replay.
_SERIALIZE = text("SELECT pg_advisory_xact_lock(:key)")
_CLAIM = text("""
    WITH busy AS (
        SELECT participant_id, count(*) AS running FROM clearing.outbox
        WHERE state = 'RUNNING' AND lease_until > :now
        GROUP BY participant_id
    ), waiting AS (
        SELECT DISTINCT participant_id FROM clearing.outbox
        WHERE (state = 'READY' AND run_at <= :now)
           OR (state = 'RUNNING' AND lease_until <= :now)
    ), due AS (
        SELECT picked.delivery_id
        FROM waiting
        LEFT JOIN busy ON busy.participant_id = waiting.participant_id
        CROSS JOIN LATERAL (
            SELECT delivery_id, run_at FROM clearing.outbox AS one
            WHERE one.participant_id = waiting.participant_id
              AND ((one.state = 'READY' AND one.run_at <= :now)
                OR (one.state = 'RUNNING' AND one.lease_until <= :now))
            ORDER BY one.run_at
            LIMIT greatest(0, :per_participant - coalesce(busy.running, 0))
            FOR UPDATE SKIP LOCKED
        ) AS picked
        WHERE waiting.participant_id <> ALL (CAST(:skip AS integer[]))
        ORDER BY picked.run_at
        LIMIT :limit
    )
    UPDATE clearing.outbox AS claimed
    SET state = 'RUNNING', lease_until = :lease_until, lease_no = claimed.lease_no + 1
    FROM due WHERE claimed.delivery_id = due.delivery_id
    RETURNING claimed.*
""")


def claim_due(tx: Connection, claim: Claim) -> tuple[Delivery, ...]:
    """Take deliveries that are due, each participant within its limit.

    Those whose worker died (lease over) are due as well. Commit before calling anybody.
    """
    tx.execute(_SERIALIZE, {"key": _CLAIM_LOCK})
    rows = tx.execute(
        _CLAIM,
        {
            "now": claim.now,
            "lease_until": claim.now + timedelta(seconds=claim.lease_seconds),
            "limit": min(claim.limit, CLAIM_MAX),
            "per_participant": claim.per_participant,
            "skip": sorted(claim.skip),
        },
    )
    claimed = [_delivery(row) for row in rows]
    return tuple(sorted(claimed, key=lambda one: (one.run_at, one.created_at)))


def record_attempt(
    tx: Connection, delivery: Delivery, step: NextStep, *, now: datetime
) -> bool:
    """Store what became of a claimed delivery; ``False``: the lease was lost meanwhile.

    Then another worker has it, and what we know is not written.
    """
    changed = (
        update(outbox)
        .where(
            outbox.c.delivery_id == delivery.delivery_id,
            outbox.c.state == DeliveryState.RUNNING,
            outbox.c.lease_no == delivery.lease_no,
        )
        .values(
            state=step.state,
            attempts=step.attempts,
            run_at=delivery.run_at if step.run_at is None else step.run_at,
            lease_until=None,
            last_error_code=None if step.error is None else step.error.number,
            done_at=now if step.state is DeliveryState.DONE else None,
        )
    )
    return tx.execute(changed).rowcount == 1


def release(tx: Connection, deliveries: Iterable[Delivery], *, at: datetime) -> int:
    """Give claimed deliveries back untouched, as when a worker shuts down."""
    given = 0
    for delivery in deliveries:
        step = NextStep(
            state=DeliveryState.READY, attempts=delivery.attempts, run_at=at
        )
        given += record_attempt(tx, delivery, step, now=at)
    return given


def replay(tx: Connection, delivery_ids: Iterable[UUID], *, at: datetime) -> int:
    """Let dead deliveries start anew under their old ids; return how many."""
    again = (
        update(outbox)
        .where(
            among(outbox.c.delivery_id, delivery_ids),
            outbox.c.state == DeliveryState.DEAD,
        )
        .values(state=DeliveryState.READY, attempts=0, run_at=at)
    )
    count = tx.execute(again).rowcount
    if count:
        ring(tx)
    return count


def bring_forward(
    tx: Connection, participant_id: int, service: EndpointService, *, at: datetime
) -> int:
    """Make due what waits for a participant's service that was away; return how much.

    For the moment it shows that it is back. The limit of deliveries that run at once
    holds, so it is not overrun. A bounded number at a time: each that is taken then
    brings more.
    """
    kinds = [kind for kind, taker in SERVICE_OF.items() if taker is service]
    # Rows that somebody else holds are on their way already; waiting for them in no
    # order could end in a deadlock.
    waiting = (
        select(outbox.c.delivery_id)
        .where(
            outbox.c.participant_id == participant_id,
            outbox.c.state == DeliveryState.READY,
            outbox.c.run_at > at,
            outbox.c.kind.in_(kinds),
            outbox.c.last_error_code.in_(AWAY),
        )
        .limit(ROWS_MAX)
        .with_for_update(skip_locked=True)
        .cte("waiting")
    )
    earlier = (
        update(outbox)
        .where(outbox.c.delivery_id.in_(select(waiting.c.delivery_id)))
        .values(run_at=at)
    )
    count = tx.execute(earlier).rowcount
    if count:
        ring(tx)
    return count


def dead_letters(
    tx: Connection, *, participant_id: int | None = None, limit: int = 100
) -> tuple[Delivery, ...]:
    """Return deliveries that were given up, newest first."""
    query = select(outbox).where(outbox.c.state == DeliveryState.DEAD)
    if participant_id is not None:
        query = query.where(outbox.c.participant_id == participant_id)
    query = query.order_by(outbox.c.created_at.desc()).limit(min(limit, ROWS_MAX))
    return tuple(_delivery(row) for row in tx.execute(query))


def queues(tx: Connection) -> tuple[Queue, ...]:
    """Return how each participant's deliveries stand; those all done are left out."""
    state = outbox.c.state
    ready = state == DeliveryState.READY
    query = (
        select(
            outbox.c.participant_id,
            func.count().filter(ready).label("ready"),
            func.count().filter(state == DeliveryState.RUNNING).label("running"),
            func.count().filter(state == DeliveryState.DEAD).label("dead"),
            func.min(outbox.c.run_at).filter(ready).label("oldest_ready_at"),
        )
        .where(state != DeliveryState.DONE)
        .group_by(outbox.c.participant_id)
        .order_by(outbox.c.participant_id)
    )
    return tuple(
        Queue(
            participant_id=row.participant_id,
            ready=row.ready,
            running=row.running,
            dead=row.dead,
            oldest_ready_at=row.oldest_ready_at,
        )
        for row in tx.execute(query)
    )


def forget_done(tx: Connection, *, before: datetime) -> int:
    """Delete deliveries that were done before an instant; return how many."""
    old = (
        select(outbox.c.delivery_id)
        .where(outbox.c.state == DeliveryState.DONE, outbox.c.done_at < before)
        .limit(ROWS_MAX)
    )
    return tx.execute(delete(outbox).where(outbox.c.delivery_id.in_(old))).rowcount


def _delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        participant_id=row.participant_id,
        kind=DeliveryKind(row.kind),
        subject_key=row.subject_key,
        payload=row.payload,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        run_at=row.run_at,
        lease_no=row.lease_no,
        created_at=row.created_at,
        last_error_code=row.last_error_code,
        done_at=row.done_at,
    )
