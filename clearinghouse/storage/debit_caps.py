"""Net debit caps, what they are compared with, and what waits for room (S-211).

There is no row that counts what is reserved: the totals of a batch are the reservation.
They are written in the batch's own transaction, so what breaks off leaves none behind;
the lock of the CSP is held until then, so that nobody counts without them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select, text

from clearinghouse.domain.debit_caps import Charge, DebitCap
from clearinghouse.storage.sdrs import Place
from clearinghouse.storage.tables.debit_caps import debit_cap

#: First half of the key of the lock of a capped CSP: one at a time adds to its debts.
DEBIT_LOCK = 73_119_041

#: Versions of one view, the newest.
CAPS_MAX = 10_000

_LOCK = text("SELECT pg_advisory_xact_lock(:space, :csp_id)")
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:space, :csp_id)")

_IN_FORCE = text("""
    SELECT participant_id, party_id, currency, limit_minor, valid_from, cap_id
    FROM (
        SELECT DISTINCT ON (party_id, currency) *
        FROM clearing.debit_cap WHERE valid_from <= :at
        ORDER BY party_id, currency, valid_from DESC, cap_id DESC
    ) AS c JOIN clearing.participant USING (party_id)
    WHERE limit_minor IS NOT NULL
    ORDER BY party_id, currency
""")

# One statement and so one look: a window that closes meanwhile is seen once, on either
# side. A debt ends when the account of its debtor in the run that took it is settled; a
# run that is being reversed ends none.
_OWED = text("""
    WITH paid AS (
        SELECT r.run_id FROM clearing.settlement_run AS r
        WHERE NOT EXISTS (
                SELECT FROM clearing.settlement_run AS reversal
                WHERE reversal.reverses_run_id = r.run_id)
          AND EXISTS (
                SELECT FROM unnest(ARRAY['', CAST(:party_id AS text)]) AS o (owner)
                WHERE 'SETTLED' = (
                    SELECT s.to_state FROM clearing.run_state AS s
                    WHERE s.run_id = r.run_id AND s.owner = o.owner
                    ORDER BY s.seq DESC LIMIT 1))
    )
    SELECT t.window_id, t.submitter_id, t.kind, t.vat_category, t.vat_rate_bp,
           sum(t.net_minor)::bigint
    FROM clearing.batch_total AS t
    JOIN clearing.settlement_window AS w USING (window_id)
    WHERE w.state <> 'CLOSED' AND t.csp_id = :csp_id AND t.currency = :currency
    GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT 0, 0, '', '', 0, coalesce(sum(p.net_minor + p.vat_minor), 0)::bigint
    FROM clearing.settlement_pair AS p
    JOIN clearing.settlement AS s USING (settlement_id)
    WHERE p.debtor_id = :csp_id AND s.currency = :currency
      AND NOT EXISTS (
          SELECT FROM clearing.run_pair AS r
          WHERE (r.settlement_id, r.debtor_id, r.creditor_id)
              = (p.settlement_id, p.debtor_id, p.creditor_id)
            AND r.run_id IN (SELECT run_id FROM paid))
""")

# What nothing but a cap holds, the oldest of each CSP and currency.
_WAITING = text("""
    SELECT window_id, sdr_no FROM (
        SELECT s.window_id, s.sdr_no, s.received_at, row_number() OVER (
                   PARTITION BY s.csp_id, s.currency ORDER BY s.received_at, s.sdr_no
               ) AS place
        FROM clearing.sdr AS s
        WHERE s.status = 'HELD'
          AND NOT EXISTS (
            SELECT FROM clearing.sdr_exclusion AS x
            WHERE x.window_id = s.window_id AND x.sdr_no = s.sdr_no)
          AND clearing.is_capped(s.window_id, s.sdr_no)
    ) AS q WHERE place <= :limit
    ORDER BY received_at, sdr_no
""")

_CAPPED = text("""
    SELECT q.window_id, q.sdr_no
    FROM unnest(CAST(:windows AS integer[]), CAST(:numbers AS bigint[]))
         AS q (window_id, sdr_no)
    WHERE clearing.is_capped(q.window_id, q.sdr_no)
""")


class CapInForce(NamedTuple):
    """The cap of one CSP and currency that counts now."""

    csp_id: int
    party_id: str
    currency: str
    limit_minor: int
    valid_from: datetime
    cap_id: int


def add_cap(tx: Connection, cap: DebitCap, *, at: datetime) -> int:
    """Store a version; return its number."""
    statement = insert(debit_cap).values(
        party_id=cap.party_id,
        currency=cap.currency,
        limit_minor=cap.limit_minor,
        valid_from=cap.valid_from,
        created_at=at,
    )
    return int(tx.execute(statement.returning(debit_cap.c.cap_id)).scalar_one())


def caps(tx: Connection) -> list[DebitCap]:
    """Return all versions by party and number, lifted ones too."""
    query = select(debit_cap).order_by(debit_cap.c.party_id, debit_cap.c.cap_id)
    return [_cap(row) for row in tx.execute(query.limit(CAPS_MAX))]


def cap_at(
    tx: Connection, party_id: str, currency: str, at: datetime
) -> DebitCap | None:
    """Return the version that counts at an instant, a lifted one too."""
    query = (
        select(debit_cap)
        .where(
            debit_cap.c.party_id == party_id,
            debit_cap.c.currency == currency,
            debit_cap.c.valid_from <= at,
        )
        .order_by(debit_cap.c.valid_from.desc(), debit_cap.c.cap_id.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _cap(row)


def _cap(row: Row[Any]) -> DebitCap:
    return DebitCap(
        party_id=row.party_id,
        currency=row.currency,
        limit_minor=row.limit_minor,
        valid_from=row.valid_from,
        cap_id=row.cap_id,
    )


def caps_in_force(tx: Connection, at: datetime) -> list[CapInForce]:
    """Return the caps that count, by party: the begun last, of several the put last."""
    return [CapInForce(*row) for row in tx.execute(_IN_FORCE, {"at": at})]


def lock_debits(tx: Connection, csp_id: int) -> None:
    """Wait until nobody else adds to the debts of a capped CSP."""
    tx.execute(_LOCK, {"space": DEBIT_LOCK, "csp_id": csp_id})


def try_lock_debits(tx: Connection, csp_id: int) -> bool:
    """Take the same lock if nobody has it; say whether."""
    place = {"space": DEBIT_LOCK, "csp_id": csp_id}
    return bool(tx.execute(_TRY_LOCK, place).scalar_one())


def owed(tx: Connection, cap: CapInForce) -> list[Charge]:
    """Return what a CSP owes: of windows not closed, and closed and not settled."""
    place = {
        "csp_id": cap.csp_id,
        "party_id": cap.party_id,
        "currency": cap.currency,
    }
    return [Charge(*row) for row in tx.execute(_OWED, place)]


def waiting(tx: Connection, *, limit: int) -> list[Place]:
    """Return what only a cap holds, at most so many of each CSP and currency."""
    return [Place(*row) for row in tx.execute(_WAITING, {"limit": limit})]


def capped(tx: Connection, places: Collection[Place]) -> set[Place]:
    """Return which of some held SDRs nothing but a cap holds."""
    if not places:
        return set()
    numbers = {
        "windows": [place.window_id for place in places],
        "numbers": [place.sdr_no for place in places],
    }
    return {Place(*row) for row in tx.execute(_CAPPED, numbers)}
