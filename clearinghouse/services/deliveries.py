"""Deliveries for the operator's eyes: what waits, what was given up, send it again."""

from __future__ import annotations

from dataclasses import dataclass

from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import outbox, participants
from clearinghouse.storage.outbox import Delivery, Queue

DEAD_SHOWN_MAX = 1_000
"""Dead letters of one view or one replay; the next call takes the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerQueue:
    """How the deliveries to one partner stand."""

    party_id: str
    queue: Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that was given up."""

    party_id: str
    delivery: Delivery


def queues(env: Environment) -> tuple[PartnerQueue, ...]:
    """Return the queue of each partner for whom something is not done."""
    with env.database.begin_read_only() as tx:
        names = participants.party_ids(tx)
        return tuple(
            PartnerQueue(party_id=names[queue.participant_id], queue=queue)
            for queue in outbox.queues(tx)
        )


def dead_letters(
    env: Environment, *, party_id: str | None = None
) -> tuple[DeadLetter, ...]:
    """Return what was given up, newest first; of one partner when it is named.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    with env.database.begin_read_only() as tx:
        participant_id = (
            None if party_id is None else participant_named(tx, party_id).participant_id
        )
        names = participants.party_ids(tx)
        found = outbox.dead_letters(
            tx, participant_id=participant_id, limit=DEAD_SHOWN_MAX
        )
    return tuple(
        DeadLetter(party_id=names[dead.participant_id], delivery=dead) for dead in found
    )


def replay(env: Environment, *, party_id: str | None = None) -> int:
    """Let what was given up start anew under its old ids; return how many.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    dead = dead_letters(env, party_id=party_id)
    now = env.clock.now()
    with env.database.begin() as tx:
        count = outbox.replay(tx, [one.delivery.delivery_id for one in dead], at=now)
        note(tx, env, "replay deliveries", party_id or "all partners")
    return count
