"""Snapshots of balances: derived from postings in blocks, and derived again (2.9).

A snapshot is never the truth: whoever doubts it adds the postings up. It says what an
account held after a block, so that a change behind the ledger's back is seen.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

#: Key of the lock under which one block at a time is made.
BLOCK_LOCK = 7_311_901_017

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")

# What a transaction that still runs posts belongs to a later block.
_BLOCK = text("""
    WITH last AS (
        SELECT coalesce(max(block_no), 0) AS block_no,
               coalesce(max(until_xid::text::numeric), 0) AS until_xid
        FROM clearing.balance_block
    ), bounds AS (
        SELECT block_no + 1 AS block_no, until_xid::text::xid8 AS from_xid,
               pg_snapshot_xmin(pg_current_snapshot()) AS until_xid
        FROM last
    )
    INSERT INTO clearing.balance_block
        (block_no, from_xid, until_xid, postings, made_at)
    SELECT b.block_no, b.from_xid, b.until_xid, count(*), :at
    FROM bounds AS b JOIN clearing.posting AS p
        ON p.posted_xid >= b.from_xid AND p.posted_xid < b.until_xid
    GROUP BY b.block_no, b.from_xid, b.until_xid
    RETURNING block_no
""")

_SNAPSHOT = text("""
    INSERT INTO clearing.balance_snapshot
        (block_no, account, currency, moved_minor, balance_minor)
    SELECT :block_no, moved.account, moved.currency, moved.minor,
           moved.minor + coalesce((
               SELECT s.balance_minor FROM clearing.balance_snapshot AS s
               WHERE s.account = moved.account AND s.currency = moved.currency
                 AND s.block_no < :block_no
               ORDER BY s.block_no DESC LIMIT 1), 0)
    FROM (
        SELECT leg.account, leg.currency, sum(leg.minor)::bigint AS minor
        FROM clearing.balance_block AS b
        JOIN clearing.posting AS p
            ON p.posted_xid >= b.from_xid AND p.posted_xid < b.until_xid
        CROSS JOIN LATERAL (
            VALUES (p.debit_account, p.currency, -p.amount_minor),
                   (p.credit_account, p.currency, p.amount_minor)
        ) AS leg (account, currency, minor)
        WHERE b.block_no = :block_no GROUP BY 1, 2
    ) AS moved
""")

# A block derived anew against its snapshot, and each balance against the one before.
_DIFFERENCES = text("""
    WITH wanted AS (
        SELECT * FROM clearing.balance_block
        WHERE CAST(:block_no AS integer) IS NULL OR block_no = :block_no
    ), derived AS (
        SELECT b.block_no, leg.account, leg.currency, sum(leg.minor)::bigint AS minor
        FROM wanted AS b
        JOIN clearing.posting AS p
            ON p.posted_xid >= b.from_xid AND p.posted_xid < b.until_xid
        CROSS JOIN LATERAL (
            VALUES (p.debit_account, p.currency, -p.amount_minor),
                   (p.credit_account, p.currency, p.amount_minor)
        ) AS leg (account, currency, minor)
        GROUP BY 1, 2, 3
    ), kept AS (
        SELECT s.block_no, s.account, s.currency, s.moved_minor, s.balance_minor,
               coalesce((
                   SELECT e.balance_minor FROM clearing.balance_snapshot AS e
                   WHERE e.account = s.account AND e.currency = s.currency
                     AND e.block_no < s.block_no
                   ORDER BY e.block_no DESC LIMIT 1), 0) AS before_minor
        FROM clearing.balance_snapshot AS s JOIN wanted USING (block_no)
    )
    SELECT block_no, account, currency, kept.moved_minor AS snapshot,
           derived.minor AS postings, kept.before_minor, kept.balance_minor
    FROM derived FULL JOIN kept USING (block_no, account, currency)
    WHERE coalesce(derived.minor, 0) <> coalesce(kept.moved_minor, 0)
       OR kept.balance_minor <> kept.before_minor + kept.moved_minor
    ORDER BY block_no, account COLLATE "C", currency LIMIT :limit
""")

_COUNTS = text("""
    SELECT b.block_no, b.postings, count(p.posting_key) AS found
    FROM clearing.balance_block AS b
    LEFT JOIN clearing.posting AS p
        ON p.posted_xid >= b.from_xid AND p.posted_xid < b.until_xid
    WHERE CAST(:block_no AS integer) IS NULL OR b.block_no = :block_no
    GROUP BY b.block_no HAVING b.postings <> count(p.posting_key)
    ORDER BY b.block_no LIMIT :limit
""")

_LAST = text("SELECT coalesce(max(block_no), 0) FROM clearing.balance_block")

#: Differences that one look names; the first show the pattern.
DIFFERENCES_MAX = 100


def add_block(tx: Connection, *, at: datetime) -> int | None:
    """Snapshot what was posted since the last block; ``None`` when nothing was."""
    tx.execute(_LOCK, {"key": BLOCK_LOCK})
    block_no = tx.execute(_BLOCK, {"at": at}).scalar_one_or_none()
    if block_no is not None:
        tx.execute(_SNAPSHOT, {"block_no": block_no})
    return block_no


def last_block(tx: Connection) -> int:
    """Return the number of the newest block, 0 when there is none."""
    return int(tx.execute(_LAST).scalar_one())


def differences(tx: Connection, block_no: int | None = None) -> list[str]:
    """Return where postings and snapshots differ, in one block or in all.

    Empty when all agree; at most :data:`DIFFERENCES_MAX` of each sort.
    """
    place = {"block_no": block_no, "limit": DIFFERENCES_MAX}
    broken = [
        f"block {row.block_no}: {row.postings} postings, found {row.found}"
        for row in tx.execute(_COUNTS, place)
    ]
    broken += [
        f"block {row.block_no}: {row.account} {row.currency} moved {row.postings}, "
        f"the snapshot says {row.snapshot}, from {row.before_minor} to "
        f"{row.balance_minor}"
        for row in tx.execute(_DIFFERENCES, place)
    ]
    return broken
