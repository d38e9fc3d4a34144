"""Tables of seals: public keys of the house, sealed pairs, the chain of blocks."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from clearinghouse.storage.tables.columns import (
    bigint,
    instant,
    integer,
    metadata,
    text,
)

signing_key = Table(
    "signing_key",
    metadata,
    text("key_id", key=True),
    Column("public_key", LargeBinary, nullable=False),
    instant("valid_from"),
    schema="clearing",
)

audit_pair = Table(
    "audit_pair",
    metadata,
    integer("window_id", key=True),
    integer("place", key=True),
    text("currency"),
    integer("csp_id"),
    integer("submitter_id"),
    bigint("sdr_count"),
    bigint("energy_wh"),
    bigint("net_minor"),
    Column("root", LargeBinary, nullable=False),
    text("line"),
    schema="clearing",
)

audit_block = Table(
    "audit_block",
    metadata,
    integer("seq", key=True),
    integer("window_id"),
    Column("previous", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    text("signed_text"),
    text("key_id"),
    Column("signature", LargeBinary, nullable=False),
    instant("sealed_at"),
    schema="clearing",
)
