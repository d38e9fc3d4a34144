"""Tariffs as published, version by version; no version ever changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, text

from clearinghouse.domain.tariffs import (
    PricedBy,
    Tariff,
    TariffVersion,
    components_as_json,
    components_from_json,
    digest,
)
from clearinghouse.storage.feeds import Cursor, Page, page_of, paged
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.evses import tariff

#: Versions that one look-up reads. It bounds what a batch of SDRs loads for rating.
VERSIONS_MAX = 20_000

_LOCK_SPACE = 7_311_904
_LOCK = text("SELECT pg_advisory_xact_lock(:space, :owner)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A tariff that a publisher puts in force, for one receiver or for all."""

    publisher_id: int
    tariff: Tariff
    receiver_id: int | None = None


def lock_publisher(tx: Connection, publisher_id: int) -> None:
    """Let one message at a time publish for a partner, until the transaction ends."""
    tx.execute(_LOCK, {"space": _LOCK_SPACE, "owner": publisher_id})


def publish(tx: Connection, new: Publication, *, at: datetime) -> TariffVersion:
    """Store the next version of a tariff, unless the newest says the same."""
    lock_publisher(tx, new.publisher_id)
    said = digest(new.tariff)
    newest = tx.execute(
        select(tariff)
        .where(
            tariff.c.cso_id == new.publisher_id,
            tariff.c.tariff_id == new.tariff.tariff_id,
            tariff.c.receiver_id.is_not_distinct_from(new.receiver_id),
        )
        .order_by(tariff.c.version.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.digest == said:
        return _version(newest)
    row = tx.execute(
        insert(tariff)
        .values(
            cso_id=new.publisher_id,
            tariff_id=new.tariff.tariff_id,
            version=1 if newest is None else newest.version + 1,
            receiver_id=new.receiver_id,
            currency=new.tariff.currency,
            valid_from=new.tariff.valid_from,
            valid_until=new.tariff.valid_until,
            minimum_u=new.tariff.minimum_u,
            maximum_u=new.tariff.maximum_u,
            discount_ppm=new.tariff.discount_ppm,
            vat_included=new.tariff.vat_included,
            priced_by=new.tariff.priced_by.value,
            components=components_as_json(new.tariff.components),
            digest=said,
            created_at=at,
        )
        .returning(*tariff.c)
    ).one()
    return _version(row)


def versions_of(
    tx: Connection, publisher_id: int, tariff_ids: Iterable[str]
) -> tuple[TariffVersion, ...]:
    """Return all versions of a publisher's tariffs, for every receiver.

    For rating: :func:`clearinghouse.domain.tariffs.version_in_force` chooses.
    """
    query = (
        select(tariff)
        .where(tariff.c.cso_id == publisher_id, among(tariff.c.tariff_id, tariff_ids))
        .order_by(tariff.c.tariff_version_id)
        .limit(VERSIONS_MAX)
    )
    return tuple(_version(row) for row in tx.execute(query))


def versions_by_id(
    tx: Connection, version_ids: Iterable[int]
) -> tuple[TariffVersion, ...]:
    """Return versions by the ids that SDRs hold."""
    query = select(tariff).where(tariff.c.tariff_version_id.in_(list(version_ids)))
    return tuple(_version(row) for row in tx.execute(query))


def tariffs_changed(
    tx: Connection,
    receiver_id: int,
    publisher_ids: Iterable[int],
    *,
    cursor: Cursor,
    limit: int,
) -> Page[TariffVersion]:
    """Return versions published after the cursor: for all, or for this receiver.

    A publisher gets all of its own. What is made for another receiver nobody else sees.
    """
    mine = or_(
        tariff.c.receiver_id.is_(None),
        tariff.c.receiver_id == receiver_id,
        tariff.c.cso_id == receiver_id,
    )
    query = select(tariff).where(among(tariff.c.cso_id, publisher_ids), mine)
    rows = tx.execute(paged(query, tariff, cursor, limit)).all()
    return page_of(rows, [_version(row) for row in rows], cursor=cursor, limit=limit)


def _version(row: Row[*tuple[Any, ...]]) -> TariffVersion:
    return TariffVersion(
        tariff_version_id=row.tariff_version_id,
        publisher_id=row.cso_id,
        version=row.version,
        receiver_id=row.receiver_id,
        tariff=Tariff(
            tariff_id=row.tariff_id,
            currency=row.currency,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            minimum_u=row.minimum_u,
            maximum_u=row.maximum_u,
            discount_ppm=row.discount_ppm,
            vat_included=row.vat_included,
            priced_by=PricedBy(row.priced_by),
            components=components_from_json(row.components),
        ),
    )
