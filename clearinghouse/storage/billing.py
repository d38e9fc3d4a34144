"""Billing profiles: versions are added, found by party, and never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text

from clearinghouse.domain.billing import BillingProfile, profile_in_force
from clearinghouse.storage.tables.billing import billing_profile
from clearinghouse.storage.tables.columns import among

#: Versions of one reading. It bounds what a list holds in memory.
PROFILES_MAX = 50_000

#: First half of the key of the lock under which a party's next version is made.
PROFILE_LOCK = 73_119_020

_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:party_id))")
_COLUMNS = tuple(BillingProfile.__dataclass_fields__)


def lock_profile(tx: Connection, party_id: str) -> None:
    """Wait until nobody else makes the next version of a party's profile."""
    tx.execute(_LOCK, {"space": PROFILE_LOCK, "party_id": party_id})


def add_profile(
    tx: Connection, profile: BillingProfile, *, at: datetime
) -> BillingProfile:
    """Store a profile as its party's next version and return it."""
    lock_profile(tx, profile.party_id)
    last = tx.execute(
        select(func.max(billing_profile.c.version)).where(
            billing_profile.c.party_id == profile.party_id
        )
    ).scalar_one()
    stored = replace(profile, version=(last or 0) + 1)
    tx.execute(insert(billing_profile).values(**asdict(stored), created_at=at))
    return stored


def versions_of(tx: Connection, party_id: str) -> list[BillingProfile]:
    """Return all versions of a party's profile, oldest first."""
    return versions_by_party(tx, (party_id,)).get(party_id, [])


def versions_by_party(
    tx: Connection, party_ids: Iterable[str]
) -> dict[str, list[BillingProfile]]:
    """Return all versions by party, oldest first; who has none is left out."""
    query = (
        select(billing_profile)
        .where(among(billing_profile.c.party_id, party_ids))
        .order_by(billing_profile.c.party_id, billing_profile.c.version)
        .limit(PROFILES_MAX)
    )
    found: dict[str, list[BillingProfile]] = defaultdict(list)
    for row in tx.execute(query):
        found[row.party_id].append(_profile(row))
    return dict(found)


def profile_on(tx: Connection, party_id: str, on: date) -> BillingProfile | None:
    """Return the version of a party's profile that is in force on a day."""
    return profile_in_force(versions_of(tx, party_id), on)


def profile_version(
    tx: Connection, party_id: str, version: int
) -> BillingProfile | None:
    """Return one version of a party's profile."""
    query = select(billing_profile).where(
        billing_profile.c.party_id == party_id, billing_profile.c.version == version
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _profile(row)


def _profile(row: Row[Any]) -> BillingProfile:
    return BillingProfile(**{name: getattr(row, name) for name in _COLUMNS})
