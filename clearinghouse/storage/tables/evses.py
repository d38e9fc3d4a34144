"""Tables of EVSE data, EVSE status and tariffs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Integer, LargeBinary, Numeric, Table, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from clearinghouse.storage.tables.columns import (
    bigint,
    feed,
    generated,
    instant,
    integer,
    metadata,
    text,
)


def _description() -> tuple[Column[Any], ...]:
    """Return the columns that an EVSE has in force and while its list is staged."""
    return (
        text("evse_id"),
        text("spaced"),
        text("operator_id", null=True),
        text("country"),
        text("time_zone"),
        Column("latitude", Numeric(9, 6), nullable=True),
        Column("longitude", Numeric(9, 6), nullable=True),
        Column("address", JSONB, nullable=False),
        Column("connectors", JSONB, nullable=False),
        integer("power_w", null=True),
        Column("open_24_hours", Boolean, nullable=True),
    )


evse = Table(
    "evse",
    metadata,
    text("evse_key", key=True),
    integer("cso_id"),
    *_description(),
    Column("removed", Boolean, nullable=False),
    *feed(),
    text("meter_public_key", null=True),
    schema="clearing",
)

evse_list = Table(
    "evse_list",
    metadata,
    integer("cso_id", key=True),
    Column("list_id", Uuid, primary_key=True),
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

evse_list_part = Table(
    "evse_list_part",
    metadata,
    integer("cso_id", key=True),
    Column("list_id", Uuid, primary_key=True),
    integer("part", key=True),
    Column("digest", LargeBinary, nullable=False),
    schema="clearing",
)

evse_list_entry = Table(
    "evse_list_entry",
    metadata,
    integer("cso_id", key=True),
    Column("list_id", Uuid, primary_key=True),
    integer("part"),
    text("evse_key", key=True),
    *_description(),
    text("meter_public_key", null=True),
    schema="clearing",
)

evse_status = Table(
    "evse_status",
    metadata,
    text("evse_key", key=True),
    integer("cso_id"),
    text("availability"),
    text("occupancy"),
    instant("occurred_at"),
    instant("valid_until", null=True),
    Column("stale", Boolean, nullable=False),
    *feed(),
    schema="clearing",
)

tariff = Table(
    "tariff",
    metadata,
    generated("tariff_version_id", big=True),
    integer("cso_id"),
    text("tariff_id"),
    integer("version"),
    integer("receiver_id", null=True),
    text("currency"),
    instant("valid_from"),
    instant("valid_until", null=True),
    bigint("minimum_u", null=True),
    bigint("maximum_u", null=True),
    Column("components", JSONB, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    instant("created_at"),
    *feed(),
    integer("discount_ppm"),
    Column("vat_included", Boolean, nullable=False),
    text("priced_by"),
    schema="clearing",
)
