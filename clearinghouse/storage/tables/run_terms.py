"""Tables of fees and foreign exchange, and what runs took of them; all append-only."""

from __future__ import annotations

from sqlalchemy import Column, Date, Table

from clearinghouse.storage.tables.columns import (
    bigint,
    generated,
    instant,
    integer,
    metadata,
    text,
)

fee_plan = Table(
    "fee_plan",
    metadata,
    generated("plan_id"),
    text("party_id"),
    text("currency"),
    Column("valid_from", Date, nullable=False),
    text("side"),
    text("tiers"),
    integer("share_ppm"),
    bigint("minimum_minor"),
    bigint("maximum_minor", null=True),
    instant("created_at"),
    integer("payment_days"),
    schema="clearing",
)

run_fee = Table(
    "run_fee",
    metadata,
    integer("run_id", key=True),
    text("party_id", key=True),
    integer("plan_id"),
    bigint("sdr_count"),
    bigint("turnover_minor"),
    bigint("sdr_minor"),
    bigint("share_minor"),
    bigint("net_minor"),
    text("vat_category"),
    integer("vat_rate_bp"),
    integer("vat_rule_id"),
    bigint("vat_minor"),
    schema="clearing",
)

fee_document = Table(
    "fee_document",
    metadata,
    text("number", key=True),
    text("kind"),
    integer("run_id"),
    text("party_id"),
    text("currency"),
    bigint("net_minor"),
    bigint("vat_minor"),
    text("refers_to", null=True),
    instant("issued_at"),
    integer("seller_version", null=True),
    integer("buyer_version", null=True),
    Column("due_on", Date),
    schema="clearing",
)

fx_rate = Table(
    "fx_rate",
    metadata,
    text("currency", key=True),
    Column("day", Date, primary_key=True, nullable=False),
    integer("version", key=True),
    bigint("rate_u"),
    instant("created_at"),
    schema="clearing",
)

settlement_choice = Table(
    "settlement_choice",
    metadata,
    generated("choice_id"),
    text("party"),
    text("other"),
    text("from_currency"),
    text("to_currency"),
    Column("valid_from", Date, nullable=False),
    instant("created_at"),
    schema="clearing",
)

run_rate = Table(
    "run_rate",
    metadata,
    integer("run_id", key=True),
    text("currency", key=True),
    Column("day", Date, nullable=False),
    integer("version"),
    schema="clearing",
)

run_conversion = Table(
    "run_conversion",
    metadata,
    integer("run_id", key=True),
    text("currency", key=True),
    text("debtor", key=True),
    text("creditor", key=True),
    bigint("from_minor"),
    bigint("to_minor"),
    schema="clearing",
)
