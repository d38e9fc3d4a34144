"""Tables of participants, access, agreements and links."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, LargeBinary, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT

from clearinghouse.storage.tables.columns import (
    bigint,
    feed,
    generated,
    instant,
    integer,
    metadata,
    text,
)

participant = Table(
    "participant",
    metadata,
    generated("participant_id"),
    text("party_id"),
    text("name"),
    Column("roles", ARRAY(TEXT), nullable=False),
    text("country"),
    text("status"),
    instant("last_heartbeat_at", null=True),
    integer("skew_ms", null=True),
    instant("created_at"),
    instant("changed_at"),
    *feed(),
    schema="clearing",
)

party_alias = Table(
    "party_alias",
    metadata,
    text("alias", key=True),
    integer("participant_id"),
    schema="clearing",
)

account = Table(
    "account",
    metadata,
    generated("account_id"),
    integer("participant_id"),
    text("username"),
    text("password_hash"),
    text("status"),
    instant("created_at"),
    schema="clearing",
)

token = Table(
    "token",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    integer("account_id"),
    integer("participant_id"),
    instant("issued_at"),
    instant("expires_at"),
    instant("chain_started_at"),
    instant("revoked_at", null=True),
    schema="clearing",
)

agreement = Table(
    "agreement",
    metadata,
    generated("agreement_id"),
    integer("version"),
    integer("visited_id"),
    integer("home_id"),
    text("mode"),
    text("currency"),
    instant("valid_from"),
    instant("valid_until", null=True),
    text("silent_csp"),
    integer("list_age_limit_seconds"),
    integer("list_fresh_seconds"),
    Column("match_required", Boolean, nullable=False),
    bigint("tolerance_minor"),
    integer("tolerance_ppm"),
    integer("late_limit_days"),
    integer("energy_wh_max"),
    integer("duration_seconds_max"),
    integer("power_percent_max"),
    integer("overlap_seconds_max"),
    integer("travel_kmh_max"),
    bigint("net_ceiling_minor", null=True),
    integer("net_mean_factor"),
    instant("announced_at", null=True),
    *feed(),
    Column("collects", Boolean, nullable=False),
    Column("signed_meter_required", Boolean, nullable=False),
    Column("offline_allowed", Boolean, nullable=False),
    integer("match_seconds"),
    integer("held_days"),
    integer("confirm_days"),
    integer("registry_lag_hours"),
    integer("ahead_seconds"),
    integer("meter_slack_wh"),
    integer("elapsed_slack_seconds"),
    integer("near_duplicate_seconds"),
    integer("near_duplicate_ppm"),
    integer("tiny_wh"),
    integer("zero_energy_seconds"),
    integer("late_notice_hours"),
    integer("late_notice_days"),
    integer("payment_days"),
    integer("dispute_days"),
    integer("dispute_answer_days"),
    integer("dispute_evidence_days"),
    integer("dispute_decision_days"),
    integer("dispute_stop_days"),
    Column("dispute_carried", Boolean, nullable=False),
    instant("concluded_at", null=True),
    schema="clearing",
)

partner_endpoint = Table(
    "partner_endpoint",
    metadata,
    integer("participant_id", key=True),
    text("service", key=True),
    text("url"),
    Column("access_token_sealed", LargeBinary, nullable=True),
    instant("updated_at"),
    schema="clearing",
)

link_state = Table(
    "link_state",
    metadata,
    integer("participant_id", key=True),
    text("service", key=True),
    text("state"),
    integer("consecutive_failures"),
    Column("recent", JSONB, nullable=False),
    instant("open_until", null=True),
    integer("open_seconds"),
    instant("last_success_at", null=True),
    instant("last_failure_at", null=True),
    integer("last_error_code", null=True),
    schema="clearing",
)
