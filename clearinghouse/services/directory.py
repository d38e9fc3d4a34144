"""The directory: agreed partners as a feed, and where a partner is reached (5-A)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection as Tx

from clearinghouse import codes
from clearinghouse.domain.agreements import Agreement, Mode, in_force
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange, Role, Sender
from clearinghouse.domain.participants import (
    Connection,
    EndpointService,
    Participant,
    connection,
)
from clearinghouse.services.endpoints import check_url
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Done, Refusal
from clearinghouse.storage import audit, directory, links, messages, outbox
from clearinghouse.storage.audit import AuditEntry
from clearinghouse.storage.directory import DirectoryEntry, Endpoint
from clearinghouse.storage.feeds import Page, parse_cursor

#: A service that only this role can offer.
_ROLE_OF_SERVICE = {
    EndpointService.CSP_ENDPOINT: Role.CSP,
    EndpointService.CSO_ENDPOINT: Role.CSO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A partner as another sees it; ``ended``: no agreement is in force any more."""

    participant: Participant
    mode: Mode
    connection: Connection
    changed_at: datetime
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAddress:
    """Where a service of the sender is reached, and the key it wants to see."""

    service: EndpointService
    url: str
    access_token: str | None = field(default=None, repr=False)


def get_participants(
    env: Environment, sender: Sender, *, cursor: str | None, limit: int
) -> Page[Partner]:
    """Return the partners of the sender that changed after the cursor.

    A partner with several agreements has the mode of the newest in force. Raises
    :class:`ClearingHouseError` (``CH.CURSOR``) for a cursor that is not ours.
    """
    place = parse_cursor(cursor)
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        page = directory.partners_changed(
            tx, sender.participant_id, cursor=place, limit=limit
        )
    partners = tuple(_partner(env, entry, now) for entry in page.items)
    return Page(partners, page.cursor, page.more, page.places)


def put_endpoints(
    env: Environment,
    exchange: Exchange,
    endpoints: tuple[EndpointAddress, ...],
    render: Callable[[Done | Refusal], bytes],
) -> bytes:
    """Register where the sender's services are reached; all of them or none.

    What waits for the sender because it could not be reached is due at once. Refuses
    addresses that our policy does not let us call, and a service that does not belong
    to a role of the sender.
    """
    refused = _checked(env, exchange.sender, endpoints)
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        if not refused:
            for endpoint in endpoints:
                _register(tx, _sealed(env, exchange.sender, endpoint, now))
            audit.record(tx, _entry(exchange, endpoints, now))
        answer = render(
            Refusal(code=codes.ENDPOINT_REFUSED, items=refused) if refused else Done()
        )
        messages.remember(tx, exchange, answer, at=now)
    return answer


def _register(tx: Tx, endpoint: Endpoint) -> None:
    """Store an address; what waited for somebody at it goes out at once."""
    participant_id, service = endpoint.participant_id, endpoint.service
    directory.put_endpoint(tx, endpoint)
    links.renew_link(tx, participant_id, service)
    outbox.bring_forward(tx, participant_id, service, at=endpoint.registered_at)


def token_purpose(participant_id: int, service: EndpointService) -> str:
    """Return the purpose under which a partner's access token is sealed."""
    return f"partner_endpoint|{participant_id}|{service}"


def _partner(env: Environment, entry: DirectoryEntry, now: datetime) -> Partner:
    current = in_force(entry.agreements, now)
    shown = current or _latest(entry.agreements)
    partner = entry.partner
    return Partner(
        participant=partner,
        mode=shown.mode,
        connection=connection(
            partner.last_heartbeat_at,
            now=now,
            period_seconds=env.limits.heartbeat_seconds,
        ),
        changed_at=entry.changed_at,
        ended=current is None or not partner.is_active,
    )


def _latest(agreements: tuple[Agreement, ...]) -> Agreement:
    """Return the agreement that began last, of those that are not in force."""
    if not agreements:
        raise ClearingHouseError(codes.INTERNAL, "a partner without any agreement")
    return max(agreements, key=lambda one: (one.valid_from, one.version))


def _checked(
    env: Environment, sender: Sender, endpoints: tuple[EndpointAddress, ...]
) -> tuple[Item, ...]:
    wrong: list[Item] = []
    for index, endpoint in enumerate(endpoints):
        role = _ROLE_OF_SERVICE[endpoint.service]
        item = check_url(
            endpoint.url,
            index=index,
            allow_http=env.limits.allow_http_endpoints,
            allow_private=env.limits.allow_private_endpoints,
        )
        if role not in sender.roles:
            item = Item(
                code=codes.ENDPOINT_REFUSED,
                index=index,
                path="endpoint/service",
                expected=f"a service of the role {' or '.join(sorted(sender.roles))}",
                found=endpoint.service,
            )
        if item is not None:
            wrong.append(item)
    return tuple(wrong)


def _sealed(
    env: Environment, sender: Sender, endpoint: EndpointAddress, now: datetime
) -> Endpoint:
    token = endpoint.access_token
    purpose = token_purpose(sender.participant_id, endpoint.service)
    return Endpoint(
        participant_id=sender.participant_id,
        service=endpoint.service,
        url=endpoint.url,
        registered_at=now,
        access_token_sealed=(
            None if token is None else env.vault.seal(token, purpose=purpose)
        ),
    )


def _entry(
    exchange: Exchange, endpoints: tuple[EndpointAddress, ...], now: datetime
) -> AuditEntry:
    return AuditEntry(
        at=now,
        actor=exchange.sender.party_id,
        action="put_endpoints",
        object=" ".join(sorted({endpoint.service for endpoint in endpoints})),
        outcome="registered",
        correlation_id=exchange.correlation_id,
    )
