"""SDRs that wait for a decision."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.sdrs import MatchKind, SdrStatus
from clearinghouse.domain.sessions import SDR_STATES
from clearinghouse.storage.sdr_decisions import Match
from clearinghouse.storage.sdrs import (
    EXCLUDED,
    Place,
    StoredSdr,
    at_places,
    sdr_query,
    stored_of,
)
from clearinghouse.storage.tables.participants import agreement
from clearinghouse.storage.tables.sdrs import sdr

# What only waits for its session, and fits one now: one that came late, or began to be
# something that an SDR may end. The start that the CSO reported counts as well as ours:
# a station without a connection reports late.
_REMATCHED = text("""
    SELECT s.window_id, s.sdr_no, q.session_id, q.kind
    FROM clearing.sdr AS s
    LEFT JOIN clearing.agreement AS a ON a.agreement_id = s.agreement_id
    CROSS JOIN LATERAL (
        SELECT c.session_id, c.kind FROM (
            SELECT o.*, 'SESSION_ID' AS kind, 1 AS rank FROM clearing.session AS o
            WHERE o.session_id = s.session_id
            UNION ALL
            SELECT o.*, 'PARTNER_SESSION_ID', 2
            FROM clearing.session_partner_id AS p
            JOIN clearing.session AS o USING (session_id)
            WHERE s.session_id IS NULL AND p.participant_id = s.submitter_id
              AND p.value = s.detail ->> 'partner'
            UNION ALL
            SELECT o.*, 'EVSE_AND_USER', 3 FROM clearing.session AS o
            WHERE s.session_id IS NULL AND o.evse_key = s.evse_key
              AND (o.subject_id = s.subject_id OR EXISTS (
                SELECT FROM clearing.credential AS c
                WHERE c.subject_id = o.subject_id
                  AND c.contract_subject_id = s.subject_id))
              AND abs(extract(epoch FROM coalesce(o.started_at, o.created_at)
                                         - s.started_at))
                  <= coalesce(a.match_seconds, :usual_seconds)
        ) AS c
        WHERE c.state = ANY (CAST(:states AS text[])) AND c.home_id = s.csp_id
          AND c.evse_key = s.evse_key AND c.visited_id IN (s.cso_id, s.submitter_id)
        ORDER BY c.rank, c.created_at LIMIT 1
    ) AS q
    WHERE s.status = 'HELD'
      AND NOT EXISTS (
        SELECT FROM clearing.sdr_exclusion AS x
        WHERE x.window_id = s.window_id AND x.sdr_no = s.sdr_no)
      AND EXISTS (
        SELECT FROM clearing.rule_hit AS h
        WHERE h.window_id = s.window_id AND h.sdr_no = s.sdr_no AND h.rule = 'S-201')
      AND NOT EXISTS (
        SELECT FROM clearing.rule_hit AS h
        WHERE h.window_id = s.window_id AND h.sdr_no = s.sdr_no
          AND h.severity = 'H' AND h.rule NOT IN ('S-201', 'S-211'))
    ORDER BY s.received_at, s.sdr_no
    LIMIT :limit
""")

_PLACE = (sdr.c.window_id, sdr.c.sdr_no)
_WAITS = (sdr.c.status == SdrStatus.HELD) & ~EXCLUDED


def held_sdrs(tx: Connection, *, limit: int) -> list[StoredSdr]:
    """Return SDRs that wait for a decision, oldest first."""
    return _oldest(tx, select(*_PLACE).where(_WAITS), limit)


def overdue_sdrs(tx: Connection, *, now: datetime, limit: int) -> list[StoredSdr]:
    """Return SDRs that waited longer than the terms that judged them allow.

    Those that know no agreement, from before, wait as long as is usual.
    """
    days = func.coalesce(agreement.c.held_days, Terms().held_days)
    query = (
        select(*_PLACE)
        .outerjoin(agreement, agreement.c.agreement_id == sdr.c.agreement_id)
        .where(_WAITS, sdr.c.received_at < now - func.make_interval(0, 0, 0, days))
    )
    return _oldest(tx, query, limit)


def _oldest(tx: Connection, query: Select[Any], limit: int) -> list[StoredSdr]:
    """Read the SDRs at the places that a query gives, as far as they still wait."""
    order = (sdr.c.received_at, sdr.c.sdr_no)
    rows = tx.execute(query.order_by(*order).limit(limit))
    places = [Place(row.window_id, row.sdr_no) for row in rows]
    if not places:
        return []
    there = at_places(sdr_query(), places).where(_WAITS).order_by(*order)
    return [stored_of(row) for row in tx.execute(there)]


def count_held(tx: Connection) -> dict[int, int]:
    """Return how many SDRs of each window wait for a decision; none is left out."""
    query = (
        select(sdr.c.window_id, func.count()).where(_WAITS).group_by(sdr.c.window_id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}


def rematched(tx: Connection, *, limit: int) -> dict[Place, Match]:
    """Return held SDRs that missed a session and fit one now, the oldest first."""
    place = {
        "states": [state.value for state in SDR_STATES],
        "usual_seconds": Terms().match_seconds,
        "limit": limit,
    }
    return {
        Place(row.window_id, row.sdr_no): Match(row.session_id, MatchKind(row.kind))
        for row in tx.execute(_REMATCHED, place)
    }


def sdrs_at(tx: Connection, places: Collection[Place]) -> list[StoredSdr]:
    """Return the SDRs at some places, each named once."""
    if not places:
        return []
    return [stored_of(row) for row in tx.execute(at_places(sdr_query(), places))]
