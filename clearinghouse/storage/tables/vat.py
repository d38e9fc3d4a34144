"""Tables of VAT: rules, and when a rule ended; append-only."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Table

from clearinghouse.storage.tables.columns import (
    generated,
    instant,
    integer,
    metadata,
    text,
)

vat_rule = Table(
    "vat_rule",
    metadata,
    generated("rule_id"),
    text("service"),
    text("seller"),
    text("buyer"),
    text("place"),
    Column("dealer", Boolean, nullable=True),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=True),
    text("category"),
    integer("rate_bp"),
    text("reason_code"),
    text("reason"),
    integer("priority"),
    instant("created_at"),
    schema="clearing",
)

vat_rule_end = Table(
    "vat_rule_end",
    metadata,
    integer("rule_id", key=True),
    Column("valid_until", Date, nullable=False),
    instant("created_at"),
    schema="clearing",
)
