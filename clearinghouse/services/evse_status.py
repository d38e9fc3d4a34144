"""EVSE status: what operators report, what partners pull, and what has run out.

Newest wins by event time; a status that nobody confirms in time becomes unknown, and
that is a change which partners get (clause 4.3-I3, EVSE charging status exchange).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from clearinghouse import codes
from clearinghouse.domain.agreements import Module
from clearinghouse.domain.errors import Item
from clearinghouse.domain.evses import (
    Availability,
    EvseStatus,
    Occupancy,
    as_of,
    check_status,
    valid_until,
)
from clearinghouse.domain.evses import (
    newest as newest_of,
)
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.services.environment import Environment
from clearinghouse.services.evse_entries import Known, Place, identify
from clearinghouse.services.evses import known_of
from clearinghouse.services.outcomes import Done, Refusal, partly
from clearinghouse.services.publishers import publishers
from clearinghouse.storage import evse_status, messages
from clearinghouse.storage.feeds import Page, parse_cursor

#: Transactions of one run of the timer. It stops a run from never ending when statuses
#: run out faster than they are written.
EXPIRY_ROUNDS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedStatus:
    """The status of an EVSE as its operator reports it; ``received`` is its id."""

    received: str
    availability: Availability
    occupancy: Occupancy
    occurred_at: datetime
    time_to_live_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStatus:
    """The status of an EVSE as a partner of its operator sees it."""

    cso_party: str
    evse_id: str
    status: EvseStatus


def put_status(
    env: Environment,
    exchange: Exchange,
    reported: tuple[ReportedStatus, ...],
    render: Callable[[Done | Refusal], bytes],
) -> bytes:
    """Store the reported statuses that are newer than what is known.

    Those that are not, and those of EVSEs that are not the sender's, are named in the
    answer; they spare the others.
    """
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        known = known_of(tx, exchange.sender, [one.received for one in reported])
        good, items = _judged(reported, known, now=now)
        newest = newest_of(good.values())
        used = evse_status.put_statuses(
            tx, exchange.sender.participant_id, list(newest.values())
        )
        items += [
            _older(index, status)
            for index, status in good.items()
            if status.evse_key not in used or newest[status.evse_key] is not status
        ]
        items.sort(key=lambda item: item.index or 0)
        answer = render(Done(code=partly(tuple(items)), items=tuple(items)))
        messages.remember(tx, exchange, answer, at=now)
    return answer


def get_status(
    env: Environment,
    sender: Sender,
    *,
    cso_party: str | None,
    cursor: str | None,
    limit: int,
) -> Page[ListedStatus]:
    """Return the statuses that changed after the cursor, of all whom the sender visits.

    Raises as :func:`~clearinghouse.services.evses.get_evses` does.
    """
    place = parse_cursor(cursor)
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        seen = publishers(tx, sender, Module.EVSE, only=cso_party, at=now)
        page = evse_status.statuses_changed(tx, seen, cursor=place, limit=limit)
    listed = tuple(
        ListedStatus(
            cso_party=seen[one.cso_id],
            evse_id=one.evse_id,
            # The timer may be a moment behind; nobody is told what has run out.
            status=as_of(one.status, now),
        )
        for one in page.items
    )
    return Page(listed, page.cursor, page.more, page.places)


def expire_statuses(env: Environment) -> int:
    """Turn statuses whose life is over into unknown; return how many.

    For a timer. Each round is a transaction of its own.
    """
    total = 0
    for _ in range(EXPIRY_ROUNDS_MAX):
        with env.database.begin() as tx:
            expired = evse_status.expire_statuses(tx, now=env.clock.now())
        total += expired
        if expired < evse_status.EXPIRED_MAX:
            break
    return total


def _judged(
    reported: Sequence[ReportedStatus], known: Known, *, now: datetime
) -> tuple[dict[int, EvseStatus], list[Item]]:
    """Return the usable statuses by index, and what is wrong with the others."""
    good: dict[int, EvseStatus] = {}
    items: list[Item] = []
    for index, one in enumerate(reported):
        found = _status(one, Place(index=index), known)
        if isinstance(found, EvseStatus):
            wrong = check_status(found, now=now, index=index)
        else:
            wrong = found
        if wrong is not None:
            items.append(wrong)
        elif isinstance(found, EvseStatus):
            # What has run out on its way counts as unknown from the start.
            good[index] = as_of(found, now)
    return good, items


def _status(one: ReportedStatus, place: Place, known: Known) -> EvseStatus | Item:
    found = identify(one.received, place, known)
    if isinstance(found, Item):
        return found
    if known.in_force(found.key) is None:
        expected = "an EVSE that you have listed by PutEvses or UpdateEvses"
        return place.wrong(codes.EVSE_UNKNOWN, expected=expected, found=one.received)
    return EvseStatus(
        evse_key=found.key,
        availability=one.availability,
        occupancy=one.occupancy,
        occurred_at=one.occurred_at,
        valid_until=valid_until(
            one.occurred_at, one.occupancy, one.time_to_live_seconds
        ),
    )


def _older(index: int, status: EvseStatus) -> Item:
    return Item(
        code=codes.STATUS_OLDER,
        index=index,
        path="occurredAt",
        expected="not before the status that is known",
        found=status.occurred_at.isoformat(timespec="seconds"),
    )
