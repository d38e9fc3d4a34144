"""EVSE lists: staged, applied, held, changed, and pulled by agreed CSPs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.credentials import ListState
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import evses, held_lists
from clearinghouse.services.evses import Counted
from clearinghouse.services.outcomes import Refusal
from tests.builders import make_sender
from tests.services.evse_world import (
    FOUR,
    ONE,
    THREE,
    TWO,
    Answers,
    World,
    found,
    make_entry,
    make_part,
    open_world,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment, clock: StillClock) -> World:
    return open_world(env, clock)


# Full lists


@pytest.mark.clause("4.3-I3")
def test_full_list_reaches_the_csp_that_has_an_agreement(world: World) -> None:
    outcome = world.put(ONE, make_entry(TWO, latitude_u=47_000_000, longitude_u=8))

    page = world.pull()
    assert outcome == Counted(
        code=codes.OK, items=(), accepted=2, refused=0, state=ListState.APPLIED
    )
    assert [one.cso_party for one in page.items] == ["CHREP", "CHREP"]
    assert [one.evse.evse_id.spaced for one in page.items] == [ONE, TWO]
    assert page.items[1].evse.latitude_u == 47_000_000


def test_list_takes_effect_when_its_last_part_has_come(world: World) -> None:
    whole = {"list_id": uuid4(), "expected_count": 3, "parts": 2}

    first = world.put(THREE, **whole, part=2)
    before = world.in_force()
    last = world.put(ONE, TWO, **whole, part=1)

    assert (first.code, first.state) == (codes.LIST_STAGED, ListState.STAGED)
    assert before == set()
    assert (last.code, last.state) == (codes.OK, ListState.APPLIED)
    assert world.in_force() == {ONE, TWO, THREE}


def test_part_that_comes_again_under_another_message_id_changes_nothing(
    world: World,
) -> None:
    whole = {"list_id": uuid4(), "expected_count": 3, "parts": 2}
    world.put(ONE, TWO, **whole, part=1)

    again = world.put(ONE, TWO, **whole, part=1)
    last = world.put(THREE, **whole, part=2)
    after = world.put(THREE, **whole, part=2)

    assert (again.code, again.state) == (codes.ALREADY_DONE, ListState.STAGED)
    assert last.state is ListState.APPLIED
    assert (after.code, after.state) == (codes.ALREADY_DONE, ListState.APPLIED)
    assert world.in_force() == {ONE, TWO, THREE}


@pytest.mark.parametrize(
    ("before", "state"), [((), ListState.APPLIED), ((TWO, THREE, FOUR), ListState.HELD)]
)
def test_messages_with_one_part_at_once_put_it_in_force_or_hold_it_once(
    world: World, before: tuple[str, ...], state: ListState
) -> None:
    if before:
        world.put(*before)
    part = make_part(ONE)

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(world.try_put, part) for _ in range(6)]

    outcomes = [one.result() for one in calls]
    first, again = codes.OK, codes.ALREADY_DONE
    if state is ListState.HELD:
        first = again = codes.LIST_HELD
    assert {getattr(one, "state", None) for one in outcomes} == {state}
    told = sorted(one.code.number for one in outcomes)
    assert told == sorted([first.number, *[again.number] * 5])


def test_part_that_comes_again_with_other_evses_is_refused(world: World) -> None:
    whole = {"list_id": uuid4(), "expected_count": 3, "parts": 2}
    world.put(ONE, TWO, **whole, part=1)

    with pytest.raises(ClearingHouseError) as refused:
        world.put(ONE, FOUR, **whole, part=1)
    last = world.put(THREE, **whole, part=2)

    assert refused.value.code is codes.EVSE_LIST_PARTS
    assert [item.path for item in refused.value.items] == ["part"]
    assert last.state is ListState.APPLIED
    assert world.in_force() == {ONE, TWO, THREE}


def test_slip_in_one_field_does_not_take_an_evse_off_the_network(
    world: World,
) -> None:
    world.put(ONE, make_entry(TWO, open_24_hours=True))

    outcome = world.put(ONE, make_entry(TWO, time_zone="Europe/Bern"))

    (kept,) = [one for one in world.pull().items if one.evse.received == TWO]
    assert (outcome.accepted, outcome.refused) == (1, 1)
    assert outcome.state is ListState.APPLIED
    assert not kept.removed
    assert kept.evse.open_24_hours is True


def test_list_that_would_remove_more_than_half_waits_for_the_operator(
    world: World,
) -> None:
    world.put(ONE, TWO, THREE)

    outcome = world.put(ONE)

    assert (outcome.code, outcome.state) == (codes.LIST_HELD, ListState.HELD)
    assert world.in_force() == {ONE, TWO, THREE}
    (waiting,) = held_lists.held_lists(world.env)
    held_lists.confirm(world.env, waiting.held.list_id)
    assert world.in_force() == {ONE}


def test_held_list_that_was_replaced_while_the_operator_looked_removes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(ONE, TWO, THREE)
    world.put(ONE)
    waiting = held_lists.held_lists(world.env)
    world.put(ONE, TWO, parts=2)
    monkeypatch.setattr(held_lists, "held_lists", lambda _: waiting)

    for decide in (held_lists.confirm, held_lists.discard):
        with pytest.raises(ClearingHouseError) as refused:
            decide(world.env, waiting[0].held.list_id)
        assert refused.value.code is codes.NOT_FOUND

    assert world.in_force() == {ONE, TWO, THREE}


def test_list_that_removes_half_is_applied_at_once(world: World) -> None:
    world.put(ONE, TWO, THREE, FOUR)

    outcome = world.put(ONE, TWO)

    assert outcome.state is ListState.APPLIED
    assert world.in_force() == {ONE, TWO}


def test_empty_list_of_an_operator_without_evses_is_no_trouble(world: World) -> None:
    outcome = world.put()

    assert (outcome.code, outcome.state) == (codes.OK, ListState.APPLIED)


def test_parts_that_do_not_add_up_refuse_the_whole_list(world: World) -> None:
    world.put(ONE)
    wrong = make_part(ONE, TWO, expected_count=3)

    outcome = world.try_put(wrong)

    assert isinstance(outcome, Refusal)
    assert outcome.code is codes.EVSE_LIST_PARTS
    (item,) = outcome.items
    assert (item.path, item.found) == ("expectedCount", "3")
    assert item.expected.startswith("2, as in the parts together")
    assert world.in_force() == {ONE}


def test_id_of_a_list_that_was_set_aside_is_not_used_again(world: World) -> None:
    wrong = make_part(ONE, TWO, expected_count=3)
    world.try_put(wrong)

    with pytest.raises(ClearingHouseError) as refused:
        world.try_put(replace(wrong, expected_count=2))

    assert refused.value.code is codes.EVSE_LIST_PARTS
    assert [item.path for item in refused.value.items] == ["listId"]
    assert world.in_force() == set()


def test_parts_that_tell_different_totals_are_refused(world: World) -> None:
    whole = {"list_id": uuid4(), "expected_count": 3, "parts": 3}
    world.put(ONE, **whole, part=1)

    with pytest.raises(ClearingHouseError) as refused:
        world.put(TWO, **whole | {"expected_count": 4, "parts": 2}, part=3)

    items = [(item.path, item.found) for item in refused.value.items]
    assert refused.value.code is codes.EVSE_LIST_PARTS
    assert items == [("part", "3"), ("expectedCount", "4"), ("parts", "2")]


def test_new_list_sets_an_unfinished_one_aside(world: World) -> None:
    old = {"list_id": uuid4(), "expected_count": 2, "parts": 2}
    new = {"list_id": uuid4(), "expected_count": 2, "parts": 2}
    world.put(ONE, **old, part=1)
    world.put(THREE, **new, part=1)

    with pytest.raises(ClearingHouseError) as late:
        world.put(TWO, **old, part=2)
    last = world.put(FOUR, **new, part=2)

    assert late.value.code is codes.EVSE_LIST_PARTS
    assert last.state is ListState.APPLIED
    assert world.in_force() == {THREE, FOUR}


def test_what_a_list_leaves_out_is_delivered_as_removed(world: World) -> None:
    world.put(ONE, TWO, THREE)
    seen = world.pull()

    world.put(ONE, TWO)

    (change,) = world.pull(cursor=str(seen.cursor)).items
    assert (change.evse.evse_id.spaced, change.removed) == (THREE, True)


# Repeats


def test_repeated_message_gets_the_stored_answer(world: World) -> None:
    answers: Answers[Counted | Refusal] = Answers()
    exchange, part = world.exchange(), make_part(ONE)

    first = evses.put_evses(world.env, exchange, part, answers)
    second = evses.put_evses(world.env, exchange, part, answers)

    assert first == second
    assert len(answers.outcomes) == 1


def test_message_id_with_another_body_is_refused(world: World) -> None:
    answers: Answers[Counted | Refusal] = Answers()
    exchange = world.exchange()
    evses.put_evses(world.env, exchange, make_part(ONE), answers)

    with pytest.raises(ClearingHouseError) as refused:
        evses.put_evses(
            world.env, replace(exchange, digest=bytes(32)), make_part(TWO), answers
        )

    assert refused.value.code is codes.DUPLICATE_CONFLICT
    assert world.in_force() == {ONE}


# Changes


def test_change_adds_alters_and_removes_single_evses(world: World) -> None:
    world.put(ONE, TWO)
    seen = world.pull()

    outcome = world.update(THREE, make_entry(ONE, open_24_hours=True), remove=(TWO,))

    changes = world.pull(cursor=str(seen.cursor)).items
    assert (outcome.code, outcome.accepted, outcome.state) == (codes.OK, 3, None)
    assert {one.evse.received: one.removed for one in changes} == {
        ONE: False,
        TWO: True,
        THREE: False,
    }


def test_bad_change_spares_the_others(world: World) -> None:
    world.put(ONE, TWO, "CH*REP*E1*23")

    outcome = world.update(
        THREE,
        make_entry(FOUR, time_zone="Bern"),
        remove=(THREE, "nonsense", "CH*CCC*E1", "CH*REP*E12*3", TWO, "CHREPE99"),
    )

    assert found(outcome.items) == [
        (505, 1, "upsert/timeZone"),
        (504, 0, "remove"),
        (501, 1, "remove"),
        (502, 2, "remove"),
        (503, 3, "remove"),
    ]
    assert (outcome.accepted, outcome.refused) == (3, 5)
    assert world.in_force() == {ONE, THREE, "CH*REP*E1*23"}


# Pulling


def test_pages_follow_each_other_without_gap_or_repeat(world: World) -> None:
    names = [f"CH*REP*E{number:03d}" for number in range(25)]
    world.put(*names)

    pulled: list[str] = []
    cursor, more = None, True
    while more:
        page = world.pull(cursor=cursor, limit=10)
        pulled += [one.evse.received for one in page.items]
        cursor, more = str(page.cursor), page.more

    assert pulled == names
    assert world.pull(cursor=cursor).items == ()


def test_cursor_that_is_not_ours_is_refused(world: World) -> None:
    with pytest.raises(ClearingHouseError) as refused:
        evses.get_evses(
            world.env,
            make_sender(world.csp),
            cso_party=None,
            cursor="yesterday",
            limit=10,
        )

    assert refused.value.code is codes.CURSOR
