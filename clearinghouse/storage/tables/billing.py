"""Tables of what invoices are made from: billing profiles; append-only."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Table

from clearinghouse.storage.tables.columns import instant, integer, metadata, text

billing_profile = Table(
    "billing_profile",
    metadata,
    text("party_id", key=True),
    integer("version", key=True),
    Column("valid_from", Date, nullable=False),
    text("legal_name"),
    text("street"),
    text("city"),
    text("postcode"),
    text("country"),
    text("contact_email"),
    text("vat_id", null=True),
    text("tax_number", null=True),
    Column("is_taxable_dealer", Boolean, nullable=False),
    text("iban", null=True),
    text("bic", null=True),
    instant("created_at"),
    schema="clearing",
)
