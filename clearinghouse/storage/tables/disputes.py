"""Tables of disputes: where each stands, and what was said."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from clearinghouse.storage.tables.columns import (
    bigint,
    feed,
    generated,
    instant,
    integer,
    metadata,
    text,
)

dispute = Table(
    "dispute",
    metadata,
    Column("dispute_id", Uuid, primary_key=True),
    integer("window_id"),
    bigint("sdr_no"),
    integer("csp_id"),
    integer("submitter_id"),
    text("currency"),
    bigint("net_minor"),
    text("reason"),
    Column("carried", Boolean, nullable=False),
    integer("answer_days"),
    integer("evidence_days"),
    integer("decision_days"),
    bigint("asked_minor", null=True),
    bigint("offered_minor", null=True),
    bigint("agreed_minor", null=True),
    text("state"),
    instant("opened_at"),
    instant("due_at", null=True),
    instant("hard_stop_at"),
    instant("ended_at", null=True),
    *feed(),
    schema="clearing",
)

dispute_step = Table(
    "dispute_step",
    metadata,
    generated("step_row", big=True),
    Column("dispute_id", Uuid, nullable=False),
    text("party"),
    text("act"),
    text("state"),
    bigint("amount_minor", null=True),
    text("words", null=True),
    Column("evidence", JSONB, nullable=False),
    instant("at"),
    schema="clearing",
)
