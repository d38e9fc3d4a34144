"""Tables of the house's own people and of what needs two of them."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from clearinghouse.storage.tables.columns import generated, instant, metadata, text

operator = Table(
    "operator",
    metadata,
    text("name", key=True),
    text("password_hash"),
    text("status"),
    instant("approves_from", null=True),
    instant("created_at"),
    schema="clearing",
)

approval = Table(
    "approval",
    metadata,
    generated("approval_id"),
    text("action"),
    text("object"),
    text("payload"),
    Column("payload_digest", LargeBinary, nullable=False),
    text("requested_by"),
    instant("requested_at"),
    instant("expires_at"),
    text("approved_by", null=True),
    instant("approved_at", null=True),
    text("withdrawn_by", null=True),
    instant("withdrawn_at", null=True),
    text("outcome", null=True),
    schema="clearing",
)
