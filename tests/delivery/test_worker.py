"""The worker delivers, tries again, gives up and stops; partners follow a script."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

import psycopg
import pytest

from clearinghouse import codes
from clearinghouse.delivery import worker as module
from clearinghouse.delivery.chores import CHORES, Chore
from clearinghouse.delivery.worker import Worker
from clearinghouse.domain.clock import SystemClock
from clearinghouse.domain.link import Link, LinkState
from clearinghouse.domain.outbox import DeliveryKind, DeliveryState, NextStep
from clearinghouse.domain.participants import EndpointService, Participant
from clearinghouse.services import deliveries, ports
from clearinghouse.services.environment import Environment
from clearinghouse.storage import evses, links, outbox
from clearinghouse.storage.links import LinkRecord
from clearinghouse.storage.outbox import Claim
from tests.builders import make_agreement, make_cso, make_csp, make_evse
from tests.delivery.stage import (
    delivery,
    enqueue_notice,
    join_deliveries,
    register,
    state,
)
from tests.fixtures.partners import ScriptedPartners, StillClock, answers
from tests.waiting import PATIENCE_SECONDS, eventually

Listener = psycopg.Connection[tuple[object, ...]]
TAKEN = answers(ports.Taken.TAKEN)


@dataclass(frozen=True, slots=True)
class Stage:
    """A CSP and a CSO with an EVSE, and a worker's environment with a real clock."""

    env: Environment
    partners: ScriptedPartners
    csp: Participant
    cso: Participant

    def enqueue(self) -> UUID:
        """Enqueue one notice for the CSP."""
        return enqueue_notice(self.env, self.csp, self.cso)


@pytest.fixture
def stage(env: Environment, partners: ScriptedPartners) -> Stage:
    env = replace(env, clock=SystemClock())
    with env.database.begin() as tx:
        csp, cso = make_csp(tx), make_cso(tx)
        make_agreement(tx, cso, csp)
        evses.apply_delta(tx, cso.participant_id, upserts=[make_evse()], removals=[])
    return Stage(env, partners, csp, cso)


@contextmanager
def working(env: Environment, chores: tuple[Chore, ...] = ()) -> Iterator[Worker]:
    """Run a worker meanwhile, and stop it cleanly."""
    worker = Worker(env, chores=chores)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def test_delivers_what_waits_and_what_comes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, rings = threading.Event(), list[bool]()
    wait_for_ring = outbox.wait_for_ring

    def heard(listener: Listener, *, timeout_seconds: int) -> bool:
        _ = timeout_seconds
        listening.set()
        rings.append(wait_for_ring(listener, timeout_seconds=1))
        return rings[-1]

    # No poll comes in time: what is delivered was rung for.
    monkeypatch.setattr(module, "POLL_SECONDS", 3_600)
    monkeypatch.setattr(outbox, "wait_for_ring", heard)
    stage.partners.will_take(TAKEN, TAKEN)
    before = stage.enqueue()

    with working(stage.env):
        eventually(lambda: state(stage.env, before) is DeliveryState.DONE)
        assert listening.wait(PATIENCE_SECONDS)
        after = stage.enqueue()
        eventually(lambda: state(stage.env, after) is DeliveryState.DONE)
        eventually(lambda: any(rings))

    [first, _] = stage.partners.asked
    assert first[0] == stage.csp.participant_id
    assert isinstance(first[1], ports.SessionNotice)
    assert first[1].cso_party == stage.cso.party_id
    assert delivery(stage.env, before).attempts == 1


def test_finds_by_its_poll_what_no_ring_announced(stage: Stage) -> None:
    stage.partners.will_take(TAKEN)
    waiting = stage.enqueue()
    with stage.env.database.begin() as tx:
        [held] = outbox.claim_due(tx, Claim(now=stage.env.clock.now(), lease_seconds=1))

    with working(stage.env):
        eventually(lambda: state(stage.env, waiting) is DeliveryState.DONE)

    assert delivery(stage.env, waiting).lease_no == held.lease_no + 1


