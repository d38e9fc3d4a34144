"""Runs that are killed at any step: nothing is left, and the step is done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import RunState
from clearinghouse.services import run_undoing, settlement_runs
from clearinghouse.storage.tables import runs as books
from clearinghouse.storage.tables.settlement import posting
from tests.services.run_world import RunWorld, make_run_world
from tests.services.sdr_world import count_of
from tests.services.settling import kill_writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site

BOOKS = (
    books.settlement_run,
    books.run_state,
    books.run_window,
    books.run_pair,
    books.run_debt,
    books.run_account,
    books.run_transfer,
    books.transfer_confirmation,
    posting,
)


@pytest.fixture
def four(env: Environment) -> RunWorld:
    made = make_run_world(env)
    made.close_with()
    return made


@pytest.fixture
def killer(site: Site) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with site.superuser() as admin:
        yield admin
        kill_writers(admin, None)


def _counts(four: RunWorld) -> list[int]:
    return [count_of(four.world, table) for table in BOOKS]


@pytest.mark.parametrize(
    "table",
    [
        "clearing.settlement_run",
        "clearing.run_window",
        "clearing.run_pair",
        "clearing.run_debt",
        "clearing.run_account",
        "clearing.run_transfer",
        "clearing.run_state",
        "audit.entry",
    ],
)
def test_proposal_killed_at_a_step_leaves_nothing(
    four: RunWorld, killer: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    before = _counts(four)
    kill_writers(killer, table)

    with pytest.raises(ClearingHouseError) as caught:
        four.propose()

    kill_writers(killer, None)
    assert caught.value.code is codes.UNAVAILABLE
    assert _counts(four) == before
    assert four.propose().moved_minor == 367_01


@pytest.mark.parametrize("table", ["clearing.run_state", "audit.entry"])
@pytest.mark.parametrize(
    "target", [RunState.RECORDED, RunState.RESERVED, RunState.COMMITTED]
)
def test_step_that_is_killed_leaves_the_run_where_it_stood(
    four: RunWorld,
    killer: psycopg.Connection[tuple[object, ...]],
    table: str,
    target: RunState,
) -> None:
    run_id = four.propose().run_id
    order = list(RunState)
    if target is not RunState.RECORDED:
        four.advance(run_id, order[order.index(target) - 1])
    before = _counts(four)
    kill_writers(killer, table)

    with pytest.raises(ClearingHouseError) as caught:
        four.advance(run_id, target)

    kill_writers(killer, None)
    assert caught.value.code is codes.UNAVAILABLE
    assert _counts(four) == before
    assert four.advance(run_id, target).state is target


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "table",
    ["clearing.transfer_confirmation", "clearing.posting", "clearing.run_state"],
)
def test_confirmation_that_is_killed_is_said_again_and_posted_once(
    four: RunWorld,
    killer: psycopg.Connection[tuple[object, ...]],
    table: str,
    last: bool,  # noqa: FBT001 - a case
) -> None:
    run_id = four.propose().run_id
    four.advance(run_id)
    payments = settlement_runs.show(four.env, run_id).payments
    done, missing = payments[:3] if last else (), payments[3 if last else 0 :]
    for one in done:
        four.confirm(one.transfer.end_to_end_id, one.open_minor)
    before = _counts(four)
    kill_writers(killer, table)
    first = missing[0]

    with pytest.raises(ClearingHouseError) as caught:
        four.confirm(first.transfer.end_to_end_id, first.open_minor, "REF")

    kill_writers(killer, None)
    assert caught.value.code is codes.UNAVAILABLE
    assert _counts(four) == before
    four.confirm(first.transfer.end_to_end_id, first.open_minor, "REF")
    four.confirm(first.transfer.end_to_end_id, first.open_minor, "REF")
    assert four.pay(run_id).state is RunState.SETTLED
    assert four.balances() == {}


@pytest.mark.parametrize(
    "table", ["clearing.settlement_run", "clearing.run_state", "clearing.approval"]
)
def test_reversal_that_is_killed_is_approved_again(
    four: RunWorld, killer: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    run_id = four.propose().run_id
    four.advance(run_id)
    asked = run_undoing.ask_reverse(four.env, four.anna, run_id, reason="wrong day")
    before = _counts(four)
    kill_writers(killer, table)

    with pytest.raises(ClearingHouseError) as caught:
        four.approve(asked)

    kill_writers(killer, None)
    assert caught.value.code is codes.UNAVAILABLE
    assert _counts(four) == before
    four.approve(asked)
    assert four.states(run_id)[""] is RunState.ABORTED
