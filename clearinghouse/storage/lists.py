"""Full lists that arrive in parts: what credential and EVSE lists have in common.

A list is staged part by part and takes effect at once when the last part is there, or
is held when it would remove most of what is in force (contract: Style).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Row,
    Table,
    and_,
    any_,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.codes import Code
from clearinghouse.domain.credentials import ListState
from clearinghouse.domain.errors import ClearingHouseError, Item

#: Parts of one list. With 1000 entries each it bounds a list at ten million.
PARTS_MAX = 10_000

#: Lists of all partners that wait for the operator, in one view.
HELD_LISTS_MAX = 1_000

#: In the database only: a list that a newer one or the operator set aside.
DISCARDED = "DISCARDED"

_NESTED_LOOPS = text("SELECT set_config('enable_nestloop', :allowed, true)")
_LOCK = text("SELECT pg_advisory_xact_lock(:space, :owner)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPart:
    """What a message says of the part it carries; ``part`` counts from 1.

    ``digest`` is the SHA-256 of the message's body: all that makes the part what it is.
    """

    owner_id: int
    list_id: UUID
    expected_count: int
    part: int
    parts: int
    digest: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedList:
    """Where a list stands; ``entries`` counts the distinct ones stored."""

    owner_id: int
    list_id: UUID
    state: ListState
    expected_count: int
    parts: int
    parts_received: int
    entries: int
    received_at: datetime
    version: int | None = None
    refused: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all parts have come."""
        return self.parts_received == self.parts


@dataclass(frozen=True, slots=True)
class Difference:
    """What applying a list would do: entries in force, and those of them removed."""

    present: int
    removed: int


@dataclass(frozen=True, slots=True)
class Staging:
    """The tables of one sort of list, and how its owner's column is called."""

    lists: Table
    parts: Table
    entries: Table
    owner: str
    lock_space: int
    misfit: Code

    def owner_of(self, table: Table) -> Column[Any]:
        """Return the column of a table that names the owner."""
        return table.c[self.owner]


def lock_owner(tx: Connection, staging: Staging, owner_id: int) -> None:
    """Let one message at a time change an owner's lists, until the transaction ends."""
    tx.execute(_LOCK, {"space": staging.lock_space, "owner": owner_id})


def open_part(tx: Connection, staging: Staging, part: ListPart) -> None:
    """Note the arrival of a part; a new list sets an unfinished older one aside.

    Raises :class:`ClearingHouseError` with the sort's code when the part does not fit
    the parts before it.
    """
    lock_owner(tx, staging, part.owner_id)
    known = staged_list(tx, staging, part.owner_id, part.list_id)
    if known is None:
        _set_aside(tx, staging, part.owner_id)
        # An id that was used for a list that is set aside: see required_list.
        new = insert(staging.lists).values(_first_values(staging, part))
        tx.execute(new.on_conflict_do_nothing())
    elif (known.parts, known.expected_count) != (part.parts, part.expected_count):
        raise ClearingHouseError(staging.misfit, "the parts tell different totals")
    if not 1 <= part.part <= part.parts <= PARTS_MAX:
        raise ClearingHouseError(staging.misfit, f"part {part.part} of {part.parts}")
    required_list(tx, staging, part)


def close_part(
    tx: Connection, staging: Staging, part: ListPart, *, refused: int = 0
) -> StagedList:
    """Count the part in, and the distinct entries stored so far."""
    lists = staging.lists
    entries = staging.entries
    place = {staging.owner: part.owner_id, "list_id": part.list_id, "part": part.part}
    tx.execute(insert(staging.parts).values(place | {"digest": part.digest}))
    count = (
        select(func.count())
        .select_from(entries)
        .where(
            staging.owner_of(entries) == part.owner_id,
            entries.c.list_id == part.list_id,
        )
    )
    values: dict[str, Any] = {
        "parts_received": func.array_append(lists.c.parts_received, part.part),
        "entries": count.scalar_subquery(),
    }
    if refused:
        values["refused"] = lists.c.refused + refused
    tx.execute(
        update(lists)
        .where(
            staging.owner_of(lists) == part.owner_id,
            lists.c.list_id == part.list_id,
        )
        .values(values)
    )
    return required_list(tx, staging, part)


def has_part(tx: Connection, staging: Staging, part: ListPart) -> bool:
    """Say whether a part came before; the caller holds the owner's lock.

    Raises :class:`ClearingHouseError` with the sort's code when a part of this number
    came before with another content: the sender lost track of its own list.
    """
    lists, parts = staging.lists, staging.parts
    same_list = and_(
        staging.owner_of(lists) == part.owner_id, lists.c.list_id == part.list_id
    )
    before = (
        select(parts.c.digest)
        .where(
            staging.owner_of(parts) == part.owner_id,
            parts.c.list_id == part.list_id,
            parts.c.part == part.part,
        )
        .scalar_subquery()
    )
    query = select(func.coalesce(before, part.digest)).where(
        same_list,
        lists.c.state != DISCARDED,
        literal(part.part) == any_(lists.c.parts_received),
    )
    digest = tx.execute(query).scalar_one_or_none()
    if digest not in (None, part.digest):
        again = Item(
            code=staging.misfit,
            path="part",
            expected="what this part held before; begin anew with a new listId",
            found=str(part.part),
        )
        raise ClearingHouseError(staging.misfit, "another content", items=(again,))
    return digest is not None


