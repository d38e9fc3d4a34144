"""Tables of messages in, deliveries out, and the audit trail."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from clearinghouse.storage.tables.columns import (
    bigint,
    generated,
    instant,
    integer,
    metadata,
    text,
)

message = Table(
    "message",
    metadata,
    integer("participant_id", key=True),
    Column("message_id", Uuid, primary_key=True),
    text("operation"),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=True),
    instant("received_at"),
    instant("answered_at", null=True),
    schema="clearing",
)

outbox = Table(
    "outbox",
    metadata,
    Column("delivery_id", Uuid, primary_key=True),
    integer("participant_id"),
    text("kind"),
    text("subject_key"),
    Column("payload", JSONB, nullable=False),
    text("state"),
    integer("attempts"),
    instant("run_at"),
    instant("lease_until", null=True),
    bigint("lease_no"),
    text("dedupe_key", null=True),
    integer("last_error_code", null=True),
    instant("created_at"),
    instant("done_at", null=True),
    schema="clearing",
)

audit_entry = Table(
    "entry",
    metadata,
    generated("seq", big=True),
    instant("at"),
    text("actor"),
    text("action"),
    text("object"),
    text("outcome"),
    Column("correlation_id", Uuid, nullable=True),
    schema="audit",
)
