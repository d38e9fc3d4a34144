"""The outbox: at least once, one holder at a time, nobody overrun."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse.codes import (
    PARTNER_BUSY,
    PARTNER_FAULT,
    PARTNER_NO_ENDPOINT,
    PARTNER_REFUSED,
    PARTNER_SILENT,
    PARTNER_UNREACHABLE,
    Code,
)
from clearinghouse.domain.outbox import DeliveryKind, DeliveryState, NextStep
from clearinghouse.domain.participants import EndpointService
from clearinghouse.storage import outbox
from clearinghouse.storage.outbox import CHANNEL, Claim
from tests.builders import NOW, make_csp, make_delivery, seconds
from tests.stored import stored_delivery

if TYPE_CHECKING:
    from uuid import UUID

    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database

_DONE = NextStep(state=DeliveryState.DONE, attempts=1)


@pytest.fixture
def csp(database: Database) -> Participant:
    with database.begin() as tx:
        return make_csp(tx)


def _enqueue(database: Database, receiver: Participant, number: int) -> None:
    with database.begin() as tx:
        for _ in range(number):
            outbox.enqueue(tx, make_delivery(receiver), at=NOW)


def _claim(database: Database, claim: Claim) -> tuple[outbox.Delivery, ...]:
    with database.begin() as tx:
        return outbox.claim_due(tx, claim)


def _record(database: Database, delivery: outbox.Delivery, step: NextStep) -> bool:
    with database.begin() as tx:
        return outbox.record_attempt(tx, delivery, step, now=seconds(1))


def test_delivery_exists_only_if_its_cause_committed(
    database: Database, csp: Participant
) -> None:
    new = make_delivery(csp, payload={"window": 1, "ids": ["a"]})

    def fail() -> None:
        with database.begin() as tx:
            outbox.enqueue(tx, new, at=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _claim(database, Claim(now=NOW)) == ()

    with database.begin() as tx:
        assert outbox.enqueue(tx, new, at=NOW)
    (claimed,) = _claim(database, Claim(now=NOW))

    assert claimed.delivery_id == new.delivery_id
    assert claimed.payload == new.payload
    assert (claimed.state, claimed.lease_no) == (DeliveryState.RUNNING, 1)


def test_same_cause_is_enqueued_once(database: Database, csp: Participant) -> None:
    with database.begin() as tx:
        first = outbox.enqueue(tx, make_delivery(csp, dedupe_key="w1"), at=NOW)
        second = outbox.enqueue(tx, make_delivery(csp, dedupe_key="w1"), at=NOW)

    assert (first, second) == (True, False)
    assert len(_claim(database, Claim(now=NOW))) == 1


def test_delivery_is_not_due_before_its_time(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        outbox.enqueue(tx, make_delivery(csp), at=seconds(10))

    assert _claim(database, Claim(now=seconds(9))) == ()
    assert len(_claim(database, Claim(now=seconds(10)))) == 1


def test_participant_never_has_more_running_than_its_limit(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        other = make_csp(tx, "FRXYZ")
    _enqueue(database, csp, 5)
    _enqueue(database, other, 1)

    first = _claim(database, Claim(now=NOW, per_participant=2))
    second = _claim(database, Claim(now=NOW, per_participant=2))
    mine = [one for one in first if one.participant_id == csp.participant_id]
    _record(database, mine[0], _DONE)
    third = _claim(database, Claim(now=NOW, per_participant=2))

    assert (len(first), len(mine), len(second), len(third)) == (3, 2, 0, 1)


def test_slow_participant_holds_up_nobody_and_a_dead_link_is_skipped(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        other = make_csp(tx, "FRXYZ")
    _enqueue(database, csp, 50)
    _enqueue(database, other, 3)

    skip = frozenset({csp.participant_id})
    claimed = _claim(database, Claim(now=NOW, limit=3, per_participant=3, skip=skip))

    assert [one.participant_id for one in claimed] == [other.participant_id] * 3


def test_row_that_somebody_else_works_on_is_skipped(
    database: Database, csp: Participant
) -> None:
    new = make_delivery(csp)
    with database.begin() as tx:
        outbox.enqueue(tx, new, at=NOW)
    _claim(database, Claim(now=NOW, lease_seconds=10))

    with database.begin() as tx:
        tx.exec_driver_sql("SELECT 1 FROM clearing.outbox FOR UPDATE")
        assert _claim(database, Claim(now=seconds(11))) == ()
    assert len(_claim(database, Claim(now=seconds(11)))) == 1


def test_worker_that_wakes_up_late_is_not_heard(
    database: Database, csp: Participant
) -> None:
    _enqueue(database, csp, 1)
    (frozen,) = _claim(database, Claim(now=NOW, lease_seconds=60))

    assert _claim(database, Claim(now=seconds(59))) == ()
    (taken,) = _claim(database, Claim(now=seconds(60)))
    dead = NextStep(state=DeliveryState.DEAD, attempts=1, error=PARTNER_FAULT)
    late = _record(database, frozen, dead)
    done = _record(database, taken, _DONE)
    twice = _record(database, taken, _DONE)

    assert taken.delivery_id == frozen.delivery_id
    assert taken.lease_no == frozen.lease_no + 1
    assert (late, done, twice) == (False, True, False)


def test_retry_keeps_the_id_and_waits(database: Database, csp: Participant) -> None:
    _enqueue(database, csp, 1)
    (first,) = _claim(database, Claim(now=NOW))
    again = NextStep(
        state=DeliveryState.READY,
        attempts=1,
        run_at=seconds(5),
        error=PARTNER_FAULT,
    )

    _record(database, first, again)
    early = _claim(database, Claim(now=seconds(4)))
    (second,) = _claim(database, Claim(now=seconds(5)))

    assert early == ()
    assert (second.delivery_id, second.attempts) == (first.delivery_id, 1)
    assert second.last_error_code == PARTNER_FAULT.number


def test_dead_letter_waits_for_the_operator_and_keeps_its_id(
    database: Database, csp: Participant
) -> None:
    _enqueue(database, csp, 1)
    (claimed,) = _claim(database, Claim(now=NOW))
    dead = NextStep(state=DeliveryState.DEAD, attempts=9, error=PARTNER_FAULT)
    _record(database, claimed, dead)

    with database.begin() as tx:
        (letter,) = outbox.dead_letters(tx, participant_id=csp.participant_id)
        replayed = outbox.replay(tx, [letter.delivery_id, uuid4()], at=seconds(2))
        again = outbox.replay(tx, [letter.delivery_id], at=seconds(2))
    (second,) = _claim(database, Claim(now=seconds(2)))

    assert (replayed, again) == (1, 0)
    assert (second.delivery_id, second.attempts) == (claimed.delivery_id, 0)


def test_worker_that_shuts_down_gives_its_claims_back(
    database: Database, csp: Participant
) -> None:
    _enqueue(database, csp, 2)
    claimed = _claim(database, Claim(now=NOW))

    with database.begin() as tx:
        assert outbox.release(tx, claimed, at=NOW) == 2

    assert len(_claim(database, Claim(now=NOW))) == 2


def _waiting(
    database: Database,
    receiver: Participant,
    error: Code | None,
    kind: DeliveryKind = DeliveryKind.DELIVER_SDRS,
) -> UUID:
    """Enqueue a delivery that waits a minute, after an attempt with an error."""
    new = make_delivery(receiver, kind=kind)
    with database.begin() as tx:
        outbox.enqueue(tx, new, at=NOW)
        (claimed,) = outbox.claim_due(tx, Claim(now=NOW))
        wait = NextStep(
            state=DeliveryState.READY, attempts=1, run_at=seconds(60), error=error
        )
        outbox.record_attempt(tx, claimed, wait, now=NOW)
    return new.delivery_id


def _bring_forward(database: Database, receiver: Participant) -> int:
    with database.begin() as tx:
        return outbox.bring_forward(
            tx, receiver.participant_id, EndpointService.CSP_ENDPOINT, at=seconds(1)
        )


def test_what_waits_for_a_service_that_was_away_is_due_when_it_is_back(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        other = make_csp(tx, "FRXYZ")
    away = (
        PARTNER_SILENT,
        PARTNER_UNREACHABLE,
        PARTNER_FAULT,
        PARTNER_BUSY,
        PARTNER_NO_ENDPOINT,
    )
    mine = {_waiting(database, csp, error) for error in away}
    refused = _waiting(database, csp, PARTNER_REFUSED)
    new = _waiting(database, csp, None)
    of_the_other_service = _waiting(
        database, csp, PARTNER_SILENT, DeliveryKind.NOTIFY_SDRS
    )
    _waiting(database, other, PARTNER_SILENT)

    with database.listen(CHANNEL) as listener:
        brought = _bring_forward(database, csp)
        rang = outbox.wait_for_ring(listener, timeout_seconds=5)
        again = _bring_forward(database, csp)
        rang_again = outbox.wait_for_ring(listener, timeout_seconds=0)
    due = _claim(database, Claim(now=seconds(1), per_participant=100))

    assert (brought, again) == (len(away), 0)
    assert (rang, rang_again) == (True, False)
    assert {one.delivery_id for one in due} == mine
    with database.begin_read_only() as tx:
        waits = [
            stored_delivery(tx, one) for one in (refused, new, of_the_other_service)
        ]
    assert {one.run_at for one in waits} == {seconds(60)}


def test_what_somebody_else_holds_is_not_waited_for(
    database: Database, csp: Participant
) -> None:
    for _ in range(3):
        _waiting(database, csp, PARTNER_SILENT)
    with database.begin() as tx:
        # A partner that registers while a worker brings the same forward.
        tx.exec_driver_sql("SELECT 1 FROM clearing.outbox LIMIT 2 FOR UPDATE")

        assert _bring_forward(database, csp) == 1


def test_is_brought_forward_in_bounded_numbers(
    database: Database, csp: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ROWS_MAX", 2)
    for _ in range(3):
        _waiting(database, csp, PARTNER_SILENT)

    assert [_bring_forward(database, csp) for _ in range(3)] == [2, 1, 0]


def test_queues_tell_what_waits(database: Database, csp: Participant) -> None:
    _enqueue(database, csp, 3)
    (claimed,) = _claim(database, Claim(now=NOW, limit=1))
    (running,) = _claim(database, Claim(now=NOW, limit=1))
    _record(database, claimed, _DONE)

    with database.begin_read_only() as tx:
        (queue,) = outbox.queues(tx)
        stored = stored_delivery(tx, running.delivery_id)

    assert (queue.ready, queue.running, queue.dead) == (1, 1, 0)
    assert queue.oldest_ready_at == NOW
    assert stored == running


def test_done_deliveries_are_forgotten_in_time(
    database: Database, csp: Participant
) -> None:
    _enqueue(database, csp, 1)
    (claimed,) = _claim(database, Claim(now=NOW))
    _record(database, claimed, _DONE)

    with database.begin() as tx:
        assert outbox.forget_done(tx, before=seconds(1)) == 0
        assert outbox.forget_done(tx, before=seconds(2)) == 1


def test_workers_hear_of_a_delivery_when_it_commits(
    database: Database, csp: Participant
) -> None:
    with database.listen(CHANNEL) as listener:
        with database.begin() as tx:
            outbox.enqueue(tx, make_delivery(csp), at=NOW)
            assert not outbox.wait_for_ring(listener, timeout_seconds=0)

        assert outbox.wait_for_ring(listener, timeout_seconds=5)
