"""Tables of settlement windows and service detail records; facts are append-only."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    FetchedValue,
    LargeBinary,
    SmallInteger,
    Table,
    Uuid,
)
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

settlement_window = Table(
    "settlement_window",
    metadata,
    generated("window_id"),
    text("label"),
    text("state"),
    instant("opened_at"),
    instant("cutover_at", null=True),
    instant("closed_at", null=True),
    Column("claim_digest", LargeBinary, nullable=True),
    Column("proof_digest", LargeBinary, nullable=True),
    schema="clearing",
)

sdr_batch = Table(
    "sdr_batch",
    metadata,
    Column("batch_id", Uuid, primary_key=True),
    integer("submitter_id"),
    bigint("batch_sequence"),
    Column("message_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    integer("window_id"),
    integer("accepted"),
    integer("held"),
    integer("refused"),
    integer("duplicates"),
    bigint("energy_wh"),
    instant("received_at"),
    *feed(),
    Column("root", LargeBinary, nullable=True),
    schema="clearing",
)

sdr = Table(
    "sdr",
    metadata,
    integer("window_id", key=True),
    Column("sdr_no", BigInteger, FetchedValue(), primary_key=True, nullable=False),
    integer("submitter_id"),
    text("sdr_uid"),
    integer("csp_id"),
    integer("cso_id"),
    Column("batch_id", Uuid, nullable=False),
    integer("record_no"),
    text("status"),
    Column("session_id", Uuid, nullable=True),
    bigint("subject_id", null=True),
    text("evse_key"),
    instant("started_at"),
    instant("ended_at"),
    Column("start_offset_minutes", SmallInteger, nullable=False),
    bigint("energy_wh"),
    integer("charge_seconds"),
    integer("idle_seconds"),
    integer("parking_seconds"),
    bigint("tariff_version_id"),
    Column("engine_version", SmallInteger, nullable=False),
    text("currency"),
    bigint("net_minor"),
    bigint("claimed_minor"),
    text("rule_codes"),
    Column("content_digest", LargeBinary, nullable=False),
    Column("detail", JSONB, nullable=False),
    instant("received_at"),
    *feed(),
    Column("leaf", LargeBinary, nullable=True),
    text("vat_category"),
    integer("vat_rate_bp"),
    integer("vat_rule_id"),
    text("place_country"),
    text("kind"),
    integer("ref_window_id", null=True),
    bigint("ref_sdr_no", null=True),
    integer("agreement_id", null=True),
    Column("rule_version", SmallInteger, nullable=False),
    text("match_kind", null=True),
    schema="clearing",
)

sdr_chain = Table(
    "sdr_chain",
    metadata,
    integer("ref_window_id", key=True),
    bigint("ref_sdr_no", key=True),
    Column("turn", SmallInteger, primary_key=True),
    integer("window_id"),
    bigint("sdr_no"),
    text("dispute_id", null=True),
    instant("at"),
    schema="clearing",
)

sdr_key = Table(
    "sdr_key",
    metadata,
    integer("submitter_id", key=True),
    Column("uid_hash", LargeBinary, primary_key=True),
    Column("content_digest", LargeBinary, nullable=False),
    integer("window_id"),
    bigint("sdr_no"),
    schema="clearing",
)

refused_sdr = Table(
    "refused_sdr",
    metadata,
    Column("batch_id", Uuid, primary_key=True),
    integer("record_no", key=True),
    integer("submitter_id"),
    text("sdr_uid"),
    text("csp_party", null=True),
    text("rule_codes"),
    Column("items", JSONB, nullable=False),
    bigint("energy_wh", null=True),
    bigint("claimed_minor", null=True),
    text("currency", null=True),
    instant("received_at"),
    schema="clearing",
)

rule_hit = Table(
    "rule_hit",
    metadata,
    integer("window_id"),
    bigint("sdr_no"),
    text("rule"),
    integer("code"),
    text("severity"),
    text("path", null=True),
    text("expected", null=True),
    text("found", null=True),
    schema="clearing",
)

signed_value = Table(
    "signed_value",
    metadata,
    integer("window_id", key=True),
    bigint("sdr_no", key=True),
    Column("session_no", SmallInteger, primary_key=True),
    Column("transaction_no", SmallInteger, primary_key=True),
    Column("value_no", SmallInteger, primary_key=True),
    Column("text_id", Uuid, nullable=False),
    text("format"),
    text("encoding"),
    integer("characters"),
    Column("digest", LargeBinary, nullable=False),
    text("standing"),
    text("sent_key", null=True),
    text("used_key", null=True),
    schema="clearing",
)

batch_total = Table(
    "batch_total",
    metadata,
    integer("window_id"),
    Column("batch_id", Uuid, nullable=False),
    integer("csp_id"),
    integer("submitter_id"),
    text("currency"),
    integer("sdr_count"),
    bigint("energy_wh"),
    bigint("net_minor"),
    text("kind"),
    text("vat_category"),
    integer("vat_rate_bp"),
    integer("vat_rule_id"),
    text("place_country"),
    schema="clearing",
)

sdr_gap = Table(
    "sdr_gap",
    metadata,
    integer("submitter_id", key=True),
    bigint("expected", key=True),
    bigint("found"),
    instant("at"),
    schema="clearing",
)

sdr_event = Table(
    "sdr_event",
    metadata,
    generated("event_row", big=True),
    integer("window_id"),
    bigint("sdr_no"),
    text("status"),
    instant("at"),
    integer("actor_id", null=True),
    text("reason", null=True),
    schema="clearing",
)

sdr_exclusion = Table(
    "sdr_exclusion",
    metadata,
    integer("window_id", key=True),
    bigint("sdr_no", key=True),
    Column("session_id", Uuid, nullable=True),
    text("reason"),
    instant("at"),
    integer("successor_window_id", null=True),
    bigint("successor_sdr_no", null=True),
    schema="clearing",
)
