"""Full lists that wait for the operator: they would remove most of what is there.

The operator asks the partner whether it meant it, then confirms or discards the list
(contract: Style).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.codes import NOT_FOUND
from clearinghouse.domain.credentials import ListState
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note
from clearinghouse.storage import credentials, evses, lists, participants
from clearinghouse.storage.lists import StagedList


class Sort(StrEnum):
    """What a list is of."""

    CREDENTIALS = "CREDENTIALS"
    EVSES = "EVSES"


_STAGING = {Sort.CREDENTIALS: credentials.STAGING, Sort.EVSES: evses.STAGING}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldList:
    """A held list with whose it is."""

    sort: Sort
    party_id: str
    held: StagedList


def held_lists(env: Environment) -> tuple[HeldList, ...]:
    """Return all lists that wait, oldest first of each sort."""
    with env.database.begin_read_only() as tx:
        names = participants.party_ids(tx)
        return tuple(
            HeldList(sort=sort, party_id=names[held.owner_id], held=held)
            for sort, staging in _STAGING.items()
            for held in lists.held_lists(tx, staging)
        )


def confirm(env: Environment, list_id: UUID) -> HeldList:
    """Put a held list in force.

    Raises :class:`ClearingHouseError` (``CH.NOT_FOUND``) when no such list waits.
    """
    found = _held(env, list_id)
    owner_id, now = found.held.owner_id, env.clock.now()
    with env.database.begin("bulk") as tx:
        _require_held(tx, found)
        if found.sort is Sort.CREDENTIALS:
            credentials.apply_list(tx, owner_id, list_id, at=now)
        else:
            evses.apply_list(tx, owner_id, list_id, at=now)
        note(tx, env, "confirm list", f"{found.party_id} {list_id}")
    return found


def discard(env: Environment, list_id: UUID) -> HeldList:
    """Set a held list aside; what was in force stays.

    Raises :class:`ClearingHouseError` (``CH.NOT_FOUND``) when no such list waits.
    """
    found = _held(env, list_id)
    with env.database.begin("bulk") as tx:
        _require_held(tx, found)
        lists.discard(tx, _STAGING[found.sort], found.held.owner_id, list_id)
        note(tx, env, "discard list", f"{found.party_id} {list_id}")
    return found


def _held(env: Environment, list_id: UUID) -> HeldList:
    for found in held_lists(env):
        if found.held.list_id == list_id:
            return found
    raise ClearingHouseError(NOT_FOUND, f"no list {list_id} waits")


def _require_held(tx: Connection, found: HeldList) -> None:
    """Look again under the owner's lock.

    A list that was set aside or confirmed meanwhile has no entries any more: in force,
    it would remove all that its owner has.
    """
    staging, owner_id, list_id = (
        _STAGING[found.sort],
        found.held.owner_id,
        found.held.list_id,
    )
    lists.lock_owner(tx, staging, owner_id)
    current = lists.staged_list(tx, staging, owner_id, list_id)
    if current is None or current.state is not ListState.HELD:
        raise ClearingHouseError(NOT_FOUND, f"list {list_id} does not wait any more")
