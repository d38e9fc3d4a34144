"""Tables of invoices and credit notes as issued; all append-only."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from clearinghouse.storage.tables.columns import (
    bigint,
    feed,
    instant,
    integer,
    metadata,
    text,
)

document_rendering = Table(
    "document_rendering",
    metadata,
    text("number", key=True),
    text("format", key=True),
    Column("digest", LargeBinary, nullable=False),
    bigint("bytes"),
    Column("content", LargeBinary, nullable=False),
    schema="clearing",
)

document_issue = Table(
    "document_issue",
    metadata,
    text("number", key=True),
    integer("participant_id", key=True),
    instant("issued_at"),
    *feed(),
    schema="clearing",
)
