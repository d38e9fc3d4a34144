"""What stands in the database, for tests that look at it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import select

from clearinghouse.domain.outbox import DeliveryKind, DeliveryState
from clearinghouse.storage.outbox import Delivery
from clearinghouse.storage.tables.messages import outbox

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection


def stored_delivery(tx: Connection, delivery_id: UUID) -> Delivery:
    """Return one delivery as it stands."""
    row = tx.execute(select(outbox).where(outbox.c.delivery_id == delivery_id)).one()
    values = {one.name: getattr(row, one.name) for one in fields(Delivery)}
    words = {"kind": DeliveryKind(row.kind), "state": DeliveryState(row.state)}
    return Delivery(**values | words)
