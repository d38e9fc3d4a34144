"""Tables of settlement runs; all append-only, states as well."""

from __future__ import annotations

from sqlalchemy import Column, FetchedValue, Integer, LargeBinary, Table

from clearinghouse.storage.tables.columns import (
    bigint,
    generated,
    instant,
    integer,
    metadata,
    text,
)

settlement_run = Table(
    "settlement_run",
    metadata,
    generated("run_id"),
    text("currency"),
    text("model"),
    text("fees"),
    integer("reverses_run_id", null=True),
    Column("digest", LargeBinary, nullable=False),
    bigint("gross_minor"),
    bigint("moved_minor"),
    instant("proposed_at"),
    schema="clearing",
)

run_state = Table(
    "run_state",
    metadata,
    integer("run_id", key=True),
    text("owner", key=True),
    integer("seq", key=True),
    text("from_state", null=True),
    text("to_state"),
    text("reason"),
    text("actor"),
    instant("at"),
    schema="clearing",
)

run_exclusion = Table(
    "run_exclusion",
    metadata,
    integer("run_id", key=True),
    text("party_id", key=True),
    text("reason"),
    schema="clearing",
)

run_window = Table(
    "run_window",
    metadata,
    integer("run_id", key=True),
    integer("window_id", key=True),
    schema="clearing",
)

run_pair = Table(
    "run_pair",
    metadata,
    integer("run_id", key=True),
    integer("settlement_id", key=True),
    integer("debtor_id", key=True),
    integer("creditor_id", key=True),
    text("currency"),
    bigint("amount_minor"),
    schema="clearing",
)

run_debt = Table(
    "run_debt",
    metadata,
    integer("run_id", key=True),
    text("debtor", key=True),
    text("creditor", key=True),
    text("kind", key=True),
    bigint("amount_minor"),
    schema="clearing",
)

run_account = Table(
    "run_account",
    metadata,
    integer("run_id", key=True),
    text("owner", key=True),
    bigint("receivable_minor"),
    bigint("payable_minor"),
    bigint("fee_minor"),
    bigint("net_minor"),
    schema="clearing",
)

run_transfer = Table(
    "run_transfer",
    metadata,
    text("end_to_end_id", key=True),
    integer("run_id"),
    integer("place"),
    text("kind"),
    text("payer"),
    text("payee"),
    bigint("amount_minor"),
    schema="clearing",
)

transfer_confirmation = Table(
    "transfer_confirmation",
    metadata,
    text("end_to_end_id", key=True),
    text("reference", key=True),
    integer("number"),
    bigint("amount_minor"),
    bigint("posted_minor"),
    text("outcome"),
    instant("booked_at"),
    instant("recorded_at"),
    Column("return_rule", Integer, FetchedValue(), nullable=False),
    schema="clearing",
)
