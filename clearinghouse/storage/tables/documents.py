"""Tables of invoices and credit notes as a closing books them; append-only."""

from __future__ import annotations

from sqlalchemy import Column, Date, Table

from clearinghouse.storage.tables.columns import (
    bigint,
    instant,
    integer,
    metadata,
    text,
)

document = Table(
    "document",
    metadata,
    text("number", key=True),
    text("series"),
    text("kind"),
    integer("window_id"),
    integer("seller_id"),
    text("seller_party"),
    text("seller_name"),
    text("seller_country"),
    integer("seller_version", null=True),
    integer("buyer_id"),
    text("buyer_party"),
    text("buyer_name"),
    text("buyer_country"),
    integer("buyer_version", null=True),
    text("currency"),
    bigint("net_minor"),
    bigint("vat_minor"),
    bigint("gross_minor"),
    instant("issued_at"),
    Column("due_on", Date, nullable=False),
    schema="clearing",
)

document_line = Table(
    "document_line",
    metadata,
    text("number", key=True),
    integer("line_no", key=True),
    text("category"),
    integer("rate_bp"),
    text("place_country"),
    integer("rule_id"),
    bigint("sdr_count"),
    bigint("energy_wh"),
    bigint("net_minor"),
    schema="clearing",
)

document_vat = Table(
    "document_vat",
    metadata,
    text("number", key=True),
    text("category", key=True),
    integer("rate_bp", key=True),
    integer("rule_id"),
    text("reason_code"),
    text("reason"),
    bigint("sdr_count"),
    bigint("energy_wh"),
    bigint("base_minor"),
    bigint("vat_minor"),
    schema="clearing",
)

document_reference = Table(
    "document_reference",
    metadata,
    text("number", key=True),
    text("preceding", key=True),
    schema="clearing",
)
