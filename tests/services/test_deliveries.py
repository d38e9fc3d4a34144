"""The operator looks at deliveries: what waits, what was given up, send it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.outbox import DeliveryState, NextStep
from clearinghouse.services import deliveries
from clearinghouse.storage import audit, outbox
from clearinghouse.storage.outbox import Claim
from tests.builders import make_csp, make_delivery
from tests.stored import stored_delivery

if TYPE_CHECKING:
    from uuid import UUID

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock


@pytest.fixture
def csp(env: Environment) -> Participant:
    with env.database.begin() as tx:
        return make_csp(tx)


@pytest.fixture
def other(env: Environment) -> Participant:
    with env.database.begin() as tx:
        return make_csp(tx, "FRXYZ")


def _enqueue(env: Environment, receiver: Participant) -> UUID:
    new = make_delivery(receiver)
    with env.database.begin() as tx:
        outbox.enqueue(tx, new, at=env.clock.now())
    return new.delivery_id


def _end(env: Environment, receiver: Participant, state: DeliveryState) -> UUID:
    """Enqueue a delivery and end it after seven attempts."""
    delivery_id, now = _enqueue(env, receiver), env.clock.now()
    error = codes.PARTNER_REFUSED if state is DeliveryState.DEAD else None
    step = NextStep(state=state, attempts=7, error=error)
    with env.database.begin() as tx:
        (claimed,) = outbox.claim_due(tx, Claim(now=now))
        assert outbox.record_attempt(tx, claimed, step, now=now)
    return delivery_id


def _state(env: Environment, delivery_id: UUID) -> tuple[DeliveryState, int]:
    with env.database.begin_read_only() as tx:
        found = stored_delivery(tx, delivery_id)
    return found.state, found.attempts


def test_queues_name_the_partners_for_whom_something_is_not_done(
    env: Environment, csp: Participant, other: Participant, clock: StillClock
) -> None:
    _end(env, csp, DeliveryState.DEAD)
    _end(env, other, DeliveryState.DONE)
    _enqueue(env, csp)

    (found,) = deliveries.queues(env)

    queue = found.queue
    assert found.party_id == "DEABC"
    assert (queue.ready, queue.running, queue.dead) == (1, 0, 1)
    assert queue.oldest_ready_at == clock.at


def test_dead_letters_come_newest_first_with_their_partner_and_last_error(
    env: Environment, csp: Participant, other: Participant, clock: StillClock
) -> None:
    old = _end(env, csp, DeliveryState.DEAD)
    clock.forward(seconds=1)
    new = _end(env, other, DeliveryState.DEAD)
    _end(env, csp, DeliveryState.DONE)

    found = deliveries.dead_letters(env)

    assert [(one.party_id, one.delivery.delivery_id) for one in found] == [
        ("FRXYZ", new),
        ("DEABC", old),
    ]
    assert {one.delivery.last_error_code for one in found} == {
        codes.PARTNER_REFUSED.number
    }
    assert {one.delivery.attempts for one in found} == {7}


def test_dead_letters_of_one_partner(
    env: Environment, csp: Participant, other: Participant
) -> None:
    mine = _end(env, csp, DeliveryState.DEAD)
    _end(env, other, DeliveryState.DEAD)

    (found,) = deliveries.dead_letters(env, party_id="DEABC")

    assert found.delivery.delivery_id == mine


def test_replay_lets_one_partners_dead_letters_start_anew_and_is_on_record(
    env: Environment, csp: Participant, other: Participant
) -> None:
    mine = _end(env, csp, DeliveryState.DEAD)
    theirs = _end(env, other, DeliveryState.DEAD)
    done = _end(env, csp, DeliveryState.DONE)

    count = deliveries.replay(env, party_id="DEABC")

    assert count == 1
    assert _state(env, mine) == (DeliveryState.READY, 0)
    assert _state(env, theirs) == (DeliveryState.DEAD, 7)
    assert _state(env, done) == (DeliveryState.DONE, 7)
    with env.database.begin_read_only() as tx:
        (entry,) = audit.entries_before(tx)
    assert (entry.action, entry.object) == ("replay deliveries", "DEABC")


def test_replay_of_all_takes_every_partners(
    env: Environment, csp: Participant, other: Participant
) -> None:
    dead = [_end(env, one, DeliveryState.DEAD) for one in (csp, other)]

    assert deliveries.replay(env) == 2
    assert deliveries.replay(env) == 0
    assert {_state(env, one) for one in dead} == {(DeliveryState.READY, 0)}


def test_nobody_of_this_name_is_said_so_and_nothing_is_replayed(
    env: Environment, csp: Participant
) -> None:
    dead = _end(env, csp, DeliveryState.DEAD)

    for look in (deliveries.dead_letters, deliveries.replay):
        with pytest.raises(ClearingHouseError) as refused:
            look(env, party_id="NLNOT")
        assert refused.value.code is codes.UNKNOWN_PARTICIPANT

    assert _state(env, dead) == (DeliveryState.DEAD, 7)
