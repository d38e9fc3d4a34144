"""Tables of what banks say, and of mandates to collect; all append-only."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, LargeBinary, Table

from clearinghouse.storage.tables.columns import (
    bigint,
    instant,
    integer,
    metadata,
    text,
)

bank_statement = Table(
    "bank_statement",
    metadata,
    text("account", key=True),
    text("statement_id", key=True),
    instant("created_at"),
    Column("digest", LargeBinary, nullable=False),
    instant("taken_at"),
    schema="clearing",
)

bank_entry = Table(
    "bank_entry",
    metadata,
    text("account", key=True),
    text("statement_id", key=True),
    text("reference", key=True),
    text("end_to_end_id"),
    text("currency"),
    bigint("amount_minor"),
    Column("is_credit", Boolean, nullable=False),
    Column("is_return", Boolean, nullable=False),
    instant("booked_at"),
    schema="clearing",
)

payment_mandate = Table(
    "payment_mandate",
    metadata,
    text("party_id", key=True),
    integer("version", key=True),
    text("mandate_id"),
    Column("signed_on", Date, nullable=False),
    text("creditor_id"),
    instant("created_at"),
    schema="clearing",
)
