"""EVSE data: an operator's full list and its changes, and what its partners pull.

A full list is staged part by part and takes effect at once. One that would remove more
than half of what is in force waits for the operator of the clearing house; a refused
entry removes nothing (clause 4.3-I3; contract: Style).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import Module
from clearinghouse.domain.credentials import ListState, is_held
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.evses import Evse
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.participants import Participant
from clearinghouse.services.environment import Environment
from clearinghouse.services.evse_entries import (
    EvseEntry,
    Judged,
    Known,
    judge,
    judge_removals,
    keys_of,
)
from clearinghouse.services.outcomes import Refusal, partly
from clearinghouse.services.publishers import publishers
from clearinghouse.storage import evses, lists, messages, participants
from clearinghouse.storage.feeds import Page, parse_cursor
from clearinghouse.storage.lists import ListPart, StagedList
from clearinghouse.telemetry import logging

_log = logging.logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvsePart:
    """One part of an operator's full list; ``part`` counts from 1."""

    list_id: UUID
    expected_count: int
    part: int
    parts: int
    entries: tuple[EvseEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseDelta:
    """What changed in an operator's network; ``removals`` are ids as received."""

    upserts: tuple[EvseEntry, ...]
    removals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many entries of a message were taken, and what is wrong with the others.

    ``state`` is where the full list stands, absent after a delta.
    """

    code: Code
    items: tuple[Item, ...]
    accepted: int
    refused: int
    state: ListState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvse:
    """An EVSE as a partner of its operator sees it; ``removed`` is a tombstone."""

    cso_party: str
    evse: Evse
    removed: bool


Render: TypeAlias = Callable[[Counted | Refusal], bytes]


def put_evses(
    env: Environment, exchange: Exchange, part: EvsePart, render: Render
) -> bytes:
    """Stage a part of a full list; apply or hold the list when all parts are there.

    A part that came before changes nothing. A list whose parts do not add up is set
    aside and refused. Raises :class:`ClearingHouseError` (``EVSE_LIST_PARTS``) for a
    part that does not fit the others, or that came before with another content.
    """
    cso_id = exchange.sender.participant_id
    arrived = ListPart(
        owner_id=cso_id,
        list_id=part.list_id,
        expected_count=part.expected_count,
        part=part.part,
        parts=part.parts,
        digest=exchange.digest,
        received_at=exchange.received_at,
    )
    # The last part of a large list applies all of it.
    with env.database.begin("bulk") as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        lists.lock_owner(tx, evses.STAGING, cso_id)
        _check_fit(tx, arrived)
        received = [entry.received for entry in part.entries]
        known = known_of(tx, exchange.sender, received, part=arrived)
        judged = judge(part.entries, known)
        if lists.has_part(tx, evses.STAGING, arrived):
            outcome: Counted | Refusal = _repeated(tx, arrived, judged)
        else:
            outcome = _taken(tx, env, arrived, judged)
        answer = render(outcome)
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer


def update_evses(
    env: Environment, exchange: Exchange, delta: EvseDelta, render: Render
) -> bytes:
    """Add, change and remove single EVSEs; what is wrong with one spares the others."""
    cso_id = exchange.sender.participant_id
    upserted = [entry.received for entry in delta.upserts]
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        lists.lock_owner(tx, evses.STAGING, cso_id)
        known = known_of(tx, exchange.sender, [*upserted, *delta.removals])
        judged = judge(delta.upserts, known, below="upsert/")
        gone, wrong = judge_removals(delta.removals, known, upserted=upserted)
        evses.apply_delta(tx, cso_id, upserts=judged.taken, removals=gone)
        items = judged.items + wrong
        refused = judged.refused + len(wrong)
        outcome = Counted(
            code=partly(items),
            items=items,
            accepted=len(delta.upserts) + len(delta.removals) - refused,
            refused=refused,
        )
        answer = render(outcome)
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer


def get_evses(
    env: Environment,
    sender: Sender,
    *,
    cso_party: str | None,
    cursor: str | None,
    limit: int,
) -> Page[ListedEvse]:
    """Return the EVSEs that changed after the cursor, of all whom the sender visits.

    An operator gets its own. Raises :class:`ClearingHouseError`: ``CH.CURSOR``, and for
    the operator that it names as
    :func:`~clearinghouse.services.publishers.publishers` does.
    """
    place = parse_cursor(cursor)
    with env.database.begin_read_only() as tx:
        seen = publishers(tx, sender, Module.EVSE, only=cso_party, at=env.clock.now())
        page = evses.evses_changed(tx, seen, cursor=place, limit=limit)
    listed = tuple(
        ListedEvse(cso_party=seen[one.cso_id], evse=one.evse, removed=one.removed)
        for one in page.items
    )
    return Page(listed, page.cursor, page.more, page.places)


def known_of(
    tx: Connection,
    sender: Sender,
    received: Iterable[str],
    *,
    part: ListPart | None = None,
) -> Known:
    """Look up what the ids of a message are judged against."""
    keys = keys_of(received)
    return Known(
        owner=_owner(tx, sender),
        stored=evses.evses_by_key(tx, keys),
        staged={} if part is None else evses.staged_spellings(tx, part, keys),
    )


def _owner(tx: Connection, sender: Sender) -> Participant:
    owner = participants.participant_by_id(tx, sender.participant_id)
    if owner is None:
        raise ClearingHouseError(codes.INTERNAL, "a sender that is no participant")
    return owner


def _check_fit(tx: Connection, part: ListPart) -> None:
    """Check that a part tells the same of its list as the parts before it.

    Raises :class:`ClearingHouseError` (``EVSE_LIST_PARTS``).
    """
    wrong = []
    if part.part > part.parts:
        wrong.append(_misfit("part", f"1 to {part.parts}", part.part))
    before = lists.staged_list(tx, evses.STAGING, part.owner_id, part.list_id)
    if before is not None:
        for path, told, found in (
            ("expectedCount", before.expected_count, part.expected_count),
            ("parts", before.parts, part.parts),
        ):
            if found != told:
                wrong.append(_misfit(path, f"{told} as in the other parts", found))
    if wrong:
        raise ClearingHouseError(codes.EVSE_LIST_PARTS, items=tuple(wrong))


def _misfit(path: str, expected: str, found: int) -> Item:
    return Item(
        code=codes.EVSE_LIST_PARTS, path=path, expected=expected, found=str(found)
    )


def _repeated(tx: Connection, part: ListPart, judged: Judged) -> Counted:
    """Answer for a part that came before."""
    staged = lists.required_list(tx, evses.STAGING, part)
    return _counted(judged, staged.state, otherwise=codes.ALREADY_DONE)


def _taken(
    tx: Connection, env: Environment, part: ListPart, judged: Judged
) -> Counted | Refusal:
    """Store a part, and decide about the list when it was the last."""
    # A refused entry that names an EVSE in force stands in the list as it was, so that
    # a slip in one field does not take the EVSE off the network.
    staged = evses.stage_part(
        tx,
        part,
        (*judged.taken, *judged.kept),
        refused=judged.refused - len(judged.kept),
    )
    if not staged.is_complete:
        return _counted(judged, ListState.STAGED, otherwise=codes.LIST_STAGED)
    if staged.entries + staged.refused != staged.expected_count:
        lists.discard(tx, evses.STAGING, part.owner_id, part.list_id)
        return _sum_differs(staged)
    change = evses.difference(tx, part.owner_id, part.list_id)
    if is_held(present=change.present, removed=change.removed):
        lists.hold(tx, evses.STAGING, part.owner_id, part.list_id)
        _log.warning(
            "evse_list_held",
            cso_id=part.owner_id,
            list_id=str(part.list_id),
            present=change.present,
            removed=change.removed,
        )
        return _counted(judged, ListState.HELD, otherwise=codes.OK)
    evses.apply_list(tx, part.owner_id, part.list_id, at=env.clock.now())
    return _counted(judged, ListState.APPLIED, otherwise=codes.OK)


def _sum_differs(staged: StagedList) -> Refusal:
    found = staged.entries + staged.refused
    expected = f"{found}, as in the parts together; begin anew with a new listId"
    item = _misfit("expectedCount", expected, staged.expected_count)
    return Refusal(code=codes.EVSE_LIST_PARTS, items=(item,))


def _counted(judged: Judged, state: ListState, *, otherwise: Code) -> Counted:
    """Return the outcome of a part; ``otherwise`` is its code when all is well.

    That a list is held matters more than what is wrong with single entries.
    """
    code = codes.PARTLY if judged.items else otherwise
    return Counted(
        code=codes.LIST_HELD if state is ListState.HELD else code,
        items=judged.items,
        accepted=judged.total - judged.refused,
        refused=judged.refused,
        state=state,
    )
