"""SDRs that wait for a decision."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.storage.sdrs import EXCLUDED, StoredSdr, sdr_query, stored_of
from clearinghouse.storage.tables.participants import agreement
from clearinghouse.storage.tables.sdrs import sdr


def held_sdrs(tx: Connection, *, limit: int) -> list[StoredSdr]:
    """Return SDRs that wait for a decision, oldest first."""
    query = sdr_query().where(sdr.c.status == SdrStatus.HELD, ~EXCLUDED)
    query = query.order_by(sdr.c.received_at, sdr.c.sdr_no).limit(limit)
    return [stored_of(row) for row in tx.execute(query)]


def overdue_sdrs(tx: Connection, *, now: datetime, limit: int) -> list[StoredSdr]:
    """Return SDRs that waited longer than the terms that judged them allow.

    Those that know no agreement, from before, wait as long as is usual.
    """
    days = func.coalesce(agreement.c.held_days, Terms().held_days)
    query = (
        sdr_query()
        .where(
            sdr.c.status == SdrStatus.HELD,
            ~EXCLUDED,
            sdr.c.received_at < now - func.make_interval(0, 0, 0, days),
        )
        .order_by(sdr.c.received_at, sdr.c.sdr_no)
        .limit(limit)
    )
    return [stored_of(row) for row in tx.execute(query)]


def count_held(tx: Connection) -> dict[int, int]:
    """Return how many SDRs of each window wait for a decision; none is left out."""
    query = (
        select(sdr.c.window_id, func.count())
        .where(sdr.c.status == SdrStatus.HELD, ~EXCLUDED)
        .group_by(sdr.c.window_id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}
