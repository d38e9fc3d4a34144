"""Intermediate SDRs: appended, found by number and by event, nothing ever changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, func, insert, select, text

from clearinghouse.domain.intermediate_sdrs import (
    PER_SESSION_MAX,
    IntermediateSdr,
    Neighbours,
)
from clearinghouse.domain.sdr_facts import SoFar
from clearinghouse.storage.tables.sessions import intermediate_sdr as table

_FIELDS = tuple(IntermediateSdr.__dataclass_fields__)
_COLUMNS = tuple(table.c[name] for name in _FIELDS)

_LAST = text("""
    SELECT DISTINCT ON (session_id) session_id, sequence_no, energy_wh, occurred_at
    FROM clearing.intermediate_sdr WHERE session_id = ANY (CAST(:ids AS uuid[]))
    ORDER BY session_id, sequence_no DESC
""")


def append(tx: Connection, new: IntermediateSdr, *, received_at: datetime) -> None:
    """Store one; its number is free, since the session is locked."""
    values = {name: getattr(new, name) for name in _FIELDS}
    tx.execute(insert(table).values(**values, received_at=received_at))


def of_event(
    tx: Connection, session_id: UUID, event_id: UUID
) -> IntermediateSdr | None:
    """Return the one that came with an event of a session."""
    return _one(tx, _of(session_id).where(table.c.event_id == event_id))


def before(tx: Connection, session_id: UUID, number: int) -> Neighbours:
    """Return the next ones of lower numbers."""
    query = _of(session_id).where(table.c.sequence_no < number)
    return _neighbours(tx, query.order_by(table.c.sequence_no.desc()))


def from_number(tx: Connection, session_id: UUID, number: int) -> Neighbours:
    """Return the one with this number, or else the next ones of higher numbers."""
    query = _of(session_id).where(table.c.sequence_no >= number)
    return _neighbours(tx, query.order_by(table.c.sequence_no))


def _neighbours(tx: Connection, query: Select[Any]) -> Neighbours:
    metered = query.where(table.c.meter_wh.is_not(None))
    return Neighbours(_one(tx, query.limit(1)), _one(tx, metered.limit(1)))


def newest(tx: Connection, session_id: UUID) -> IntermediateSdr | None:
    """Return the one with the highest number."""
    return _one(tx, _of(session_id).order_by(table.c.sequence_no.desc()).limit(1))


def up_to(tx: Connection, session_id: UUID, number: int) -> list[IntermediateSdr]:
    """Return all with lower numbers, in order."""
    query = _of(session_id).where(table.c.sequence_no < number)
    rows = tx.execute(query.order_by(table.c.sequence_no).limit(PER_SESSION_MAX))
    return [_read(row) for row in rows]


def count_of(tx: Connection, session_id: UUID) -> int:
    """Return how many a session has."""
    query = select(func.count()).where(table.c.session_id == session_id)
    return tx.execute(query).scalar_one()


def last_of(tx: Connection, session_ids: Collection[UUID]) -> dict[UUID, SoFar]:
    """Return what the newest of each session tells; those without are left out."""
    if not session_ids:
        return {}
    # The driver's own arrays take ten times as long as this text.
    ids = ",".join([one.hex for one in session_ids])
    rows = tx.execute(_LAST, {"ids": f"{{{ids}}}"})
    return {row[0]: SoFar(*row[1:]) for row in rows}


def _of(session_id: UUID) -> Select[Any]:
    return select(*_COLUMNS).where(table.c.session_id == session_id)


def _one(tx: Connection, query: Select[Any]) -> IntermediateSdr | None:
    row = tx.execute(query).one_or_none()
    return None if row is None else _read(row)


def _read(row: Row[Any]) -> IntermediateSdr:
    return IntermediateSdr(**dict(zip(_FIELDS, row, strict=True)))
