"""Net debit caps against corrections, many senders at once, and caps that change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.debit_caps import DebitCap
from clearinghouse.domain.sdrs import SdrStatus, Verdict
from clearinghouse.services import debit_caps, held_sdrs, sdrs, settlement
from clearinghouse.services.sdrs import Word
from clearinghouse.storage import tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_agreement, make_participant, make_sender
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    message,
    price,
    rules_of,
    spanning,
)
from tests.services.test_corrections import credit_of, replacement_of, statuses

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment

#: What the usual SDR costs, and its replacement of 24 kWh.
USUAL, DEARER = 11_49, 11_76


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env, terms=Terms(match_required=False))


def cap(world: World, limit_minor: int | None) -> None:
    new = DebitCap(
        party_id="DEABC", currency="EUR", limit_minor=limit_minor, valid_from=NOW
    )
    debit_caps.put_cap(world.env, new)


def owed(world: World) -> int:
    return sum(use.owed_minor for use in debit_caps.uses(world.env))


def hourly(number: int, **override: object) -> ServiceDetailRecord:
    began = STARTED_AT - timedelta(hours=number)
    return replace(spanning(make_sdr(), began, minutes=40), **override)  # type: ignore[arg-type]  # by the tests


def dearer(record: ServiceDetailRecord) -> ServiceDetailRecord:
    return replacement_of(record, energy_wh=24_000, claimed="11.76")


def test_correction_of_the_same_amount_fits_under_a_cap_that_is_used_up(
    world: World,
) -> None:
    cap(world, USUAL)
    record = hourly(0)
    world.submit([record])
    same = replacement_of(record, energy_wh=23_456, claimed="11.49")

    told = world.submit([credit_of(record), same])

    assert (told.counts.accepted, told.counts.held) == (2, 0), told
    assert owed(world) == USUAL


def test_dearer_replacement_waits_and_takes_its_place_when_there_is_room(
    world: World,
) -> None:
    cap(world, USUAL)
    record = hourly(0)
    world.submit([record])
    more = dearer(record)

    told = world.submit([credit_of(record), more])
    waits, without = statuses(world, more.sdr_id), owed(world)
    cap(world, DEARER)
    admitted = held_sdrs.admit_due(world.env)

    assert (told.counts.accepted, told.counts.held) == (1, 1)
    assert rules_of(told.items) == ["S-211"]
    assert (waits, without) == ([SdrStatus.HELD], 0)
    assert (admitted, owed(world)) == (1, DEARER)
    assert statuses(world, record.sdr_id, more.sdr_id) == [
        SdrStatus.CORRECTED,
        SdrStatus.ACCEPTED,
    ]


def test_cap_below_what_is_owed_holds_what_is_new_and_takes_credits(
    world: World,
) -> None:
    first, second = hourly(0), hourly(1)
    world.submit([first, second])
    cap(world, USUAL)

    told = world.submit([hourly(2)])
    over = owed(world)
    credits_ = [world.submit([credit_of(one)]).counts for one in (first, second)]
    after = owed(world)

    assert (told.counts.held, over) == (1, 2 * USUAL)
    assert [one.accepted for one in credits_] == [1, 1]
    assert after == 0
    assert (held_sdrs.admit_due(world.env), owed(world)) == (1, USUAL)


def test_credit_of_what_a_cap_holds_takes_nothing_back(world: World) -> None:
    cap(world, 0)
    record = hourly(0)
    world.submit([record])

    told = world.submit([credit_of(record)])
    cap(world, None)
    held_sdrs.admit_due(world.env)
    cap(world, USUAL)

    assert told.counts.refused == 1
    assert rules_of(told.items) == ["S-109"]
    assert owed(world) == USUAL


def test_cap_that_is_lifted_in_mid_window_lets_all_in_and_another_one_counts_them(
    world: World,
) -> None:
    cap(world, USUAL)
    world.submit([hourly(number) for number in range(4)])
    before = owed(world)

    cap(world, None)
    admitted = held_sdrs.admit_due(world.env)
    cap(world, USUAL)

    assert (before, admitted) == (USUAL, 3)
    assert owed(world) == 4 * USUAL
    assert world.submit([hourly(9)]).counts.held == 1


def visitors(world: World, count: int) -> list[Participant]:
    """Admit visited CSPs that collect from the CSO; each sends its own batches."""
    with world.env.database.begin() as tx:
        found = []
        for number in range(count):
            one = make_participant(tx, party_id=f"ATV{number:02d}", country="AT")
            lax = Terms(match_required=False)
            make_agreement(tx, one, world.csp, valid_from=SINCE, terms=lax)
            collecting = Terms(collects=True)
            make_agreement(tx, world.cso, one, valid_from=SINCE, terms=collecting)
            sold = Publication(publisher_id=one.participant_id, tariff=price(490_000))
            tariffs.publish(tx, sold, at=SINCE)
            found.append(one)
    return found


def test_many_senders_at_once_never_pass_a_cap_together(world: World) -> None:
    cap(world, 5 * USUAL)
    senders = visitors(world, 8)

    def send(number: int) -> tuple[int, int]:
        """Send two SDRs, one after the other, with a chore at the same time."""
        sender = senders[number]
        counts = [
            world.submit([hourly(2 * number + n, cso_id="CHREP")], sender=sender).counts
            for n in range(2)
        ]
        held_sdrs.admit_due(world.env)
        return sum(one.accepted for one in counts), sum(one.held for one in counts)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(send, range(8)))
    held_sdrs.admit_due(world.env)

    assert sum(accepted + held for accepted, held in told) == 16
    assert sum(accepted for accepted, _ in told) <= 5
    assert owed(world) == 5 * USUAL


def test_corrections_rejections_and_senders_at_once_leave_the_debts_that_count(
    world: World,
) -> None:
    cap(world, 4 * USUAL)
    own = [hourly(number) for number in range(4)]
    world.submit(own)
    senders = visitors(world, 3)

    def correct() -> None:
        for one in own[:2]:
            world.submit([credit_of(one), dearer(one)])

    def reject() -> None:
        words = [
            Word(submitter_party="CHREP", sdr_id=one.sdr_id, verdict=Verdict.REJECTED)
            for one in own[2:]
        ]
        exchange = message(make_sender(world.csp), operation="ConfirmSdrs")
        sdrs.confirm_sdrs(world.env, exchange, words, lambda _: b"<answer/>")

    def send(number: int) -> None:
        world.submit([hourly(10 + number, cso_id="CHREP")], sender=senders[number])
        held_sdrs.admit_due(world.env)

    with ThreadPoolExecutor(6) as pool:
        for one in [
            pool.submit(correct),
            pool.submit(reject),
            *(pool.submit(send, number) for number in range(3)),
        ]:
            one.result(60)

    use = debit_caps.uses(world.env)[0]
    assert use.owed_minor <= use.cap.limit_minor
    window_id = world.close().window.window_id
    assert settlement.prove(world.env, window_id) == ()
    assert owed(world) == use.owed_minor
