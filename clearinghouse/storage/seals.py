"""Sealing a window: its leaves made again from the rows, and the chain of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import Struct
from typing import Any, cast

from psycopg import sql
from sqlalchemy import Connection, Row, insert, select, text

from clearinghouse.domain.merkle import HASH_BYTES
from clearinghouse.domain.seals import PairSeal
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.sdrs import settlement_window
from clearinghouse.storage.tables.seals import audit_block, audit_pair

#: Key of the lock that lets one sealing run at a time.
SEAL_LOCK = 7_311_901_013

#: Blocks of one reading of the chain: three centuries of daily windows.
BLOCKS_MAX = 100_000

_ALONE = text("SELECT pg_advisory_xact_lock(:key)")

# The next window of the chain: closed, and not in a block yet.
_NEXT = text("""
    SELECT w.window_id, w.label, w.opened_at, w.closed_at
    FROM clearing.settlement_window AS w
    WHERE w.state = 'CLOSED' AND NOT EXISTS (
        SELECT FROM clearing.audit_block AS b WHERE b.window_id = w.window_id)
    ORDER BY w.window_id LIMIT 1
""")

# What counts in a window, in the order of intake. The leaf is made from the row that is
# there now, once: compared here, the planner would make it once more. Where another one
# was written at intake, the row was changed.
_LEAVES = sql.SQL("""
    COPY (
        SELECT s.csp_id, s.submitter_id, s.currency, s.energy_wh, s.net_minor,
               s.sdr_no, clearing.leaf(clearing.sdr_row(
                   s, submitter.party_id, csp.party_id, cso.party_id)),
               s.leaf IS NOT NULL, coalesce(s.leaf, {nothing})
        FROM clearing.sdr AS s
        JOIN clearing.participant AS submitter
            ON submitter.participant_id = s.submitter_id
        JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
        JOIN clearing.participant AS cso ON cso.participant_id = s.cso_id
        WHERE s.window_id = {window_id} AND s.status = 'ACCEPTED' AND NOT EXISTS (
            SELECT FROM clearing.sdr_exclusion AS e
            WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
        ORDER BY s.sdr_no
    ) TO STDOUT (FORMAT binary)
""")

# A row of these, apart in pair, energy, net, number, leaf, and what intake wrote.
_LEAF_ROW = Struct(">2x 23s 4xq 4xq 4xq 4x32s 4x? 4x32s")
_PAIR = Struct(">4xi 4xi 4x3s")

# Rows are there in their order, and the key leads to them. The planner would rather
# sort them whole: a gigabyte on disk, before the first leaf comes.
_UNSORTED = text("SELECT set_config('enable_sort', 'off', true)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedWindow:
    """A window that waits for its seal."""

    window_id: int
    label: str
    opened_at: datetime
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBlock:
    """A block of the chain; ``signature`` is over ``signed_text``, in DER."""

    seq: int
    window_id: int
    label: str
    previous: bytes
    root: bytes
    hash: bytes
    signed_text: str
    key_id: str
    signature: bytes
    sealed_at: datetime


#: An SDR that counts in a window: its pair as :func:`pair_of` reads it, energy, net,
#: number, leaf, whether its intake wrote a leaf, and which. A million of them pass.
Leaf = tuple[bytes, int, int, int, bytes, bool, bytes]


def lock_sealing(tx: Connection) -> None:
    """Wait until no other sealing runs."""
    tx.execute(_ALONE, {"key": SEAL_LOCK})


def window_to_seal(tx: Connection) -> ClosedWindow | None:
    """Return the oldest closed window without a seal."""
    row = tx.execute(_NEXT).one_or_none()
    if row is None:
        return None
    return ClosedWindow(
        window_id=row.window_id,
        label=row.label,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


def leaves_of(tx: Connection, window_id: int) -> Iterator[Leaf]:
    """Give the leaves of a window in the order of intake; memory stays flat."""
    tx.execute(_UNSORTED)
    statement = _LEAVES.format(
        window_id=sql.Literal(window_id), nothing=sql.Literal(bytes(HASH_BYTES))
    )
    leaves = Database.copied_records(tx, statement, _LEAF_ROW)
    return cast("Iterator[Leaf]", leaves)


def pair_of(leaf: Leaf) -> tuple[int, int, str]:
    """Return the CSP and the submitter of a leaf by their numbers, and its currency."""
    csp_id, submitter_id, currency = _PAIR.unpack(leaf[0])
    return csp_id, submitter_id, currency.decode()


def insert_pairs(
    tx: Connection, pairs: Sequence[tuple[PairSeal, str]], ids: dict[str, int]
) -> None:
    """Keep the sealed pairs of a window with their rows, in order."""
    Database.copy(
        tx,
        audit_pair,
        [column.name for column in audit_pair.columns],
        (
            (
                pair.window_id,
                place,
                pair.currency,
                ids[pair.csp],
                ids[pair.submitter],
                pair.sdr_count,
                pair.energy_wh,
                pair.net_minor,
                pair.root,
                line,
            )
            for place, (pair, line) in enumerate(pairs)
        ),
    )


def insert_block(tx: Connection, block: SealedBlock) -> None:
    """Add a block to the chain."""
    tx.execute(
        insert(audit_block).values(
            seq=block.seq,
            window_id=block.window_id,
            previous=block.previous,
            root=block.root,
            hash=block.hash,
            signed_text=block.signed_text,
            key_id=block.key_id,
            signature=block.signature,
            sealed_at=block.sealed_at,
        )
    )


def last_block(tx: Connection) -> SealedBlock | None:
    """Return the newest block, ``None`` before the first."""
    query = _blocks().order_by(audit_block.c.seq.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return None if row is None else _block(row)


def block_of(tx: Connection, window_id: int) -> SealedBlock | None:
    """Return the block of a window, ``None`` when it is not sealed."""
    query = _blocks().where(audit_block.c.window_id == window_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else _block(row)


def blocks_up_to(tx: Connection, seq: int) -> list[SealedBlock]:
    """Return the chain from its first block up to one."""
    query = _blocks().where(audit_block.c.seq <= seq).order_by(audit_block.c.seq)
    return [_block(row) for row in tx.execute(query.limit(BLOCKS_MAX))]


def pair_lines(tx: Connection, window_id: int) -> list[str]:
    """Return the rows of the pairs of a sealed window, in order."""
    query = (
        select(audit_pair.c.line)
        .where(audit_pair.c.window_id == window_id)
        .order_by(audit_pair.c.place)
    )
    return list(tx.execute(query).scalars())


def _blocks() -> Any:  # noqa: ANN401 -- a select of both tables
    return select(audit_block, settlement_window.c.label).join(
        settlement_window, settlement_window.c.window_id == audit_block.c.window_id
    )


def _block(row: Row[Any]) -> SealedBlock:
    return SealedBlock(
        seq=row.seq,
        window_id=row.window_id,
        label=row.label,
        previous=row.previous,
        root=row.root,
        hash=row.hash,
        signed_text=row.signed_text,
        key_id=row.key_id,
        signature=row.signature,
        sealed_at=row.sealed_at,
    )
