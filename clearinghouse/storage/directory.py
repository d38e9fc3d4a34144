"""The directory: agreed partners as a feed, and the endpoints they registered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.domain.agreements import Agreement
from clearinghouse.domain.participants import EndpointService, Participant
from clearinghouse.storage.agreements import agreements_of
from clearinghouse.storage.feeds import Cursor, Page, page_of, paged
from clearinghouse.storage.participants import participant_of, participants_query
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.participants import (
    agreement,
    participant,
    partner_endpoint,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """A partner and all agreements with it, ended and coming ones as well."""

    partner: Participant
    agreements: tuple[Agreement, ...]
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a participant's service is reached; the token is sealed by the vault."""

    participant_id: int
    service: EndpointService
    url: str
    registered_at: datetime
    access_token_sealed: bytes | None = field(default=None, repr=False)


def partners_changed(
    tx: Connection, participant_id: int, *, cursor: Cursor, limit: int
) -> Page[DirectoryEntry]:
    """Return the partners of a participant that changed after the cursor.

    Everybody with whom there is or was an agreement, on either side: whether one is in
    force is a question of time, which the caller answers.
    """
    sides = (agreement.c.visited_id, agreement.c.home_id)
    partners = or_(
        *(
            participant.c.participant_id.in_(
                select(theirs).where(mine == participant_id)
            )
            for mine, theirs in (sides, sides[::-1])
        )
    )
    query = paged(participants_query().where(partners), participant, cursor, limit)
    rows = tx.execute(query).all()
    mine = agreements_of(tx, participant_id)
    entries = [
        DirectoryEntry(
            partner=participant_of(row),
            agreements=tuple(
                one
                for one in mine
                if row.participant_id in (one.visited_id, one.home_id)
            ),
            changed_at=row.changed_at,
        )
        for row in rows
    ]
    return page_of(rows, entries, cursor=cursor, limit=limit)


def put_endpoint(tx: Connection, endpoint: Endpoint) -> None:
    """Register where a service is reached, in place of what was there."""
    values = {
        "url": endpoint.url,
        "access_token_sealed": endpoint.access_token_sealed,
        "updated_at": endpoint.registered_at,
    }
    tx.execute(
        insert(partner_endpoint)
        .values(
            participant_id=endpoint.participant_id, service=endpoint.service, **values
        )
        .on_conflict_do_update(
            index_elements=["participant_id", "service"], set_=values
        )
    )


def endpoint_of(
    tx: Connection, participant_id: int, service: EndpointService
) -> Endpoint | None:
    """Return where a participant's service is reached."""
    found = endpoints_of(tx, participant_id)
    return next((one for one in found if one.service is service), None)


def registered(
    tx: Connection, service: EndpointService, participant_ids: Collection[int]
) -> frozenset[int]:
    """Return those of the participants that registered where a service is."""
    query = select(partner_endpoint.c.participant_id).where(
        partner_endpoint.c.service == service,
        among(partner_endpoint.c.participant_id, participant_ids),
    )
    return frozenset(tx.execute(query).scalars())


def endpoints_of(tx: Connection, participant_id: int) -> tuple[Endpoint, ...]:
    """Return the endpoints that a participant registered."""
    query = (
        select(partner_endpoint)
        .where(partner_endpoint.c.participant_id == participant_id)
        .order_by(partner_endpoint.c.service)
    )
    return tuple(
        Endpoint(
            participant_id=row.participant_id,
            service=EndpointService(row.service),
            url=row.url,
            registered_at=row.updated_at,
            access_token_sealed=row.access_token_sealed,
        )
        for row in tx.execute(query)
    )
