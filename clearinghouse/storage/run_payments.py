"""Payments of settlement runs, and what the bank confirmed of them (4.3-I3).

What was paid of a payment is the sum of its confirmations; none of them ever changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, text

from clearinghouse.domain.runs import Outcome, Transfer, TransferKind
from clearinghouse.storage.tables import runs as tables

_PAYMENTS = text("""
    SELECT t.end_to_end_id, t.kind, t.payer, t.payee, t.amount_minor, t.run_id,
           coalesce(sum(c.posted_minor), 0)::bigint AS paid_minor,
           count(c.number)::integer AS confirmations,
           coalesce(sum(c.amount_minor - c.posted_minor), 0)::bigint AS unposted_minor
    FROM clearing.run_transfer AS t
    LEFT JOIN clearing.transfer_confirmation AS c USING (end_to_end_id)
    WHERE t.run_id = :run_id OR t.end_to_end_id = :end_to_end_id
    GROUP BY t.end_to_end_id ORDER BY t.run_id, t.place
""")


#: Payments of one list of money that is posted nowhere; the oldest come first.
UNPOSTED_MAX = 1_000

_UNPOSTED_COUNTS = text("""
    SELECT count(*) FILTER (WHERE unposted_minor < 0) AS lacking,
           count(*) FILTER (WHERE unposted_minor > 0) AS too_much
    FROM (SELECT sum(amount_minor - posted_minor) AS unposted_minor
          FROM clearing.transfer_confirmation GROUP BY end_to_end_id) AS payment
""")

_UNPOSTED = text("""
    SELECT t.run_id, t.end_to_end_id, t.payer, t.payee, r.currency,
           sum(c.amount_minor - c.posted_minor)::bigint AS unposted_minor,
           max(c.booked_at) AS booked_at
    FROM clearing.transfer_confirmation AS c
    JOIN clearing.run_transfer AS t USING (end_to_end_id)
    JOIN clearing.settlement_run AS r USING (run_id)
    GROUP BY t.run_id, t.end_to_end_id, t.payer, t.payee, r.currency
    HAVING sum(c.amount_minor - c.posted_minor) <> 0
    ORDER BY max(c.booked_at), t.end_to_end_id COLLATE "C" LIMIT :limit
""")


class Unposted(NamedTuple):
    """Money of a payment that the bank moved and nothing was posted of.

    ``unposted_minor`` above zero: it is too much and goes back; below zero: it came
    back, and is lacking.
    """

    run_id: int
    end_to_end_id: str
    payer: str
    payee: str
    currency: str
    unposted_minor: int
    booked_at: datetime


class Payment(NamedTuple):
    """A transfer of a run with what was posted of it, in minor units.

    ``unposted_minor`` is what the bank moved beyond that; below zero it is lacking.
    """

    run_id: int
    transfer: Transfer
    paid_minor: int
    confirmations: int
    unposted_minor: int

    @property
    def open_minor(self) -> int:
        """What is still to be paid."""
        return self.transfer.amount_minor - self.paid_minor


class Confirmation(NamedTuple):
    """What the bank said of a payment."""

    end_to_end_id: str
    reference: str
    number: int
    amount_minor: int
    posted_minor: int
    outcome: Outcome
    booked_at: datetime


def payments_of(tx: Connection, run_id: int) -> list[Payment]:
    """Return the payments of a run in their order."""
    return _payments(tx, {"run_id": run_id, "end_to_end_id": None})


def payment_named(tx: Connection, end_to_end_id: str) -> Payment | None:
    """Return a payment by its end-to-end id."""
    found = _payments(tx, {"run_id": None, "end_to_end_id": end_to_end_id})
    return found[0] if found else None


def _payments(tx: Connection, place: Mapping[str, object]) -> list[Payment]:
    return [
        Payment(
            row.run_id,
            Transfer(
                row.end_to_end_id,
                TransferKind(row.kind),
                row.payer,
                row.payee,
                row.amount_minor,
            ),
            row.paid_minor,
            row.confirmations,
            row.unposted_minor,
        )
        for row in tx.execute(_PAYMENTS, place)
    ]


def unposted(tx: Connection) -> list[Unposted]:
    """Return the payments of which money is posted nowhere, the oldest first."""
    rows = tx.execute(_UNPOSTED, {"limit": UNPOSTED_MAX})
    return [Unposted(*row) for row in rows]


def unposted_counts(tx: Connection) -> tuple[int, int]:
    """Return of how many payments money is lacking, and of how many it is too much.

    All of them count, however many a list tells.
    """
    row = tx.execute(_UNPOSTED_COUNTS).one()
    return row.lacking, row.too_much


def lacking_in(tx: Connection, run_id: int) -> list[str]:
    """Return the payments of a run that came back and are posted as made, in order."""
    said, transfer = tables.transfer_confirmation.c, tables.run_transfer.c
    query = (
        select(transfer.end_to_end_id)
        .join(
            tables.transfer_confirmation,
            said.end_to_end_id == transfer.end_to_end_id,
        )
        .where(transfer.run_id == run_id)
        .group_by(transfer.end_to_end_id, transfer.place)
        .having(func.sum(said.amount_minor - said.posted_minor) < 0)
        .order_by(transfer.place)
    )
    return list(tx.execute(query).scalars())


def confirmation(
    tx: Connection, end_to_end_id: str, reference: str
) -> Confirmation | None:
    """Return what was said of a payment under a reference."""
    table = tables.transfer_confirmation
    query = select(table).where(
        table.c.end_to_end_id == end_to_end_id, table.c.reference == reference
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _confirmation(row)


def confirmations_of(tx: Connection, run_id: int) -> list[Confirmation]:
    """Return what the bank said of the payments of a run, payment by payment."""
    table, transfer = tables.transfer_confirmation, tables.run_transfer
    query = (
        select(table)
        .join(transfer, transfer.c.end_to_end_id == table.c.end_to_end_id)
        .where(transfer.c.run_id == run_id)
        .order_by(transfer.c.place, table.c.number)
    )
    return [_confirmation(row) for row in tx.execute(query)]


def add_confirmation(tx: Connection, said: Confirmation, *, at: datetime) -> None:
    """Keep what the bank said of a payment."""
    tx.execute(
        insert(tables.transfer_confirmation).values(
            end_to_end_id=said.end_to_end_id,
            reference=said.reference,
            number=said.number,
            amount_minor=said.amount_minor,
            posted_minor=said.posted_minor,
            outcome=said.outcome,
            booked_at=said.booked_at,
            recorded_at=at,
        )
    )


def _confirmation(row: Any) -> Confirmation:  # noqa: ANN401 - a row of any query
    return Confirmation(
        row.end_to_end_id,
        row.reference,
        row.number,
        row.amount_minor,
        row.posted_minor,
        Outcome(row.outcome),
        row.booked_at,
    )
