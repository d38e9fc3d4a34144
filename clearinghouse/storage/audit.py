"""The audit trail: who did what to what, and how it ended; append-only.

Personal data only as pseudonyms, so that an erasure never touches the trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from clearinghouse.storage.tables.messages import audit_entry

#: Entries of one page of the trail.
ENTRIES_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act; ``seq`` is drawn by the database."""

    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    correlation_id: UUID | None = None
    seq: int | None = None


def record(tx: Connection, entry: AuditEntry) -> None:
    """Append an entry in the caller's transaction."""
    tx.execute(
        insert(audit_entry).values(
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            object=entry.object,
            outcome=entry.outcome,
            correlation_id=entry.correlation_id,
        )
    )


def entries_before(
    tx: Connection, seq: int | None = None, *, limit: int = 100
) -> tuple[AuditEntry, ...]:
    """Return the newest entries below a number, newest first."""
    query = select(audit_entry).order_by(audit_entry.c.seq.desc())
    if seq is not None:
        query = query.where(audit_entry.c.seq < seq)
    rows = tx.execute(query.limit(min(limit, ENTRIES_MAX)))
    return tuple(
        AuditEntry(
            seq=row.seq,
            at=row.at,
            actor=row.actor,
            action=row.action,
            object=row.object,
            outcome=row.outcome,
            correlation_id=row.correlation_id,
        )
        for row in rows
    )
