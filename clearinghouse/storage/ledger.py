"""The ledger: postings are added and never changed (clause 4.3-I3, settlement)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.domain.ledger import LedgerEntry, Posting, PostingCode
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.settlement import posting

#: Postings that are read at a time: the memory of an export.
ENTRIES_PER_BATCH = 5_000

_COLUMNS = (
    "posting_key",
    "window_id",
    "debit_account",
    "credit_account",
    "currency",
    "amount_minor",
    "code",
    "posted_at",
    "run_id",
)

_BALANCES = text("""
    SELECT account, currency, sum(amount)::bigint AS balance_minor
    FROM (
        SELECT debit_account AS account, currency, -amount_minor AS amount
        FROM clearing.posting
        UNION ALL
        SELECT credit_account, currency, amount_minor FROM clearing.posting
    ) AS leg
    GROUP BY account, currency
    ORDER BY account COLLATE "C", currency COLLATE "C"
""")


_ENTRIES = text("""
    SELECT posting_key, posted_at, debit_account, credit_account, currency,
           amount_minor, code
    FROM clearing.posting ORDER BY posted_at, posting_key COLLATE "C"
""").execution_options(stream_results=True, yield_per=ENTRIES_PER_BATCH)


def append(tx: Connection, postings: Iterable[Posting], *, at: datetime) -> int:
    """Add postings; return their number.

    A posting that was made before cannot be made again: its key is unique, and the
    database refuses the whole transaction.
    """
    return Database.copy(
        tx,
        posting,
        _COLUMNS,
        (_values(entry, at) for entry in postings),
    )


def _values(entry: Posting, at: datetime) -> tuple[object, ...]:
    """Return a posting in the order of the columns."""
    return (
        entry.posting_key,
        entry.window_id,
        entry.debit_account,
        entry.credit_account,
        entry.currency,
        entry.amount_minor,
        entry.code.value,
        at,
        entry.run_id,
    )


def append_new(tx: Connection, postings: Iterable[Posting], *, at: datetime) -> None:
    """Add those of some postings whose keys are not there, however many they are.

    Where another transaction adds the same, it waits for the end of that one.
    """
    rows = [dict(zip(_COLUMNS, _values(entry, at), strict=True)) for entry in postings]
    if rows:
        tx.execute(insert(posting).on_conflict_do_nothing(), rows)


def postings_of(tx: Connection, window_id: int) -> list[Posting]:
    """Return the postings of a window in order of their keys."""
    return _postings(tx, posting.c.window_id == window_id)


def postings_of_run(tx: Connection, run_id: int) -> list[Posting]:
    """Return the postings of a settlement run in order of their keys."""
    return _postings(tx, posting.c.run_id == run_id)


def postings_with(tx: Connection, keys: Collection[str]) -> list[Posting]:
    """Return the postings with these keys, in order of their keys."""
    return _postings(tx, among(posting.c.posting_key, keys))


def _postings(tx: Connection, condition: ColumnElement[bool]) -> list[Posting]:
    query = (
        select(posting).where(condition).order_by(posting.c.posting_key.collate("C"))
    )
    return [
        Posting(
            posting_key=row.posting_key,
            window_id=row.window_id,
            debit_account=row.debit_account,
            credit_account=row.credit_account,
            currency=row.currency,
            amount_minor=row.amount_minor,
            code=PostingCode(row.code),
            run_id=row.run_id,
        )
        for row in tx.execute(query)
    ]


def entries(tx: Connection) -> Iterator[list[LedgerEntry]]:
    """Give all postings in order of time, in batches."""
    for rows in tx.execute(_ENTRIES).partitions():
        yield [LedgerEntry(*row) for row in rows]


def balances(tx: Connection) -> dict[tuple[str, str], int]:
    """Return credit less debit of every account and currency, over all windows."""
    return {
        (row.account, row.currency): row.balance_minor for row in tx.execute(_BALANCES)
    }
