"""Service evse, static part: full lists, deltas, and the pull of CSPs (4.3-I3).

Ids are handed on as received: their shape is judged entry by entry.
"""

from __future__ import annotations

from decimal import Decimal

from clearinghouse.domain.evses import Address, Connector, Evse
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.vocabulary import LIST_STATE
from clearinghouse.services import evses
from clearinghouse.services.evse_entries import EvseEntry
from clearinghouse.services.evses import Counted, EvseDelta, EvsePart, ListedEvse
from clearinghouse.services.outcomes import Refusal
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call

#: EVSEs of one page when the request names no limit.
PAGE_LIMIT_DEFAULT = 1_000

_MICRODEGREE_DIGITS = 6


def _put_evses(desk: Desk, call: Call) -> bytes:
    body = call.body
    part = EvsePart(
        list_id=results.uuid_of(body.list_id),
        expected_count=body.expected_count,
        part=body.part,
        parts=body.parts,
        entries=tuple(_entry(record) for record in body.evse),
    )

    def render(outcome: Counted | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        state = outcome.state
        return results.answer(
            desk.bindings,
            call,
            outcome,
            state=None if state is None else LIST_STATE.write(state),
            accepted=outcome.accepted,
            refused=outcome.refused,
        )

    return evses.put_evses(desk.env, exchange_of(call), part, render)


def _update_evses(desk: Desk, call: Call) -> bytes:
    delta = EvseDelta(
        upserts=tuple(_entry(record) for record in call.body.upsert),
        removals=tuple(call.body.remove),
    )

    def render(outcome: Counted | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        return results.answer(
            desk.bindings,
            call,
            outcome,
            accepted=outcome.accepted,
            refused=outcome.refused,
        )

    return evses.update_evses(desk.env, exchange_of(call), delta, render)


def _get_evses(desk: Desk, call: Call) -> bytes:
    page = evses.get_evses(
        desk.env,
        sender_of(call),
        cso_party=call.body.cso_id,
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="evse", listed=_listed)


def _entry(record: Record) -> EvseEntry:
    return EvseEntry(
        received=record.evse_id,
        country=record.country,
        time_zone=record.time_zone,
        operator_id=record.operator_id,
        latitude_u=_microdegrees(record.latitude),
        longitude_u=_microdegrees(record.longitude),
        address=Address(
            street=record.street,
            house_number=record.house_number,
            postal_code=record.postal_code,
            city=record.city,
        ),
        connectors=tuple(
            Connector(kind=connector.kind, power_w=connector.power_w)
            for connector in record.connector
        ),
        open_24_hours=record.open24_hours,
        meter_public_key=record.meter_public_key,
    )


def _listed(desk: Desk, listed: ListedEvse) -> Record:
    return desk.bindings.new(
        "evse:ListedEvse",
        cso_id=listed.cso_party,
        evse=_evse(desk, listed.evse),
        removed=True if listed.removed else None,
    )


def _evse(desk: Desk, evse: Evse) -> Record:
    place = evse.address
    return desk.bindings.new(
        "evse:Evse",
        # One spelling in all answers, whatever its operator sent: partners join by it.
        evse_id=evse.evse_id.spaced,
        operator_id=evse.operator_id,
        latitude=_degrees(evse.latitude_u),
        longitude=_degrees(evse.longitude_u),
        street=place.street,
        house_number=place.house_number,
        postal_code=place.postal_code,
        city=place.city,
        country=evse.country,
        time_zone=evse.time_zone,
        connector=[
            desk.bindings.new("evse:Connector", kind=one.kind, power_w=one.power_w)
            for one in evse.connectors
        ],
        open24_hours=evse.open_24_hours,
        meter_public_key=evse.meter_public_key,
    )


def _microdegrees(degrees: Decimal | None) -> int | None:
    """Return degrees in millionths; what is finer is rounded."""
    if degrees is None:
        return None
    return int(degrees.scaleb(_MICRODEGREE_DIGITS).to_integral_value())


def _degrees(microdegrees: int | None) -> Decimal | None:
    if microdegrees is None:
        return None
    return Decimal(microdegrees).scaleb(-_MICRODEGREE_DIGITS)


OPERATIONS = (
    OperationSpec(service="evse", name="PutEvses", handle=_put_evses, changes=True),
    OperationSpec(
        service="evse", name="UpdateEvses", handle=_update_evses, changes=True
    ),
    OperationSpec(service="evse", name="GetEvses", handle=_get_evses, changes=False),
)
