"""Table of net debit caps; append-only."""

from __future__ import annotations

from sqlalchemy import Table

from clearinghouse.storage.tables.columns import (
    bigint,
    generated,
    instant,
    metadata,
    text,
)

debit_cap = Table(
    "debit_cap",
    metadata,
    generated("cap_id"),
    text("party_id"),
    text("currency"),
    bigint("limit_minor", null=True),
    instant("valid_from"),
    instant("created_at"),
    schema="clearing",
)
