"""EVSE status: newest wins, and what is not confirmed in time becomes unknown.

A status that goes stale is a change like any other, so that partners get it by pulling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.domain.evses import Availability, EvseStatus, Occupancy
from clearinghouse.storage.feeds import Cursor, Page, page_of, paged
from clearinghouse.storage.tables.columns import among, touched
from clearinghouse.storage.tables.evses import evse, evse_status

#: Statuses that one run of the timer turns stale. It bounds its transaction.
EXPIRED_MAX = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStatus:
    """A status with the operator and the written form of the EVSE's id."""

    cso_id: int
    evse_id: str
    status: EvseStatus


def put_statuses(
    tx: Connection, cso_id: int, statuses: Sequence[EvseStatus]
) -> frozenset[str]:
    """Store reported statuses, one of each EVSE; return the keys of those used.

    An older one than what is known is not used, nor one of another CSO's EVSE.
    """
    if not statuses:
        return frozenset()
    # In one order, so that two messages never wait for each other.
    ordered = sorted(statuses, key=lambda status: status.evse_key)
    new = insert(evse_status).values([_values(cso_id, status) for status in ordered])
    replaced = {
        name: new.excluded[name]
        for name in ("availability", "occupancy", "occurred_at", "valid_until", "stale")
    }
    upsert = new.on_conflict_do_update(
        index_elements=["evse_key"],
        set_=replaced | touched(),
        where=(evse_status.c.cso_id == cso_id)
        & (evse_status.c.occurred_at <= new.excluded.occurred_at),
    ).returning(evse_status.c.evse_key)
    return frozenset(tx.execute(upsert).scalars())


def expire_statuses(tx: Connection, *, now: datetime) -> int:
    """Turn statuses whose life is over into unknown, as changes; return how many."""
    due = (
        select(evse_status.c.evse_key)
        .where(~evse_status.c.stale, evse_status.c.valid_until <= now)
        .order_by(evse_status.c.valid_until)
        .limit(EXPIRED_MAX)
        .with_for_update(skip_locked=True)
    )
    expired = (
        update(evse_status)
        .where(evse_status.c.evse_key.in_(due))
        .values(
            availability=Availability.UNKNOWN,
            occupancy=Occupancy.UNKNOWN,
            stale=True,
            **touched(),
        )
    )
    return tx.execute(expired).rowcount


def statuses_changed(
    tx: Connection, cso_ids: Iterable[int], *, cursor: Cursor, limit: int
) -> Page[StoredStatus]:
    """Return the statuses of some CSOs' EVSEs that changed after the cursor."""
    written = func.coalesce(evse.c.spaced, evse_status.c.evse_key).label("written")
    query = (
        select(evse_status, written)
        .outerjoin(evse, evse.c.evse_key == evse_status.c.evse_key)
        .where(among(evse_status.c.cso_id, cso_ids))
    )
    rows = tx.execute(paged(query, evse_status, cursor, limit)).all()
    statuses = [
        StoredStatus(cso_id=row.cso_id, evse_id=row.written, status=_status(row))
        for row in rows
    ]
    return page_of(rows, statuses, cursor=cursor, limit=limit)


def _values(cso_id: int, status: EvseStatus) -> dict[str, object]:
    return {
        "evse_key": status.evse_key,
        "cso_id": cso_id,
        "availability": status.availability,
        "occupancy": status.occupancy,
        "occurred_at": status.occurred_at,
        "valid_until": status.valid_until,
        "stale": status.stale,
    }


def _status(row: Row[*tuple[Any, ...]]) -> EvseStatus:
    return EvseStatus(
        evse_key=row.evse_key,
        availability=Availability(row.availability),
        occupancy=Occupancy(row.occupancy),
        occurred_at=row.occurred_at,
        valid_until=row.valid_until,
        stale=row.stale,
    )
