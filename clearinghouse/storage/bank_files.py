"""What banks say of payments, and mandates to collect: added, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert, select, text

from clearinghouse.domain.payments import Mandate
from clearinghouse.domain.reconciliation import BankEntry, BankStatement
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.bank_files import (
    bank_entry,
    bank_statement,
    payment_mandate,
)
from clearinghouse.storage.tables.columns import among

#: Entries without a payment of ours that one view shows, the newest.
STRANGERS_MAX = 1_000

#: First halves of the keys of locks: of one bank statement, of one party's mandates.
STATEMENT_LOCK = 73_119_031
MANDATE_LOCK = 73_119_032

_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))")

_MANDATES = text("""
    SELECT DISTINCT ON (party_id) party_id, mandate_id, signed_on, creditor_id
    FROM clearing.payment_mandate WHERE party_id = ANY (CAST(:parties AS text[]))
    ORDER BY party_id, version DESC
""")

_STRANGERS = text("""
    SELECT reference, end_to_end_id, currency, amount_minor, is_credit, is_return,
           booked_at
    FROM clearing.bank_entry AS e
    WHERE NOT EXISTS (SELECT FROM clearing.run_transfer AS t
                      WHERE t.end_to_end_id = e.end_to_end_id)
    ORDER BY booked_at DESC, account, statement_id, reference LIMIT :limit
""")


def digest_of(tx: Connection, account: str, statement_id: str) -> bytes | None:
    """Return the digest of a bank statement taken in before, under its lock."""
    name = f"{account}/{statement_id}"
    tx.execute(_LOCK, {"space": STATEMENT_LOCK, "name": name})
    query = select(bank_statement.c.digest).where(
        bank_statement.c.account == account,
        bank_statement.c.statement_id == statement_id,
    )
    return tx.execute(query).scalar_one_or_none()


def insert_statement(
    tx: Connection, statement: BankStatement, digest: bytes, *, at: datetime
) -> None:
    """Keep a bank statement with its entries."""
    place = (statement.account, statement.statement_id)
    tx.execute(
        insert(bank_statement).values(
            account=statement.account,
            statement_id=statement.statement_id,
            created_at=statement.created_at,
            digest=digest,
            taken_at=at,
        )
    )
    Database.copy(
        tx,
        bank_entry,
        tuple(column.name for column in bank_entry.columns),
        ((*place, *entry) for entry in statement.entries),
    )


def entries_of(tx: Connection, end_to_end_ids: Iterable[str]) -> list[BankEntry]:
    """Return the bank's entries of payments, in order of their booking."""
    query = (
        select(*(bank_entry.c[name] for name in BankEntry._fields))
        .where(among(bank_entry.c.end_to_end_id, end_to_end_ids))
        .order_by(bank_entry.c.booked_at, bank_entry.c.reference.collate("C"))
    )
    return [BankEntry(*row) for row in tx.execute(query)]


def strangers(tx: Connection) -> list[BankEntry]:
    """Return the newest entries whose end-to-end id is no payment of ours."""
    rows = tx.execute(_STRANGERS, {"limit": STRANGERS_MAX})
    return [BankEntry(*row) for row in rows]


def lock_mandates(tx: Connection, party_id: str) -> None:
    """Wait until nobody else adds to the versions of a party's mandate."""
    tx.execute(_LOCK, {"space": MANDATE_LOCK, "name": party_id})


def newest_mandate(tx: Connection, party_id: str) -> tuple[int, str]:
    """Return version and id of a party's mandate; the id is empty where none is kept.

    The version is 0 where there never was one.
    """
    columns = payment_mandate.c
    query = (
        select(columns.version, columns.mandate_id)
        .where(columns.party_id == party_id)
        .order_by(columns.version.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return (0, "") if row is None else (row.version, row.mandate_id)


def add_mandate(
    tx: Connection, party_id: str, mandate: Mandate, *, at: datetime
) -> None:
    """Store a party's mandate as its next version; an empty id takes it back."""
    lock_mandates(tx, party_id)
    last, _ = newest_mandate(tx, party_id)
    tx.execute(
        insert(payment_mandate).values(
            party_id=party_id,
            version=last + 1,
            mandate_id=mandate.mandate_id,
            signed_on=mandate.signed_on,
            creditor_id=mandate.creditor_id,
            created_at=at,
        )
    )


def mandates(tx: Connection, parties: Iterable[str]) -> dict[str, Mandate]:
    """Return the mandates in force of some parties."""
    rows = tx.execute(_MANDATES, {"parties": list(parties)})
    return {
        row.party_id: Mandate(
            mandate_id=row.mandate_id,
            signed_on=row.signed_on,
            creditor_id=row.creditor_id,
        )
        for row in rows
        if row.mandate_id
    }