@pytest.mark.parametrize(
    ("reply", "expected", "code"),
    [
        (ports.TimedOut(), DeliveryState.READY, codes.PARTNER_SILENT),
        (ports.Unreachable(), DeliveryState.READY, codes.PARTNER_UNREACHABLE),
        (
            ports.Refused(901, retryable=True),
            DeliveryState.READY,
            codes.PARTNER_REFUSED,
        ),
        (ports.NoEndpoint(), DeliveryState.READY, codes.PARTNER_NO_ENDPOINT),
        (
            ports.Faulted(took_effect_unknown=True),
            DeliveryState.READY,
            codes.PARTNER_FAULT,
        ),
        (ports.Refused(650), DeliveryState.DEAD, codes.PARTNER_REFUSED),
        (
            ports.Faulted(took_effect_unknown=False),
            DeliveryState.DEAD,
            codes.PARTNER_REFUSED,
        ),
    ],
)
def test_tries_again_later_or_gives_up_as_the_reply_says(
    stage: Stage,
    reply: ports.Reply[ports.Taken],
    expected: DeliveryState,
    code: codes.Code,
) -> None:
    # Silence follows: a second attempt may come before this test looks.
    stage.partners.will_take(reply)
    waiting = stage.enqueue()

    with working(stage.env):
        eventually(lambda: delivery(stage.env, waiting).last_error_code is not None)

    found = delivery(stage.env, waiting)
    assert found.state is expected
    assert found.attempts >= 1
    if found.attempts == 1:
        assert found.last_error_code == code.number


def test_a_call_that_was_not_sent_costs_no_attempt(stage: Stage) -> None:
    stage.partners.will_take(ports.Busy())
    waiting = stage.enqueue()

    with working(stage.env):
        eventually(lambda: delivery(stage.env, waiting).last_error_code is not None)

    assert delivery(stage.env, waiting).attempts == 0


