"""News of the settlement, pushed to participants that offer a csp-endpoint (4.3-I3).

Queued with what they tell, so that there is a notice exactly when it happened; written
when they are sent. They hold names only: who is told asks for the rest. A participant
without such a service asks when it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import cast

from sqlalchemy import Connection

from clearinghouse.domain.disputes import Party
from clearinghouse.domain.outbox import SERVICE_OF, DeliveryKind
from clearinghouse.domain.settlement_notices import News, Notice
from clearinghouse.services.environment import Environment
from clearinghouse.storage import directory, outbox, participants
from clearinghouse.storage import settlement_notices as store
from clearinghouse.storage.outbox import Delivery, NewDelivery

_KIND = DeliveryKind.NOTIFY_SETTLEMENT

Written = Callable[[Connection, Delivery], Notice | None]


def queue_window(
    tx: Connection, window_id: int, involved: Iterable[int], *, at: datetime
) -> None:
    """Tell those who have positions in a window that it is closed."""
    _queue(tx, involved, News.WINDOW_CLOSED, window_id, at=at)


def queue_statement(
    tx: Connection, statement_id: str, owner_id: int, *, at: datetime
) -> None:
    """Tell a participant that its statement is there."""
    _queue(tx, [owner_id], News.STATEMENT_READY, statement_id, at=at)


def queue_invoice(
    tx: Connection, number: str, sides: Iterable[int], *, at: datetime
) -> None:
    """Tell seller and buyer that an invoice or credit note is there."""
    _queue(tx, sides, News.INVOICE_READY, number, at=at)


def queue_run(
    tx: Connection, run_id: int, parties: Iterable[str], *, at: datetime
) -> None:
    """Tell participants, by party id, that all of a run is paid."""
    wanted = set(parties)
    people = participants.party_ids(tx)
    told = [number for number, party_id in people.items() if party_id in wanted]
    _queue(tx, told, News.RUN_SETTLED, run_id, at=at)


def queue_step(
    tx: Connection, sides: Mapping[Party, int], by: Party, step: int, *, at: datetime
) -> None:
    """Tell the sides of a dispute of a step that they did not take themselves.

    ``sides``: the home CSP and the submitter. A submitter with a cso-endpoint is told
    there, by NotifySdrs.
    """
    told = {party: number for party, number in sides.items() if party is not by}
    submitter = told.get(Party.SUBMITTER)
    service = SERVICE_OF[DeliveryKind.NOTIFY_SDRS]
    if submitter is not None and directory.registered(tx, service, [submitter]):
        del told[Party.SUBMITTER]
    _queue(tx, told.values(), News.DISPUTE_MOVED, step, at=at)


def notices(env: Environment, delivery: Delivery) -> tuple[Notice, ...]:
    """Return what a delivery tells; empty when there is nothing of it any more."""
    written = _WRITTEN[News(str(delivery.payload["news"]))]
    with env.database.begin_read_only() as tx:
        found = written(tx, delivery)
    return () if found is None else (found,)


def _queue(
    tx: Connection,
    told: Iterable[int],
    news: News,
    name: int | str,
    *,
    at: datetime,
) -> None:
    """Add one delivery for each who listens; the number of partners bounds them."""
    deliveries = [
        NewDelivery(
            participant_id=participant_id,
            kind=_KIND,
            subject_key=f"{news.value}:{name}",
            payload={"news": news.value, "name": name},
        )
        for participant_id in sorted(
            directory.registered(tx, SERVICE_OF[_KIND], set(told))
        )
    ]
    outbox.enqueue_all(tx, deliveries, at=at)


def _number(delivery: Delivery) -> int:
    return cast("int", delivery.payload["name"])


def _text(delivery: Delivery) -> str:
    return str(delivery.payload["name"])


_WRITTEN: Mapping[News, Written] = MappingProxyType(
    {
        News.WINDOW_CLOSED: lambda tx, one: store.of_window(
            tx, _number(one), one.created_at
        ),
        News.STATEMENT_READY: lambda tx, one: store.of_statement(
            tx, _text(one), one.created_at
        ),
        News.INVOICE_READY: lambda tx, one: store.of_invoice(
            tx, _text(one), one.created_at
        ),
        News.RUN_SETTLED: lambda tx, one: store.of_run(
            tx, _number(one), one.created_at
        ),
        News.DISPUTE_MOVED: lambda tx, one: store.of_step(tx, _number(one)),
    }
)
