"""Tables of credentials (pseudonyms) and of the sealed values behind them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, FetchedValue, Integer, LargeBinary, Table, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from clearinghouse.storage.tables.columns import (
    bigint,
    feed,
    generated,
    instant,
    integer,
    metadata,
    text,
)

credential = Table(
    "credential",
    metadata,
    bigint("subject_id", key=True),
    integer("csp_id"),
    text("kind"),
    text("status"),
    instant("valid_until", null=True),
    bigint("contract_subject_id", null=True),
    integer("list_version"),
    *feed(),
    schema="clearing",
)

credential_list = Table(
    "credential_list",
    metadata,
    integer("csp_id", key=True),
    Column("list_id", Uuid, primary_key=True),
    text("scope"),
    integer("version", null=True),
    text("state"),
    integer("expected_count"),
    integer("parts"),
    Column("parts_received", ARRAY(Integer), nullable=False),
    integer("entries"),
    integer("refused"),
    instant("received_at"),
    instant("applied_at", null=True),
    schema="clearing",
)

credential_list_part = Table(
    "credential_list_part",
    metadata,
    integer("csp_id", key=True),
    Column("list_id", Uuid, primary_key=True),
    integer("part", key=True),
    Column("digest", LargeBinary, nullable=False),
    schema="clearing",
)

credential_list_entry = Table(
    "credential_list_entry",
    metadata,
    integer("csp_id", key=True),
    Column("list_id", Uuid, primary_key=True),
    integer("part"),
    bigint("subject_id", key=True),
    text("kind"),
    text("status"),
    instant("valid_until", null=True),
    bigint("contract_subject_id", null=True),
    schema="clearing",
)

subject = Table(
    "subject",
    metadata,
    generated("subject_id", big=True),
    integer("owner_id"),
    text("kind"),
    Column("lookup", LargeBinary, nullable=True),
    Column("key_sealed", LargeBinary, nullable=True),
    Column("value_sealed", LargeBinary, nullable=True),
    instant("created_at"),
    instant("erased_at", null=True),
    schema="privacy",
)

sealed_text = Table(
    "sealed_text",
    metadata,
    Column("text_id", Uuid, primary_key=True),
    bigint("subject_id", null=True),
    Column("lookup", LargeBinary, nullable=True),
    Column("key_sealed", LargeBinary, nullable=True),
    Column("text_sealed", LargeBinary, nullable=False),
    instant("kept_at"),
    schema="privacy",
)

sealing_key = Table(
    "sealing_key",
    metadata,
    Column("key_id", LargeBinary, primary_key=True),
    instant("made_at"),
    Column("single", Boolean, FetchedValue(), nullable=False),
    schema="privacy",
)
