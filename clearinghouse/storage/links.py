"""The circuit breaker of each partner's link, shared by all our processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.domain.link import Link, LinkState
from clearinghouse.domain.participants import EndpointService
from clearinghouse.storage.tables.participants import link_state


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """A link's breaker with what the operator wants to see of it."""

    participant_id: int
    service: EndpointService
    link: Link
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error_code: int | None = None

    def after_success(self, link: Link, at: datetime) -> LinkRecord:
        """Return the record after a call that was answered."""
        return replace(self, link=link, last_success_at=at)

    def after_failure(self, link: Link, at: datetime, code: int) -> LinkRecord:
        """Return the record after a call without an answer."""
        return replace(self, link=link, last_failure_at=at, last_error_code=code)


def link_of(
    tx: Connection,
    participant_id: int,
    service: EndpointService,
    *,
    for_update: bool = False,
) -> LinkRecord:
    """Return a link; one that nobody has used yet is closed (lets calls pass)."""
    query = select(link_state).where(
        link_state.c.participant_id == participant_id, link_state.c.service == service
    )
    if for_update:
        query = query.with_for_update()
    row = tx.execute(query).one_or_none()
    if row is None:
        return LinkRecord(participant_id=participant_id, service=service, link=Link())
    return _record(row)


def all_links(tx: Connection) -> tuple[LinkRecord, ...]:
    """Return the links of all participants: there are two at most of each."""
    query = select(link_state).order_by(
        link_state.c.participant_id, link_state.c.service
    )
    return tuple(_record(row) for row in tx.execute(query))


def save_link(tx: Connection, record: LinkRecord) -> None:
    """Store a link as it is after a call."""
    link = record.link
    values = {
        "state": link.state,
        "consecutive_failures": link.consecutive_failures,
        "recent": [[at.isoformat(), success] for at, success in link.recent],
        "open_until": link.open_until,
        "open_seconds": link.open_seconds,
        "last_success_at": record.last_success_at,
        "last_failure_at": record.last_failure_at,
        "last_error_code": record.last_error_code,
    }
    tx.execute(
        insert(link_state)
        .values(participant_id=record.participant_id, service=record.service, **values)
        .on_conflict_do_update(
            index_elements=["participant_id", "service"], set_=values
        )
    )


def renew_link(tx: Connection, participant_id: int, service: EndpointService) -> None:
    """Let calls pass again: what broke was where the service was registered before."""
    record = link_of(tx, participant_id, service, for_update=True)
    if record.link != Link():
        save_link(tx, replace(record, link=Link()))


def _record(row: Row[*tuple[Any, ...]]) -> LinkRecord:
    return LinkRecord(
        participant_id=row.participant_id,
        service=EndpointService(row.service),
        link=Link(
            state=LinkState(row.state),
            consecutive_failures=row.consecutive_failures,
            recent=tuple(
                (datetime.fromisoformat(at), success) for at, success in row.recent
            ),
            open_until=row.open_until,
            open_seconds=row.open_seconds,
        ),
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        last_error_code=row.last_error_code,
    )
