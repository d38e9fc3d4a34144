"""SDRs on their way to their home CSPs: stretches of batches."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.storage.sdrs import (
    ANNOUNCED,
    EXCLUDED,
    WholeSdr,
    whole_of,
    whole_query,
)
from clearinghouse.storage.tables.sdrs import sdr

_DELIVERED = text("""
    INSERT INTO clearing.sdr_event (window_id, sdr_no, status, at, actor_id)
    SELECT s.window_id, s.sdr_no, 'DELIVERED', :at, :csp_id
    FROM clearing.sdr AS s
    WHERE s.window_id = :window_id AND s.csp_id = :csp_id AND s.status = 'ACCEPTED'
      AND s.batch_id = :batch_id AND s.sdr_no BETWEEN :first AND :last
      -- An attempt may be repeated after its answer was lost.
      AND NOT EXISTS (SELECT FROM clearing.sdr_event AS e
                      WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no
                        AND e.status = 'DELIVERED')
""")


class Stretch(NamedTuple):
    """Part of a batch for one home CSP: the numbers from ``first`` to ``last``."""

    batch_id: UUID
    window_id: int
    csp_id: int
    first: int
    last: int


def sdrs_of_stretch(tx: Connection, stretch: Stretch) -> list[WholeSdr]:
    """Return the SDRs of a delivery that still have to be paid, or will have."""
    query = (
        whole_query()
        .where(
            sdr.c.window_id == stretch.window_id,
            sdr.c.csp_id == stretch.csp_id,
            sdr.c.batch_id == stretch.batch_id,
            sdr.c.sdr_no.between(stretch.first, stretch.last),
            (sdr.c.status == SdrStatus.ACCEPTED) | ANNOUNCED,
            ~EXCLUDED,
        )
        .order_by(sdr.c.sdr_no)
    )
    return [whole_of(row) for row in tx.execute(query)]


def note_delivered(tx: Connection, stretch: Stretch, *, at: datetime) -> int:
    """Note that the home CSP has the SDRs of a delivery; return how many are new."""
    place = {**stretch._asdict(), "at": at}
    return tx.execute(_DELIVERED, place).rowcount
