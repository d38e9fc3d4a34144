"""Tables of settlements, the ledger and statements; all append-only but the series."""

from __future__ import annotations

from sqlalchemy import Column, FetchedValue, LargeBinary, SmallInteger, Table

from clearinghouse.storage.tables.columns import (
    Xid8,
    bigint,
    feed,
    generated,
    instant,
    integer,
    metadata,
    text,
)

settlement = Table(
    "settlement",
    metadata,
    generated("settlement_id"),
    integer("window_id"),
    text("currency"),
    bigint("gross_minor"),
    bigint("bilateral_minor"),
    bigint("multilateral_minor"),
    bigint("sdr_count"),
    bigint("energy_wh"),
    bigint("vat_minor"),
    integer("documents", null=True),
    schema="clearing",
)

settlement_pair = Table(
    "settlement_pair",
    metadata,
    integer("settlement_id", key=True),
    integer("debtor_id", key=True),
    integer("creditor_id", key=True),
    bigint("sdr_count"),
    bigint("energy_wh"),
    bigint("net_minor"),
    bigint("vat_minor"),
    bigint("gross_minor"),
    schema="clearing",
)

settlement_position = Table(
    "settlement_position",
    metadata,
    integer("settlement_id", key=True),
    integer("participant_id", key=True),
    bigint("receivable_minor"),
    bigint("payable_minor"),
    bigint("net_minor"),
    schema="clearing",
)

posting = Table(
    "posting",
    metadata,
    text("posting_key", key=True),
    integer("window_id", null=True),
    text("debit_account"),
    text("credit_account"),
    text("currency"),
    bigint("amount_minor"),
    text("code"),
    instant("posted_at"),
    integer("run_id", null=True),
    Column("posted_xid", Xid8, FetchedValue(), nullable=False),
    schema="clearing",
)

balance_block = Table(
    "balance_block",
    metadata,
    integer("block_no", key=True),
    Column("from_xid", Xid8, nullable=False),
    Column("until_xid", Xid8, nullable=False),
    bigint("postings"),
    instant("made_at"),
    schema="clearing",
)

balance_snapshot = Table(
    "balance_snapshot",
    metadata,
    integer("block_no", key=True),
    text("account", key=True),
    text("currency", key=True),
    bigint("moved_minor"),
    bigint("balance_minor"),
    schema="clearing",
)

statement = Table(
    "statement",
    metadata,
    text("statement_id", key=True),
    integer("window_id"),
    integer("participant_id"),
    text("participant_name"),
    text("participant_country"),
    text("issuer_party_id"),
    text("issuer_name"),
    text("currency"),
    bigint("net_minor"),
    bigint("line_count"),
    instant("created_at"),
    bigint("gross_minor", null=True),
    Column("layout", SmallInteger, nullable=False),
    schema="clearing",
)

statement_rendering = Table(
    "statement_rendering",
    metadata,
    text("statement_id", key=True),
    text("format", key=True),
    Column("digest", LargeBinary, nullable=False),
    bigint("bytes"),
    integer("parts"),
    instant("rendered_at"),
    integer("participant_id"),
    *feed(),
    schema="clearing",
)

statement_part = Table(
    "statement_part",
    metadata,
    text("statement_id", key=True),
    text("format", key=True),
    integer("part", key=True),
    Column("content", LargeBinary, nullable=False),
    schema="clearing",
)

document_series = Table(
    "document_series",
    metadata,
    text("series", key=True),
    bigint("last"),
    schema="clearing",
)
