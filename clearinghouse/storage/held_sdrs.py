"""SDRs that wait for a decision."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.storage.sdrs import EXCLUDED, StoredSdr, sdr_query, stored_of
from clearinghouse.storage.tables.sdrs import sdr


def held_sdrs(
    tx: Connection, *, limit: int, before: datetime | None = None
) -> list[StoredSdr]:
    """Return SDRs that wait for a decision, oldest first; those received ``before``."""
    query = sdr_query().where(sdr.c.status == SdrStatus.HELD, ~EXCLUDED)
    if before is not None:
        query = query.where(sdr.c.received_at < before)
    query = query.order_by(sdr.c.received_at, sdr.c.sdr_no).limit(limit)
    return [stored_of(row) for row in tx.execute(query)]


def count_held(tx: Connection) -> dict[int, int]:
    """Return how many SDRs of each window wait for a decision; none is left out."""
    query = (
        select(sdr.c.window_id, func.count())
        .where(sdr.c.status == SdrStatus.HELD, ~EXCLUDED)
        .group_by(sdr.c.window_id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}
