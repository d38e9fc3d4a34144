"""Participants: admit, list, suspend, resume, let them use further ids.

These are the operator's own acts, done at the command line; every one leaves an entry
in the audit trail.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from clearinghouse.codes import SEMANTIC, UNKNOWN_PARTICIPANT
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import Participant, ParticipantStatus
from clearinghouse.identifiers import party_id as party_ids
from clearinghouse.identifiers.countries import COUNTRIES
from clearinghouse.services.environment import Environment
from clearinghouse.storage import access as access_rows
from clearinghouse.storage import audit
from clearinghouse.storage import participants as rows
from clearinghouse.storage.audit import AuditEntry
from clearinghouse.storage.failures import UNIQUE_VIOLATION, sqlstate_of
from clearinghouse.texts import NAME_LENGTH_MAX, UNSEEN, is_name

OPERATOR = "operator"
"""Who acts at the command line, in the audit trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A partner to admit: its party id, name, country, roles and further ids."""

    party_id: str
    name: str
    country: str
    roles: frozenset[Role]
    aliases: frozenset[str] = frozenset()


def admit(env: Environment, admission: Admission) -> Participant:
    """Admit a partner and return it; its ids may be written with separators.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) with all that is wrong, or when
    one of its ids is taken.
    """
    items = tuple(_wrong(admission))
    if items:
        raise ClearingHouseError(SEMANTIC, items=items)
    now = env.clock.now()
    new = rows.NewParticipant(
        party_id=party_ids.compact(admission.party_id),
        name=admission.name.strip(),
        roles=admission.roles,
        country=admission.country,
        aliases=frozenset(party_ids.compact(alias) for alias in admission.aliases),
    )
    try:
        with env.database.begin() as tx:
            _refuse_taken(tx, new.aliases | {new.party_id})
            admitted = rows.admit(tx, new, at=now)
            note(tx, env, "admit", new.party_id)
    except IntegrityError as error:
        if sqlstate_of(error) != UNIQUE_VIOLATION:
            raise
        detail = "one of its ids was taken in this moment; try again"
        raise ClearingHouseError(SEMANTIC, detail) from error
    return admitted


def _refuse_taken(tx: Connection, party_ids: frozenset[str]) -> None:
    """Raise ``CH.SEMANTIC`` with the ids that partners use, and which partners."""
    owners = rows.owners_of_aliases(tx, party_ids)
    if not owners:
        return
    names = rows.participants_by_id(tx, owners.values())
    taken = [
        f"{alias} is taken"
        if names[owner].party_id == alias
        else f"{alias} is taken by {names[owner].party_id}"
        for alias, owner in sorted(owners.items())
    ]
    raise ClearingHouseError(SEMANTIC, "; ".join(taken))


def _wrong(admission: Admission) -> list[Item]:
    items = [
        _not_an_id(path, value)
        for path, value in [
            ("partyId", admission.party_id),
            *(("alias", alias) for alias in sorted(admission.aliases)),
        ]
        if not party_ids.is_valid(value)
    ]
    if not admission.roles:
        items.append(Item(code=SEMANTIC, path="role", expected="CSP, CSO or both"))
    if not is_name(admission.name):
        items.append(
            Item(
                code=SEMANTIC,
                path="name",
                expected=f"1 to {NAME_LENGTH_MAX} characters, {UNSEEN}",
            )
        )
    if admission.country not in COUNTRIES:
        items.append(
            Item(
                code=SEMANTIC,
                path="country",
                expected="two capital letters after ISO 3166, as DE",
                found=admission.country,
            )
        )
    return items


def _not_an_id(path: str, value: str) -> Item:
    expected = "two letters of a country and three letters or digits, as DE*ABC"
    return Item(code=SEMANTIC, path=path, expected=expected, found=value)


def all_participants(env: Environment) -> tuple[Participant, ...]:
    """Return all partners in the order of their party ids."""
    with env.database.begin_read_only() as tx:
        return rows.all_participants(tx)


def suspend(env: Environment, party_id: str) -> Participant:
    """Suspend a partner: its sessions end within seconds, nobody roams with it.

    Those sessions stay ended when the partner takes part again. Raises
    :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    return _set_status(env, party_id, ParticipantStatus.SUSPENDED)


def resume(env: Environment, party_id: str) -> Participant:
    """Let a suspended partner take part again.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    return _set_status(env, party_id, ParticipantStatus.ACTIVE)


def add_alias(env: Environment, party_id: str, alias: str) -> Participant:
    """Let a partner use a further operator or provider id.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``, or ``CH.SEMANTIC`` for
    an id that is none or is taken.
    """
    if not party_ids.is_valid(alias):
        raise ClearingHouseError(SEMANTIC, items=(_not_an_id("alias", alias),))
    with env.database.begin() as tx:
        found = participant_named(tx, party_id)
        further = party_ids.compact(alias)
        if not rows.add_alias(tx, found.participant_id, further):
            _refuse_taken(tx, frozenset({further}))
        note(tx, env, "add alias", f"{found.party_id} {further}")
        return participant_named(tx, party_id)


def _set_status(
    env: Environment, party_id: str, status: ParticipantStatus
) -> Participant:
    with env.database.begin() as tx:
        found = participant_named(tx, party_id)
        rows.set_status(tx, found.participant_id, status)
        if status is ParticipantStatus.SUSPENDED:
            now = env.clock.now()
            access_rows.revoke_all_of(tx, found.participant_id, at=now)
        note(tx, env, f"set {status.lower()}", found.party_id)
        return participant_named(tx, party_id)


def participant_named(tx: Connection, party_id: str) -> Participant:
    """Return the partner with this party id, however it is written: ``de*abc``.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    found = rows.participant_by_party_id(tx, party_ids.compact(party_id))
    if found is None:
        raise ClearingHouseError(UNKNOWN_PARTICIPANT, f"no partner {party_id}")
    return found


def note(
    tx: Connection,
    env: Environment,
    action: str,
    subject: str,
    *,
    actor: str = OPERATOR,
) -> None:
    """Append an act of the operator to the audit trail; ``actor`` names which one."""
    entry = AuditEntry(
        at=env.clock.now(),
        actor=actor,
        action=action,
        object=subject,
        outcome="done",
    )
    audit.record(tx, entry)
