"""Tables of service sessions, the partners' ids for them, and their events."""

from __future__ import annotations

from sqlalchemy import Column, Table, Uuid

from clearinghouse.storage.tables.columns import (
    bigint,
    feed,
    generated,
    instant,
    integer,
    metadata,
    text,
)

session = Table(
    "session",
    metadata,
    Column("session_id", Uuid, primary_key=True),
    text("state"),
    integer("visited_id"),
    integer("home_id", null=True),
    integer("agreement_id", null=True),
    text("evse_key"),
    bigint("subject_id", null=True),
    text("origin"),
    text("decision_source", null=True),
    integer("list_version", null=True),
    integer("refusal_code", null=True),
    instant("authorized_at", null=True),
    instant("valid_until", null=True),
    instant("started_at", null=True),
    instant("ended_at", null=True),
    bigint("energy_wh", null=True),
    instant("last_event_at", null=True),
    instant("created_at"),
    *feed(),
    schema="clearing",
)

session_partner_id = Table(
    "session_partner_id",
    metadata,
    integer("participant_id", key=True),
    text("value", key=True),
    Column("session_id", Uuid, nullable=False),
    schema="clearing",
)

intermediate_sdr = Table(
    "intermediate_sdr",
    metadata,
    Column("session_id", Uuid, primary_key=True),
    integer("sequence_no", key=True),
    Column("event_id", Uuid, nullable=False),
    instant("occurred_at"),
    instant("received_at"),
    bigint("energy_wh"),
    bigint("meter_wh", null=True),
    text("claimed_currency", null=True),
    bigint("claimed_minor", null=True),
    text("tariff_id", null=True),
    bigint("tariff_version_id", null=True),
    text("estimated_currency", null=True),
    bigint("estimated_minor", null=True),
    schema="clearing",
)

session_event = Table(
    "session_event",
    metadata,
    generated("event_row", big=True),
    Column("session_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    text("event"),
    instant("occurred_at"),
    instant("received_at"),
    integer("reported_by"),
    bigint("energy_wh", null=True),
    text("reason", null=True),
    text("state_before"),
    text("state_after"),
    schema="clearing",
)