def staged_list(
    tx: Connection, staging: Staging, owner_id: int, list_id: UUID
) -> StagedList | None:
    """Return a list, unless it was set aside."""
    lists = staging.lists
    query = select(lists).where(
        staging.owner_of(lists) == owner_id,
        lists.c.list_id == list_id,
        lists.c.state != DISCARDED,
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _staged(staging, row)


def required_list(tx: Connection, staging: Staging, part: ListPart) -> StagedList:
    """Return the list of a part.

    Raises :class:`ClearingHouseError` with the sort's code when its id was used for a
    list that is set aside: a new upload needs a new id.
    """
    found = staged_list(tx, staging, part.owner_id, part.list_id)
    if found is None:
        again = Item(
            code=staging.misfit,
            path="listId",
            expected="a new listId: this list was set aside",
        )
        raise ClearingHouseError(staging.misfit, "set aside", items=(again,))
    return found


def held_lists(tx: Connection, staging: Staging) -> tuple[StagedList, ...]:
    """Return the lists that wait for the operator, oldest first."""
    lists = staging.lists
    query = (
        select(lists)
        .where(lists.c.state == ListState.HELD)
        .order_by(lists.c.received_at)
        .limit(HELD_LISTS_MAX)
    )
    return tuple(_staged(staging, row) for row in tx.execute(query))


def hold(tx: Connection, staging: Staging, owner_id: int, list_id: UUID) -> None:
    """Let a complete list wait for the operator's word."""
    _set_state(tx, staging, owner_id, list_id, ListState.HELD)


def discard(tx: Connection, staging: Staging, owner_id: int, list_id: UUID) -> None:
    """Set a list aside and drop its entries."""
    _set_state(tx, staging, owner_id, list_id, DISCARDED)
    drop_entries(tx, staging, owner_id, list_id)


@contextmanager
def set_wise(tx: Connection) -> Iterator[None]:
    """Let statements over a whole list join by hashing.

    The staged rows are so new that the server has no statistics of them: it takes them
    for a handful and compares each with each. Measured with 20,000 entries: 9 s
    against 0.4 s.
    """
    tx.execute(_NESTED_LOOPS, {"allowed": "off"})
    yield
    tx.execute(_NESTED_LOOPS, {"allowed": "on"})


def drop_entries(
    tx: Connection, staging: Staging, owner_id: int, list_id: UUID
) -> None:
    """Delete the staged entries of a list: they are in force now, or not wanted."""
    entries = staging.entries
    tx.execute(
        delete(entries).where(
            staging.owner_of(entries) == owner_id, entries.c.list_id == list_id
        )
    )


def _first_values(staging: Staging, part: ListPart) -> dict[str, object]:
    values: dict[str, object] = {
        staging.owner: part.owner_id,
        "list_id": part.list_id,
        "state": ListState.STAGED,
        "expected_count": part.expected_count,
        "parts": part.parts,
        "received_at": part.received_at,
    }
    if "scope" in staging.lists.c:
        values["scope"] = "FULL"
    return values


def _set_aside(tx: Connection, staging: Staging, owner_id: int) -> None:
    """Discard what the owner left unfinished: at most one list of each is staged."""
    lists = staging.lists
    query = select(lists.c.list_id).where(
        staging.owner_of(lists) == owner_id,
        lists.c.state.in_([ListState.STAGED, ListState.HELD]),
    )
    for list_id in tx.execute(query).scalars().all():
        discard(tx, staging, owner_id, list_id)


def _set_state(
    tx: Connection, staging: Staging, owner_id: int, list_id: UUID, state: str
) -> None:
    lists = staging.lists
    tx.execute(
        update(lists)
        .where(staging.owner_of(lists) == owner_id, lists.c.list_id == list_id)
        .values(state=state)
    )


def _staged(staging: Staging, row: Row[*tuple[Any, ...]]) -> StagedList:
    values = row._mapping  # noqa: SLF001 -- the documented name of a row's mapping
    return StagedList(
        owner_id=values[staging.owner],
        list_id=row.list_id,
        state=ListState(row.state),
        expected_count=row.expected_count,
        parts=row.parts,
        parts_received=len(row.parts_received),
        entries=row.entries,
        received_at=row.received_at,
        version=values.get("version"),
        refused=values.get("refused", 0),
    )
