"""Participants: admit, find by id or alias, suspend, and hear their heartbeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import Participant, ParticipantStatus
from clearinghouse.storage.tables.columns import among, touched
from clearinghouse.storage.tables.participants import participant, party_alias

#: Participants of one list. It stops an unbounded list from being held in memory.
PARTICIPANTS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParticipant:
    """A participant to admit; ``aliases`` are further ids it may use."""

    party_id: str
    name: str
    roles: frozenset[Role]
    country: str
    aliases: frozenset[str] = frozenset()


def admit(tx: Connection, new: NewParticipant, *, at: datetime) -> Participant:
    """Store a new participant, its party id among its aliases.

    Raises :class:`sqlalchemy.exc.IntegrityError` when an id is taken.
    """
    participant_id = tx.execute(
        insert(participant)
        .values(
            party_id=new.party_id,
            name=new.name,
            roles=sorted(new.roles),
            country=new.country,
            status=ParticipantStatus.ACTIVE,
            created_at=at,
        )
        .returning(participant.c.participant_id)
    ).scalar_one()
    aliases = new.aliases | {new.party_id}
    tx.execute(
        insert(party_alias),
        [
            {"alias": alias, "participant_id": participant_id}
            for alias in sorted(aliases)
        ],
    )
    return Participant(
        participant_id=participant_id,
        party_id=new.party_id,
        name=new.name,
        roles=new.roles,
        country=new.country,
        aliases=aliases,
    )


def participant_by_id(tx: Connection, participant_id: int) -> Participant | None:
    """Return a participant by our number for it."""
    query = participants_query().where(participant.c.participant_id == participant_id)
    return _one(tx, query)


def participant_by_party_id(tx: Connection, party_id: str) -> Participant | None:
    """Return the participant with this party id."""
    return _one(tx, participants_query().where(participant.c.party_id == party_id))


def owners_of_aliases(tx: Connection, aliases: Iterable[str]) -> dict[str, int]:
    """Return the participants' numbers by alias; unknown aliases are left out."""
    query = select(party_alias).where(among(party_alias.c.alias, aliases))
    return {row.alias: row.participant_id for row in tx.execute(query)}


def participants_by_id(
    tx: Connection, participant_ids: Iterable[int]
) -> dict[int, Participant]:
    """Return participants by our numbers; unknown numbers are left out."""
    query = participants_query().where(
        among(participant.c.participant_id, participant_ids)
    )
    found = [participant_of(row) for row in tx.execute(query)]
    return {entry.participant_id: entry for entry in found}


def all_participants(tx: Connection) -> tuple[Participant, ...]:
    """Return all participants in the order of their party ids."""
    query = (
        participants_query().order_by(participant.c.party_id).limit(PARTICIPANTS_MAX)
    )
    return tuple(participant_of(row) for row in tx.execute(query))


def party_ids(tx: Connection) -> dict[int, str]:
    """Return the party id of each participant."""
    query = select(participant.c.participant_id, participant.c.party_id)
    rows = tx.execute(query.limit(PARTICIPANTS_MAX))
    return {row.participant_id: row.party_id for row in rows}


def set_status(tx: Connection, participant_id: int, status: ParticipantStatus) -> bool:
    """Suspend or readmit a participant; say whether there is such a one."""
    return _change(tx, participant_id, {"status": status})


def add_alias(tx: Connection, participant_id: int, alias: str) -> bool:
    """Let a participant use a further id; ``False`` when the id is taken."""
    added = (
        insert_or(party_alias)
        .values(alias=alias, participant_id=participant_id)
        .on_conflict_do_nothing()
        .returning(party_alias.c.alias)
    )
    if tx.execute(added).first() is None:
        return False
    return _change(tx, participant_id, {})


def hear_heartbeat(
    tx: Connection, participant_id: int, *, at: datetime, skew_ms: int
) -> None:
    """Note a sign of life.

    It does not move the participant in the directory's feed: partners pull that for
    changes, and a sign of life every few minutes is none.
    """
    tx.execute(
        update(participant)
        .where(participant.c.participant_id == participant_id)
        .values(last_heartbeat_at=at, skew_ms=skew_ms)
    )


def touch_participants(tx: Connection, participant_ids: Iterable[int]) -> None:
    """Move participants to the end of the directory's feed."""
    tx.execute(
        update(participant)
        .where(among(participant.c.participant_id, participant_ids))
        .values(changed_at=func.now(), **touched())
    )


def _change(tx: Connection, participant_id: int, values: dict[str, object]) -> bool:
    change = (
        update(participant)
        .where(participant.c.participant_id == participant_id)
        .values(changed_at=func.now(), **values, **touched())
    )
    return tx.execute(change).rowcount == 1


def participants_query() -> Select[Any]:
    """Return the query whose rows :func:`participant_of` understands."""
    aliases = (
        select(func.array_agg(party_alias.c.alias))
        .where(party_alias.c.participant_id == participant.c.participant_id)
        .scalar_subquery()
    )
    return select(participant, aliases.label("aliases"))


def _one(tx: Connection, query: Select[Any]) -> Participant | None:
    row = tx.execute(query).one_or_none()
    return None if row is None else participant_of(row)


def participant_of(row: Row[*tuple[Any, ...]]) -> Participant:
    """Return the participant of a row."""
    return Participant(
        participant_id=row.participant_id,
        party_id=row.party_id,
        name=row.name,
        roles=frozenset(Role(role) for role in row.roles),
        country=row.country,
        status=ParticipantStatus(row.status),
        aliases=frozenset(row.aliases or ()),
        last_heartbeat_at=row.last_heartbeat_at,
        skew_ms=row.skew_ms,
    )
