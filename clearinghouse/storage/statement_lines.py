"""The lines of a statement, read by a cursor: a window may have a million of them.

The database writes instants as documents do and the driver makes numbers of the rest,
so that a line costs microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

from clearinghouse.domain.statements import Direction, Statement, StatementLine
from clearinghouse.storage.database import Database
from clearinghouse.storage.statement_vat import Treated, documents_of

#: Lines that are read and written at a time: the memory of a rendering.
LINES_PER_BATCH = 2_000

# Collation "C": the order of a document must not hang on the server's language.
_LINES = sql.SQL("""
    SELECT s.sdr_uid, submitter.party_id, csp.party_id,
           coalesce(s.session_id::text, ''), s.detail ->> 'evse',
           replace(to_char(s.started_at AT TIME ZONE 'UTC',
                           'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z',
           replace(to_char(s.ended_at AT TIME ZONE 'UTC',
                           'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z',
           s.energy_wh, s.charge_seconds, s.idle_seconds, s.parking_seconds,
           t.tariff_id, t.version, s.engine_version,
           s.submitter_id = {participant_id}, s.claimed_minor, s.net_minor,
           s.rule_codes,
           CASE WHEN s.ref_sdr_no IS NULL THEN '' ELSE coalesce(
               (SELECT r.sdr_uid FROM clearing.sdr AS r
                WHERE r.window_id = s.ref_window_id AND r.sdr_no = s.ref_sdr_no), '')
           END,
           s.vat_category, s.vat_rate_bp,
           s.kind = 'CREDIT' AND s.ref_window_id <> s.window_id,
           s.kind, coalesce(s.match_kind, ''), coalesce(s.ref_window_id::text, '')
    FROM clearing.sdr AS s
    JOIN clearing.participant AS submitter ON submitter.participant_id = s.submitter_id
    JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
    JOIN clearing.tariff AS t USING (tariff_version_id)
    WHERE s.window_id = {window_id} AND s.status = 'ACCEPTED'
      AND s.currency = {currency}
      AND (s.submitter_id = {participant_id} OR s.csp_id = {participant_id})
      AND NOT EXISTS (SELECT FROM clearing.sdr_exclusion AS e
                      WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
    ORDER BY s.started_at, submitter.party_id COLLATE "C", s.sdr_uid COLLATE "C"
    LIMIT {limit}
""")


def lines_of(
    tx: Connection, facts: Statement, *, limit: int | None = None
) -> Iterator[list[StatementLine]]:
    """Give the lines of a statement in its order, in batches; memory stays flat.

    ``limit``: only so many, the first ones.
    """
    stands_on = documents_of(facts)
    query = _LINES.format(
        participant_id=sql.Literal(facts.participant_id),
        window_id=sql.Literal(facts.window_id),
        currency=sql.Literal(facts.currency),
        limit=sql.Literal(limit),
    )
    for rows in Database.fetched(tx, query, batch=LINES_PER_BATCH):
        yield [_line(row, stands_on) for row in rows]


def _line(row: Sequence[Any], stands_on: Mapping[Treated, str] | None) -> StatementLine:
    receives, *amounts, category, rate_bp, is_note = row[14:22]
    vat = "", 0, ""
    if stands_on is not None:
        other = row[2] if receives else row[1]
        treated = (other, receives, category, rate_bp, is_note)
        vat = category, rate_bp, stands_on.get(treated, "")
    direction = Direction.RECEIVABLE if receives else Direction.PAYABLE
    return StatementLine._make((*row[:14], direction, *amounts, *vat, *row[22:]))
