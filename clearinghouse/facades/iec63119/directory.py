"""Service directory: agreed partners, and the sender's own endpoints (5-A)."""

from __future__ import annotations

from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.vocabulary import (
    CONNECTION,
    ENDPOINT_SERVICE,
    MODE,
    ROLE,
)
from clearinghouse.services import directory
from clearinghouse.services.directory import EndpointAddress, Partner
from clearinghouse.services.outcomes import Done, Refusal
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call

#: Partners of one page when the request names no limit.
PAGE_LIMIT_DEFAULT = 1_000


def _get_participants(desk: Desk, call: Call) -> bytes:
    page = directory.get_participants(
        desk.env,
        sender_of(call),
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="participant", listed=_participant)


def _participant(desk: Desk, partner: Partner) -> Record:
    known = partner.participant
    return desk.bindings.new(
        "directory:Participant",
        party_id=known.party_id,
        name=known.name,
        role=[ROLE.write(role) for role in sorted(known.roles)],
        country=known.country,
        mode=MODE.write(partner.mode),
        connection=CONNECTION.write(partner.connection),
        changed_at=partner.changed_at,
        ended=True if partner.ended else None,
    )


def _put_endpoints(desk: Desk, call: Call) -> bytes:
    endpoints = tuple(
        EndpointAddress(
            service=ENDPOINT_SERVICE.read(endpoint.service),
            url=endpoint.url,
            access_token=endpoint.access_token,
        )
        for endpoint in call.body.endpoint
    )

    def render(outcome: Done | Refusal) -> bytes:
        return results.answer(desk.bindings, call, outcome)

    return directory.put_endpoints(desk.env, exchange_of(call), endpoints, render)


OPERATIONS = (
    OperationSpec(
        service="directory",
        name="GetParticipants",
        handle=_get_participants,
        changes=False,
    ),
    OperationSpec(
        service="directory",
        name="PutEndpoints",
        handle=_put_endpoints,
        changes=True,
    ),
)
