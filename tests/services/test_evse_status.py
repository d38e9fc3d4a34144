"""EVSE status: newest wins, and what nobody confirms in time becomes unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.evses import Availability, EvseStatus, Occupancy
from clearinghouse.services import evse_status
from clearinghouse.storage.evse_status import EXPIRED_MAX
from tests.builders import make_agreement, seconds
from tests.services.evse_world import (
    ONE,
    THREE,
    TWO,
    Answers,
    World,
    found,
    make_part,
    make_reported,
    open_world,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.outcomes import Done, Refusal
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment, clock: StillClock) -> World:
    opened = open_world(env, clock)
    opened.put(ONE, TWO)
    return opened


def seen(world: World) -> dict[str, EvseStatus]:
    """Return what the agreed CSP is told of each EVSE."""
    return {one.evse_id: one.status for one in world.pull_status().items}


@pytest.mark.clause("4.3-I3", "3.3")
def test_status_reaches_the_csp_that_has_an_agreement(world: World) -> None:
    outcome = world.report(
        make_reported("chrepe00011", occupancy=Occupancy.OCCUPIED),
        make_reported(
            TWO, availability=Availability.INOPERATIVE, time_to_live_seconds=60
        ),
    )

    assert (outcome.code, outcome.items) == (codes.OK, ())
    assert [one.cso_party for one in world.pull_status().items] == ["CHREP", "CHREP"]
    status = seen(world)
    assert status[ONE].occupancy is Occupancy.OCCUPIED
    assert status[ONE].availability is Availability.OPERATIVE
    assert status[ONE].valid_until == seconds(1800)
    assert status[TWO].availability is Availability.INOPERATIVE
    assert status[TWO].valid_until == seconds(60)
    assert not status[TWO].stale


def test_older_status_never_overwrites_a_newer_one(world: World) -> None:
    world.clock.forward(seconds=60)
    world.report(
        make_reported(ONE, occupancy=Occupancy.OCCUPIED, occurred_at=seconds(30))
    )

    outcome = world.report(
        make_reported(ONE, occurred_at=seconds(29)),
        make_reported("CH*REP*E99"),
        make_reported(TWO),
    )

    assert outcome.code is codes.PARTLY
    assert found(outcome.items) == [(106, 0, "occurredAt"), (500, 1, "evseId")]
    assert seen(world)[ONE].occupancy is Occupancy.OCCUPIED
    assert seen(world)[TWO].occupancy is Occupancy.FREE


def test_at_the_same_instant_the_later_report_counts(world: World) -> None:
    world.report(make_reported(ONE, occupancy=Occupancy.OCCUPIED))

    outcome = world.report(make_reported(ONE, occupancy=Occupancy.RESERVED))

    assert outcome.items == ()
    assert seen(world)[ONE].occupancy is Occupancy.RESERVED


def test_of_two_reports_in_one_message_the_newer_counts(world: World) -> None:
    world.clock.forward(seconds=60)

    outcome = world.report(
        make_reported(ONE, occupancy=Occupancy.OCCUPIED, occurred_at=seconds(50)),
        make_reported(TWO),
        make_reported(ONE, occurred_at=seconds(40)),
    )

    assert found(outcome.items) == [(106, 2, "occurredAt")]
    assert seen(world)[ONE].occupancy is Occupancy.OCCUPIED


def test_what_is_wrong_with_one_status_spares_the_others(world: World) -> None:
    world.put(ONE, TWO, THREE)
    world.update(remove=(THREE,))

    outcome = world.report(
        make_reported("CHREP1"),
        make_reported("CH*CCC*E1"),
        make_reported("CH*REP*E99"),
        make_reported(THREE),
        make_reported("CH*REP*E00*01"),
        make_reported(TWO, occurred_at=seconds(121)),
        make_reported(ONE),
    )

    assert outcome.code is codes.PARTLY
    assert found(outcome.items) == [
        (501, 0, "evseId"),
        (502, 1, "evseId"),
        (500, 2, "evseId"),
        (500, 3, "evseId"),
        (500, 4, "evseId"),
        (510, 5, "occurredAt"),
    ]
    assert set(seen(world)) == {ONE}


def test_status_for_an_other_division_of_the_outlet_is_refused(
    world: World,
) -> None:
    world.update("CH*REP*E1*23")

    outcome = world.report(make_reported("CH*REP*E12*3"))

    assert found(outcome.items) == [(503, 0, "evseId")]
    assert seen(world) == {}


def test_clock_that_runs_a_little_ahead_is_forgiven(world: World) -> None:
    outcome = world.report(make_reported(ONE, occurred_at=seconds(120)))

    assert outcome.items == ()


# Time to live


def test_status_that_nobody_confirms_becomes_unknown_as_a_change(
    world: World,
) -> None:
    world.report(make_reported(ONE), make_reported(TWO, time_to_live_seconds=3600))
    cursor = str(world.pull_status().cursor)
    world.clock.forward(seconds=299)
    early = evse_status.expire_statuses(world.env)

    world.clock.forward(seconds=1)
    expired = evse_status.expire_statuses(world.env)

    (change,) = world.pull_status(cursor=cursor).items
    assert (early, expired) == (0, 1)
    assert change.evse_id == ONE
    assert change.status.stale
    assert change.status.availability is Availability.UNKNOWN
    assert change.status.occupancy is Occupancy.UNKNOWN


def test_nobody_is_told_what_has_run_out_before_the_timer_comes(
    world: World,
) -> None:
    world.report(make_reported(ONE))

    world.clock.forward(seconds=300)

    assert seen(world)[ONE].stale
    assert seen(world)[ONE].occupancy is Occupancy.UNKNOWN


def test_status_that_ran_out_on_its_way_is_unknown_at_once(world: World) -> None:
    world.clock.forward(seconds=600)

    outcome = world.report(make_reported(ONE))

    assert outcome.items == ()
    assert seen(world)[ONE].stale
    assert evse_status.expire_statuses(world.env) == 0


def test_stale_status_comes_to_life_with_the_next_report(world: World) -> None:
    world.report(make_reported(ONE))
    world.clock.forward(seconds=300)
    evse_status.expire_statuses(world.env)

    world.report(make_reported(ONE, occurred_at=world.clock.at))

    assert not seen(world)[ONE].stale
    assert seen(world)[ONE].availability is Availability.OPERATIVE


def test_timer_goes_on_until_nothing_has_run_out(world: World) -> None:
    number = EXPIRED_MAX + 2
    with world.env.database.begin() as tx:
        tx.execute(
            text(
                "INSERT INTO clearing.evse_status (evse_key, cso_id, availability,"
                " occupancy, occurred_at, valid_until) SELECT 'CHREPE' || number, :cso,"
                " 'OPERATIVE', 'FREE', :at, :at"
                " FROM generate_series(1, :number) AS number"
            ),
            {
                "cso": world.cso.participant_id,
                "at": world.clock.at,
                "number": number,
            },
        )

    assert evse_status.expire_statuses(world.env) == number
    assert evse_status.expire_statuses(world.env) == 0


# Who sees what


def test_csp_without_an_agreement_is_told_nothing(world: World) -> None:
    world.report(make_reported(ONE))

    assert world.pull_status(world.other_csp).items == ()
    with pytest.raises(ClearingHouseError) as refused:
        world.pull_status(world.other_csp, cso_party="CHREP")
    assert refused.value.code is codes.NO_AGREEMENT


def test_csp_pulls_the_status_of_one_operator(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.other_cso, world.csp)
    world.try_put(make_part("CH*CCC*E1"), sender=world.other_cso)
    world.report(make_reported(ONE))

    assert world.pull_status(cso_party="CHCCC").items == ()
    assert [one.evse_id for one in world.pull_status(cso_party="CHREP").items] == [ONE]


def test_repeated_report_gets_the_stored_answer(world: World) -> None:
    answers: Answers[Done | Refusal] = Answers()
    exchange = world.exchange()
    reported = (make_reported(ONE),)
    first = evse_status.put_status(world.env, exchange, reported, answers)
    world.clock.forward(seconds=30)
    world.report(
        make_reported(ONE, occupancy=Occupancy.OCCUPIED, occurred_at=seconds(20))
    )

    second = evse_status.put_status(world.env, exchange, reported, answers)

    assert first == second
    assert len(answers.outcomes) == 1
    assert seen(world)[ONE].occupancy is Occupancy.OCCUPIED
