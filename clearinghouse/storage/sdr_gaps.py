"""Batches that are missing: refused ones show it, and so does silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

#: Alarms of one look. It bounds what is logged and shown.
ALARMS_MAX = 1_000

_NOTE = text("""
    INSERT INTO clearing.sdr_gap (submitter_id, expected, found, at)
    VALUES (:submitter_id, :expected, :found, :at)
    ON CONFLICT (submitter_id, expected) DO NOTHING
""")

_LAST = text("""
    SELECT received_at FROM clearing.sdr_batch WHERE submitter_id = :submitter_id
    ORDER BY batch_sequence DESC LIMIT 1
""")

# A missing batch: none with the number that was expected has come since. Silence: an
# agreement by which SDRs come here is in force that long, and no batch came meanwhile.
_ALARMS = text("""
    SELECT p.party_id, 'GAP' AS kind, g.at AS since, g.expected, g.found
    FROM clearing.sdr_gap AS g
    JOIN clearing.participant AS p ON p.participant_id = g.submitter_id
    WHERE g.at <= :since AND NOT EXISTS (
        SELECT FROM clearing.sdr_batch AS b
        WHERE b.submitter_id = g.submitter_id AND b.batch_sequence = g.expected)
    UNION ALL
    SELECT p.party_id, 'SILENCE', greatest(a.began, last.received_at),
           coalesce(last.batch_sequence, 0) + 1, NULL
    FROM clearing.participant AS p
    JOIN LATERAL (
        SELECT min(valid_from) AS began FROM clearing.agreement
        WHERE visited_id = p.participant_id AND mode <> 'A' AND valid_from <= :now
          AND (valid_until IS NULL OR valid_until > :now)) AS a ON a.began IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT received_at, batch_sequence FROM clearing.sdr_batch
        WHERE submitter_id = p.participant_id
        ORDER BY batch_sequence DESC LIMIT 1) AS last ON true
    WHERE p.status = 'ACTIVE' AND greatest(a.began, last.received_at) <= :since
    ORDER BY 3, 1, 2
    LIMIT :limit
""")


class Alarm(NamedTuple):
    """A batch that should be here: ``kind`` GAP or SILENCE, and since when.

    ``expected``: the number of the missing batch; ``found``: the one that came instead.
    """

    party_id: str
    kind: str
    since: datetime
    expected: int
    found: int | None


def note_gap(
    tx: Connection, submitter_id: int, *, expected: int, found: int, at: datetime
) -> None:
    """Note that a batch came before the one that was expected; once for each."""
    place = {
        "submitter_id": submitter_id,
        "expected": expected,
        "found": found,
        "at": at,
    }
    tx.execute(_NOTE, place)


def last_batch_at(tx: Connection, submitter_id: int) -> datetime | None:
    """Return when the submitter's last batch came."""
    found: datetime | None = tx.execute(
        _LAST, {"submitter_id": submitter_id}
    ).scalar_one_or_none()
    return found


def alarms(tx: Connection, *, now: datetime, since: datetime) -> Sequence[Alarm]:
    """Return what is missing since an instant or longer, the oldest first."""
    rows = tx.execute(_ALARMS, {"now": now, "since": since, "limit": ALARMS_MAX})
    return [Alarm(*row) for row in rows]
