"""EVSE data of the CSOs: full lists, deltas, look-ups, and the CSPs' feed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, text, update
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.codes import EVSE_LIST_PARTS
from clearinghouse.domain.credentials import ListState
from clearinghouse.domain.evses import Address, Connector, Evse
from clearinghouse.identifiers import evse_id
from clearinghouse.storage import lists
from clearinghouse.storage.feeds import Cursor, Page, page_of, paged
from clearinghouse.storage.tables.columns import among, touched
from clearinghouse.storage.tables.evses import (
    evse,
    evse_list,
    evse_list_entry,
    evse_list_part,
)

STAGING = lists.Staging(
    lists=evse_list,
    parts=evse_list_part,
    entries=evse_list_entry,
    owner="cso_id",
    lock_space=7_311_903,
    misfit=EVSE_LIST_PARTS,
)

_MICRODEGREE_DIGITS = 6
_DESCRIPTION = (
    "evse_id",
    "spaced",
    "operator_id",
    "country",
    "time_zone",
    "latitude",
    "longitude",
    "address",
    "connectors",
    "power_w",
    "open_24_hours",
    "meter_public_key",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvse:
    """An EVSE with its operator; ``removed`` is a tombstone."""

    cso_id: int
    evse: Evse
    removed: bool = False


def stage_part(
    tx: Connection, part: lists.ListPart, evses: Sequence[Evse], *, refused: int = 0
) -> lists.StagedList:
    """Store one part of a full list; ``refused`` counts records that were not taken.

    Behaves as :func:`clearinghouse.storage.credentials.stage_part`.
    """
    lists.open_part(tx, STAGING, part)
    rows = {
        one.evse_id.key: _values(one)
        | {"cso_id": part.owner_id, "list_id": part.list_id, "part": part.part}
        for one in evses
    }
    if rows:
        new = insert(evse_list_entry)
        replaced = {name: new.excluded[name] for name in ("part", *_DESCRIPTION)}
        keys = ["cso_id", "list_id", "evse_key"]
        upsert = new.on_conflict_do_update(index_elements=keys, set_=replaced)
        tx.execute(upsert, list(rows.values()))
    return lists.close_part(tx, STAGING, part, refused=refused)


def staged_spellings(
    tx: Connection, part: lists.ListPart, evse_keys: Iterable[str]
) -> dict[str, str]:
    """Return how the other parts of a list spell the EVSEs that they name, by key."""
    entry = evse_list_entry.c
    query = select(entry.evse_key, entry.spaced).where(
        entry.cso_id == part.owner_id,
        entry.list_id == part.list_id,
        entry.part != part.part,
        among(entry.evse_key, evse_keys),
    )
    return {row.evse_key: row.spaced for row in tx.execute(query)}


_DIFFERENCE = text("""
    SELECT count(*) AS present,
           count(*) FILTER (WHERE entry.evse_key IS NULL) AS removed
    FROM clearing.evse AS known
    LEFT JOIN clearing.evse_list_entry AS entry
        ON entry.cso_id = known.cso_id AND entry.list_id = :list_id
        AND entry.evse_key = known.evse_key
    WHERE known.cso_id = :cso_id AND NOT known.removed
""")


def difference(tx: Connection, cso_id: int, list_id: UUID) -> lists.Difference:
    """Return what applying a staged list would remove."""
    with lists.set_wise(tx):
        row = tx.execute(_DIFFERENCE, {"cso_id": cso_id, "list_id": list_id}).one()
    return lists.Difference(present=row.present, removed=row.removed)


# Only what differs is written: partners pull changes, not confirmations.
_APPLY = text("""
    INSERT INTO clearing.evse AS known (evse_key, cso_id, evse_id, spaced, operator_id,
        country, time_zone, latitude, longitude, address, connectors, power_w,
        open_24_hours, meter_public_key)
    SELECT evse_key, cso_id, evse_id, spaced, operator_id, country, time_zone, latitude,
        longitude, address, connectors, power_w, open_24_hours,
        meter_public_key
    FROM clearing.evse_list_entry
    WHERE cso_id = :cso_id AND list_id = :list_id
    ORDER BY evse_key
    ON CONFLICT (evse_key) DO UPDATE SET
        evse_id = excluded.evse_id, spaced = excluded.spaced,
        operator_id = excluded.operator_id, country = excluded.country,
        time_zone = excluded.time_zone, latitude = excluded.latitude,
        longitude = excluded.longitude, address = excluded.address,
        connectors = excluded.connectors, power_w = excluded.power_w,
        open_24_hours = excluded.open_24_hours,
        meter_public_key = excluded.meter_public_key, removed = false,
        changed_xid = pg_current_xact_id(),
        change_id = nextval('clearing.change_seq')
    WHERE known.cso_id = excluded.cso_id
      AND (known.removed, known.evse_id, known.spaced, known.operator_id, known.country,
           known.time_zone, known.latitude, known.longitude, known.address,
           known.connectors, known.power_w, known.open_24_hours,
           known.meter_public_key)
          IS DISTINCT FROM
          (false, excluded.evse_id, excluded.spaced, excluded.operator_id,
           excluded.country, excluded.time_zone, excluded.latitude, excluded.longitude,
           excluded.address, excluded.connectors, excluded.power_w,
           excluded.open_24_hours, excluded.meter_public_key)
