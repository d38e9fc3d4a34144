"""Service evse, dynamic part: availability and occupancy, each way (4.3-I3)."""

from __future__ import annotations

from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.vocabulary import AVAILABILITY, OCCUPANCY
from clearinghouse.services import evse_status
from clearinghouse.services.evse_status import ListedStatus, ReportedStatus
from clearinghouse.services.outcomes import Done, Refusal
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call

#: Statuses of one page when the request names no limit.
PAGE_LIMIT_DEFAULT = 1_000


def _put_status(desk: Desk, call: Call) -> bytes:
    reported = tuple(
        ReportedStatus(
            received=record.evse_id,
            availability=AVAILABILITY.read(record.availability),
            occupancy=OCCUPANCY.read(record.occupancy),
            occurred_at=record.occurred_at,
            time_to_live_seconds=record.time_to_live_seconds,
        )
        for record in call.body.status
    )

    def render(outcome: Done | Refusal) -> bytes:
        return results.answer(desk.bindings, call, outcome)

    return evse_status.put_status(desk.env, exchange_of(call), reported, render)


def _get_status(desk: Desk, call: Call) -> bytes:
    page = evse_status.get_status(
        desk.env,
        sender_of(call),
        cso_party=call.body.cso_id,
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="status", listed=_listed)


def _listed(desk: Desk, listed: ListedStatus) -> Record:
    status = listed.status
    return desk.bindings.new(
        "evse:ListedStatus",
        cso_id=listed.cso_party,
        evse_id=listed.evse_id,
        availability=AVAILABILITY.write(status.availability),
        occupancy=OCCUPANCY.write(status.occupancy),
        occurred_at=status.occurred_at,
        valid_until=status.valid_until,
        stale=status.stale,
    )


OPERATIONS = (
    OperationSpec(service="evse", name="PutStatus", handle=_put_status, changes=True),
    OperationSpec(service="evse", name="GetStatus", handle=_get_status, changes=False),
)
