"""Refused records: what their submitters may ask for later."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from clearinghouse.codes import by_number
from clearinghouse.domain.errors import Item
from clearinghouse.storage.tables.sdrs import refused_sdr


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSdr:
    """A record that was refused, as far as its submitter may ask for it later."""

    sdr_uid: str
    record_no: int
    items: tuple[Item, ...]
    received_at: datetime


def refused_of_batch(
    tx: Connection, batch_id: UUID, *, after_record: int, limit: int
) -> list[RefusedSdr]:
    """Return refused records of a batch behind a record, in the batch's order.

    Those whose id could not be read are left out: nobody can ask for them.
    """
    query = (
        select(refused_sdr)
        .where(
            refused_sdr.c.batch_id == batch_id,
            refused_sdr.c.record_no > after_record,
            refused_sdr.c.sdr_uid != "",
        )
        .order_by(refused_sdr.c.record_no)
        .limit(limit)
    )
    return [_refused(row) for row in tx.execute(query)]


def refused_by_id(
    tx: Connection, submitter_id: int, sdr_ids: Collection[str]
) -> dict[str, RefusedSdr]:
    """Return the last refusal under each SDR id; ids without one are left out."""
    query = (
        select(refused_sdr)
        .where(
            refused_sdr.c.submitter_id == submitter_id,
            refused_sdr.c.sdr_uid.in_(list(sdr_ids)),
        )
        .order_by(refused_sdr.c.received_at)
    )
    return {row.sdr_uid: _refused(row) for row in tx.execute(query)}


def _refused(row: Row[Any]) -> RefusedSdr:
    items = tuple(
        Item(
            code=by_number(item["code"]),
            rule=item["rule"],
            rule_version=item.get("version"),
            path=item["path"],
            expected=item["expected"],
            found=item["found"],
        )
        for item in row.items
    )
    return RefusedSdr(
        sdr_uid=row.sdr_uid,
        record_no=row.record_no,
        items=items,
        received_at=row.received_at,
    )