""")
_REMOVE_OTHERS = text("""
    UPDATE clearing.evse AS known
    SET removed = true, changed_xid = pg_current_xact_id(),
        change_id = nextval('clearing.change_seq')
    WHERE known.cso_id = :cso_id AND NOT known.removed
      AND NOT EXISTS (
        SELECT FROM clearing.evse_list_entry AS entry
        WHERE entry.cso_id = known.cso_id AND entry.list_id = :list_id
          AND entry.evse_key = known.evse_key)
""")


def apply_list(tx: Connection, cso_id: int, list_id: UUID, *, at: datetime) -> None:
    """Put a complete list in force in place of all before."""
    lists.lock_owner(tx, STAGING, cso_id)
    values = {"cso_id": cso_id, "list_id": list_id}
    with lists.set_wise(tx):
        tx.execute(_APPLY, values)
        tx.execute(_REMOVE_OTHERS, values)
    lists.drop_entries(tx, STAGING, cso_id, list_id)
    tx.execute(
        update(evse_list)
        .where(evse_list.c.cso_id == cso_id, evse_list.c.list_id == list_id)
        .values(state=ListState.APPLIED, applied_at=at)
    )


def apply_delta(
    tx: Connection, cso_id: int, *, upserts: Sequence[Evse], removals: Iterable[str]
) -> int:
    """Add, change and remove single EVSEs at once; return how many rows moved.

    ``removals`` are keys; removing what is not there is no error. An EVSE of another
    CSO is left alone.
    """
    lists.lock_owner(tx, STAGING, cso_id)
    own = evse.c.cso_id == cso_id
    rows = {one.evse_id.key: _values(one) | {"cso_id": cso_id} for one in upserts}
    if rows:
        new = insert(evse).values(removed=False)
        replaced = {name: new.excluded[name] for name in (*_DESCRIPTION, "removed")}
        upsert = new.on_conflict_do_update(
            index_elements=["evse_key"], set_=replaced | touched(), where=own
        )
        tx.execute(upsert, list(rows.values()))
    gone = (
        update(evse)
        .where(own, ~evse.c.removed, among(evse.c.evse_key, removals))
        .values(removed=True, **touched())
    )
    return len(rows) + tx.execute(gone).rowcount


def evse_by_key(tx: Connection, evse_key: str) -> StoredEvse | None:
    """Return an EVSE by its key, a removed one as such."""
    return evses_by_key(tx, [evse_key]).get(evse_key)


def evses_by_key(tx: Connection, evse_keys: Iterable[str]) -> dict[str, StoredEvse]:
    """Return EVSEs by key, removed ones as such; unknown keys are left out."""
    query = select(evse).where(among(evse.c.evse_key, evse_keys))
    return {row.evse_key: _stored(row) for row in tx.execute(query)}


def evses_changed(
    tx: Connection, cso_ids: Iterable[int], *, cursor: Cursor, limit: int
) -> Page[StoredEvse]:
    """Return the EVSEs of some CSOs that changed after the cursor.

    The caller names the CSOs it may see. A CSO that joins later has older changes: its
    list is pulled by itself from the start.
    """
    query = select(evse).where(among(evse.c.cso_id, cso_ids))
    rows = tx.execute(paged(query, evse, cursor, limit)).all()
    return page_of(rows, [_stored(row) for row in rows], cursor=cursor, limit=limit)


def _values(one: Evse) -> dict[str, object]:
    place = one.address
    return {
        "evse_key": one.evse_id.key,
        "evse_id": one.received,
        "spaced": one.evse_id.spaced,
        "operator_id": one.operator_id,
        "country": one.country,
        "time_zone": one.time_zone,
        "latitude": _degrees(one.latitude_u),
        "longitude": _degrees(one.longitude_u),
        "address": {
            "street": place.street,
            "house_number": place.house_number,
            "postal_code": place.postal_code,
            "city": place.city,
        },
        "connectors": [
            {"kind": connector.kind, "power_w": connector.power_w}
            for connector in one.connectors
        ],
        "power_w": one.power_w or None,
        "open_24_hours": one.open_24_hours,
        "meter_public_key": one.meter_public_key,
    }


def _stored(row: Row[*tuple[Any, ...]]) -> StoredEvse:
    return StoredEvse(
        cso_id=row.cso_id,
        evse=Evse(
            evse_id=evse_id.parse(row.spaced),
            received=row.evse_id,
            country=row.country,
            time_zone=row.time_zone,
            operator_id=row.operator_id,
            latitude_u=_microdegrees(row.latitude),
            longitude_u=_microdegrees(row.longitude),
            address=Address(**row.address),
            connectors=tuple(Connector(**one) for one in row.connectors),
            open_24_hours=row.open_24_hours,
            meter_public_key=row.meter_public_key,
        ),
        removed=row.removed,
    )


def _degrees(microdegrees: int | None) -> Decimal | None:
    if microdegrees is None:
        return None
    return Decimal(microdegrees).scaleb(-_MICRODEGREE_DIGITS)


def _microdegrees(degrees: Decimal | None) -> int | None:
    return None if degrees is None else int(degrees.scaleb(_MICRODEGREE_DIGITS))