def test_what_is_gone_is_done(stage: Stage) -> None:
    new = outbox.NewDelivery(
        participant_id=stage.csp.participant_id,
        kind=DeliveryKind.NOTIFY_SESSION,
        subject_key="gone",
        payload={"session_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
    )
    with stage.env.database.begin() as tx:
        outbox.enqueue(tx, new, at=stage.env.clock.now())

    with working(stage.env):
        eventually(lambda: state(stage.env, new.delivery_id) is DeliveryState.DONE)

    assert stage.partners.asked == []


def test_a_delivery_that_breaks_us_ages_and_spares_the_others(stage: Stage) -> None:
    broken = outbox.NewDelivery(
        participant_id=stage.csp.participant_id,
        kind=DeliveryKind.NOTIFY_SESSION,
        subject_key="broken",
        payload={},
    )
    stage.partners.will_take(TAKEN)
    with stage.env.database.begin() as tx:
        outbox.enqueue(tx, broken, at=stage.env.clock.now() - timedelta(days=2))

    with working(stage.env):
        good = stage.enqueue()
        eventually(lambda: state(stage.env, good) is DeliveryState.DONE)
        eventually(lambda: delivery(stage.env, broken.delivery_id).attempts > 0)

    found = delivery(stage.env, broken.delivery_id)
    assert found.last_error_code == codes.INTERNAL.number


def test_dead_letters_start_anew_under_their_old_id(stage: Stage) -> None:
    stage.partners.will_take(ports.Refused(650), TAKEN)
    waiting = stage.enqueue()

    with working(stage.env):
        eventually(lambda: state(stage.env, waiting) is DeliveryState.DEAD)
        assert deliveries.replay(stage.env) == 1
        eventually(lambda: state(stage.env, waiting) is DeliveryState.DONE)

    notices = [asked for _, asked in stage.partners.asked]
    assert notices[0] == notices[1]


def _missed(stage: Stage, *, wait_seconds: int, error: codes.Code) -> UUID:
    """Enqueue a delivery that failed so often that its next wait is long."""
    delivery_id, now = stage.enqueue(), stage.env.clock.now()
    step = NextStep(
        state=DeliveryState.READY,
        attempts=20,
        run_at=now + timedelta(seconds=wait_seconds),
        error=error,
    )
    with stage.env.database.begin() as tx:
        (claimed,) = outbox.claim_due(tx, Claim(now=now))
        outbox.record_attempt(tx, claimed, step, now=now)
    return delivery_id


def test_a_partner_that_takes_what_it_missed_gets_the_rest_at_once(
    stage: Stage,
) -> None:
    stage.partners.will_take(*[TAKEN] * 4)
    silent, gone = codes.PARTNER_SILENT, codes.PARTNER_UNREACHABLE
    missed = [_missed(stage, wait_seconds=3_600, error=silent) for _ in range(3)]
    missed.append(_missed(stage, wait_seconds=0, error=gone))

    with working(stage.env):
        eventually(
            lambda: {state(stage.env, one) for one in missed} == {DeliveryState.DONE}
        )


def test_a_partner_that_takes_what_is_new_may_be_unable_to_take_what_waits(
    stage: Stage,
) -> None:
    stage.partners.will_take(TAKEN)
    heavy = _missed(stage, wait_seconds=3_600, error=codes.PARTNER_SILENT)
    new = stage.enqueue()

    with working(stage.env):
        eventually(lambda: state(stage.env, new) is DeliveryState.DONE)

    assert len(stage.partners.asked) == 1
    assert delivery(stage.env, heavy).attempts == 20


def test_a_partner_that_moves_during_an_attempt_is_asked_again_at_once(
    stage: Stage,
) -> None:
    def move() -> ports.Reply[ports.Taken]:
        register(stage.env, stage.csp, "https://new.example")
        return ports.Unreachable()

    stage.partners.will_take(move, TAKEN)
    missed = _missed(stage, wait_seconds=0, error=codes.PARTNER_UNREACHABLE)

    with working(stage.env):
        eventually(lambda: state(stage.env, missed) is DeliveryState.DONE)

    assert delivery(stage.env, missed).attempts == 22


def test_stop_waits_for_what_is_in_flight(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, go_on = threading.Event(), threading.Event()

    def slow() -> ports.Reply[ports.Taken]:
        called.set()
        go_on.wait()
        return TAKEN

    stage.partners.will_take(slow)
    waiting = stage.enqueue()
    monkeypatch.setattr(module, "STOP_SECONDS", PATIENCE_SECONDS)

    with working(stage.env) as worker:
        assert called.wait(PATIENCE_SECONDS)
        worker.stop()
        go_on.set()

    assert state(stage.env, waiting) is DeliveryState.DONE


def test_stop_gives_back_what_does_not_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, go_on = threading.Event(), threading.Event()

    def silent() -> ports.Reply[ports.Taken]:
        called.set()
        go_on.wait()
        return TAKEN

    stage.partners.will_take(silent)
    waiting = stage.enqueue()
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)

    with working(stage.env):
        assert called.wait(PATIENCE_SECONDS)
    released = delivery(stage.env, waiting)
    go_on.set()
    join_deliveries()

    assert released.state is DeliveryState.READY
    assert released.attempts == 0
    with stage.env.database.begin() as tx:
        [claimed] = outbox.claim_due(tx, Claim(now=stage.env.clock.now()))
    assert claimed.delivery_id == waiting


def test_is_not_heard_when_its_lease_was_lost(stage: Stage) -> None:
    called, go_on = threading.Event(), threading.Event()

    def slow() -> ports.Reply[ports.Taken]:
        called.set()
        go_on.wait()
        return ports.Refused(650)

    stage.partners.will_take(slow)
    waiting = stage.enqueue()

    with working(stage.env):
        assert called.wait(PATIENCE_SECONDS)
        later = stage.env.clock.now() + timedelta(seconds=outbox.LEASE_SECONDS + 1)
        with stage.env.database.begin() as tx:
            [taken_over] = outbox.claim_due(tx, Claim(now=later))
        go_on.set()

    found = delivery(stage.env, waiting)
    assert (found.state, found.lease_no) == (DeliveryState.RUNNING, taken_over.lease_no)


def test_rests_while_no_link_of_the_partner_lets_a_call_pass(stage: Stage) -> None:
    now = stage.env.clock.now()
    link = Link(state=LinkState.OPEN, open_until=now + timedelta(seconds=2))
    record = LinkRecord(
        participant_id=stage.csp.participant_id,
        service=EndpointService.CSP_ENDPOINT,
        link=link,
    )
    asked_at = []

    def take() -> ports.Reply[ports.Taken]:
        asked_at.append(stage.env.clock.now())
        return TAKEN

    stage.partners.will_take(take)
    with stage.env.database.begin() as tx:
        links.save_link(tx, record)
    waiting = stage.enqueue()

    with working(stage.env):
        eventually(lambda: state(stage.env, waiting) is DeliveryState.DONE)

    assert link.open_until is not None
    assert asked_at[0] >= link.open_until, "it was claimed while the breaker was open"
    assert len(stage.partners.asked) == 1


def test_many_deliveries_go_out_side_by_side_two_for_a_partner(stage: Stage) -> None:
    with stage.env.database.begin() as tx:
        others = [make_csp(tx, f"DEX{number:02d}") for number in range(4)]
    running, most = dict[int, int](), dict[int, int]()
    changed = threading.Condition()

    class Counting(ScriptedPartners):
        def notify_session(
            self,
            participant_id: int,
            notice: ports.SessionNotice,
            *,
            deadline: ports.Deadline,
        ) -> ports.Reply[ports.Taken]:
            _ = notice, deadline
            with changed:
                running[participant_id] = running.get(participant_id, 0) + 1
                most[participant_id] = max(
                    most.get(participant_id, 0), running[participant_id]
                )
                most[0] = max(most.get(0, 0), sum(running.values()))
                changed.notify_all()
                # The first of a partner stay until a second comes.
                changed.wait_for(
                    lambda: most[participant_id] > 1 and most[0] > 2,
                    PATIENCE_SECONDS,
                )
            time.sleep(0.05)  # a third would be seen
            with changed:
                running[participant_id] -= 1
            return TAKEN

    env = replace(stage.env, partners=Counting())
    waiting = [enqueue_notice(env, csp, stage.cso) for csp in others for _ in range(6)]

    with working(env):
        eventually(
            lambda: all(state(env, one) is DeliveryState.DONE for one in waiting)
        )

    assert {most[csp.participant_id] for csp in others} == {2}
    assert most[0] > 2


def test_does_its_chores_and_survives_one_that_fails(stage: Stage) -> None:
    done: list[str] = []

    def broken(_env: Environment) -> NoReturn:
        done.append("broken")
        raise RuntimeError("a bug")

    def fine(_env: Environment) -> int:
        done.append("fine")
        return 1

    chores = (
        Chore(name="broken", every_seconds=1, run=broken),
        Chore(name="fine", every_seconds=3_600, run=fine),
    )

    with working(stage.env, chores):
        eventually(lambda: done.count("broken") >= 2)

    assert done.count("fine") == 1


@pytest.mark.parametrize("chore", CHORES, ids=lambda chore: chore.name)
def test_each_chore_finds_nothing_to_do_in_an_idle_house(
    stage: Stage, chore: Chore
) -> None:
    assert chore.run(stage.env) == 0


def test_chore_tells_partners_of_an_agreement_whose_time_has_come(
    stage: Stage,
) -> None:
    (announce,) = [one for one in CHORES if one.name == "announce_agreements"]
    begins_at = stage.env.clock.now() + timedelta(minutes=1)
    with stage.env.database.begin() as tx:
        make_agreement(tx, stage.cso, stage.csp, currency="CHF", valid_from=begins_at)
    later = replace(stage.env, clock=StillClock(begins_at))

    assert [announce.run(stage.env), announce.run(later), announce.run(later)] == [
        0,
        1,
        0,
    ]
