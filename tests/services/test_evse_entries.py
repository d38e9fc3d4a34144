"""EVSE entries one by one: whose, how spelled, how told; one spares the others."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.credentials import ListState
from clearinghouse.domain.evses import Connector
from clearinghouse.services.evses import Counted
from tests.services.evse_world import (
    ONE,
    THREE,
    TWO,
    World,
    found,
    make_entry,
    open_world,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment, clock: StillClock) -> World:
    return open_world(env, clock)


@pytest.mark.clause("3.3")
def test_malformed_id_is_told_what_to_change_and_spares_the_others(
    world: World,
) -> None:
    outcome = world.put(ONE, "CHEREPE16970", TWO)

    (item,) = outcome.items
    assert (outcome.code, outcome.accepted, outcome.refused) == (codes.PARTLY, 2, 1)
    assert found(outcome.items) == [(501, 1, "evseId")]
    assert item.expected.endswith("write CH*REP*E16970")
    assert item.found == "CHEREPE16970"
    assert world.in_force() == {ONE, TWO}


def test_evse_of_another_operator_is_refused_with_the_operators_one_has(
    world: World,
) -> None:
    outcome = world.put("CH*CCC*E1", "CH*IBA*E1", "DIN", "+41*999*1")

    assert found(outcome.items)[0] == (502, 0, "evseId")
    assert outcome.items[0].expected == "an EVSE of CH*IBA, CH*REP"
    assert [code for code, _, _ in found(outcome.items)] == [502, 501, 502]
    assert world.in_force() == {"CH*IBA*E1"}


def test_second_entry_for_one_evse_is_refused(world: World) -> None:
    outcome = world.put(ONE, "chrepe00011", TWO, TWO)

    assert found(outcome.items) == [(504, 1, "evseId"), (504, 3, "evseId")]
    assert (outcome.accepted, outcome.refused) == (2, 2)
    assert world.in_force() == {ONE, TWO}


def test_entry_that_stands_in_an_earlier_part_is_refused(world: World) -> None:
    whole = {"list_id": uuid4(), "expected_count": 4, "parts": 2}
    world.put(ONE, TWO, **whole, part=1)

    last = world.put(TWO, THREE, **whole, part=2)

    assert found(last.items) == [(504, 0, "evseId")]
    assert last.state is ListState.APPLIED
    assert world.in_force() == {ONE, TWO, THREE}


@pytest.mark.parametrize("place", [1, 2])
def test_second_entry_does_not_bring_back_the_old_description(
    world: World, place: int
) -> None:
    world.put(ONE, TWO, THREE)
    whole = {"list_id": uuid4(), "expected_count": 4, "parts": 2}
    parts = {
        1: [make_entry(ONE, open_24_hours=True), make_entry(TWO)],
        2: [make_entry(THREE)],
    }
    parts[place].append(make_entry(ONE))

    world.put(*parts[1], **whole, part=1)
    last = world.put(*parts[2], **whole, part=2)

    described = {one.evse.received: one.evse for one in world.pull().items}
    assert last.state is ListState.APPLIED
    assert described[ONE].open_24_hours is True


def test_two_outlets_that_meet_without_separators_are_told_apart(
    world: World,
) -> None:
    outcome = world.put("CH*REP*E1*23", "CH*REP*E12*3", "CHREPE123")

    assert found(outcome.items) == [(503, 1, "evseId"), (504, 2, "evseId")]
    assert "CH*REP*E1*23" in outcome.items[0].expected
    assert world.in_force() == {"CH*REP*E1*23"}


def test_other_division_of_a_stored_outlet_is_refused_until_that_one_is_removed(
    world: World,
) -> None:
    world.put("CH*REP*E1*23")

    clash = world.update("CH*REP*E12*3")
    world.update(remove=("CH*REP*E1*23",))
    after = world.update("CH*REP*E12*3")

    assert found(clash.items) == [(503, 0, "upsert/evseId")]
    assert clash.items[0].expected == "CH*REP*E1*23, or remove that one first"
    assert after.items == ()
    assert world.in_force() == {"CH*REP*E12*3"}


def test_evse_spelled_otherwise_in_the_next_list_is_the_same_evse(
    world: World,
) -> None:
    world.put(ONE, TWO)
    seen = world.pull()

    world.put("chrepe00011", TWO)

    (change,) = world.pull(cursor=str(seen.cursor)).items
    assert change.evse.received == "chrepe00011"
    assert not change.removed


def test_every_wrong_field_is_named(world: World) -> None:
    wrong = make_entry(
        TWO,
        time_zone="Europe/Bern",
        latitude_u=1,
        connectors=(Connector(kind="CCS2", power_w=0),),
    )

    outcome = world.put(ONE, wrong)

    assert found(outcome.items) == [
        (505, 1, "latitude"),
        (505, 1, "timeZone"),
        (505, 1, "connector[1]/powerW"),
    ]
    assert (outcome.accepted, outcome.refused) == (1, 1)


@pytest.mark.parametrize(
    ("operator_id", "expected"),
    [
        ("CH*SUNNYCHARGE", "use the registered id, not the name"),
        ("CH*IBA", "CH*REP as in the EVSE id"),
        ("CH-REP", None),
        ("+41*999", "CH*REP as in the EVSE id"),
    ],
)
def test_operator_id_has_to_fit_the_evse_id(
    world: World, operator_id: str, expected: str | None
) -> None:
    outcome = world.put(make_entry(ONE, operator_id=operator_id))

    if expected is None:
        assert outcome.items == ()
    else:
        assert found(outcome.items) == [(505, 0, "operatorId")]
        assert outcome.items[0].expected.endswith(expected)


def test_two_changes_at_once_cannot_both_divide_an_outlet(world: World) -> None:
    outcomes: list[Counted] = []

    def send(received: str) -> None:
        outcomes.append(world.update(received))

    spellings = [f"CH*REP*E{'1' * place}*{'1' * (6 - place)}" for place in range(1, 6)]
    threads = [Thread(target=send, args=(one,)) for one in spellings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcome.accepted for outcome in outcomes) == [0, 0, 0, 0, 1]
    assert len(world.in_force()) == 1


def test_evse_that_another_partner_listed_is_left_alone(
    world: World, site: Site
) -> None:
    # the operator id moved to another partner after its EVSEs were listed
    world.update("CH*IBA*E1")
    _move_alias(world, site, "CHIBA")

    outcome = world.update("CH*IBA*E1", remove=("CHIBAE1",), sender=world.other_cso)

    assert [code for code, _, _ in found(outcome.items)] == [502, 502]
    assert world.in_force() == {"CH*IBA*E1"}


def _move_alias(world: World, site: Site, alias: str) -> None:
    with site.superuser() as connection:
        connection.execute(
            "UPDATE clearing.party_alias SET participant_id = %s WHERE alias = %s",
            (world.other_cso.participant_id, alias),
        )
