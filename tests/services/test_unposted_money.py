"""Money that no run expects: told until what the bank says of it adds up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import Model, Outcome, RunState
from clearinghouse.services import (
    balances,
    run_payments,
    run_undoing,
    settlement_runs,
    unposted_money,
)
from clearinghouse.storage import run_payments as store
from tests.fixtures.verbs import value_of
from tests.services.run_world import RunWorld, make_run_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from clearinghouse.services.environment import Environment


@pytest.fixture
def four(env: Environment) -> RunWorld:
    return make_run_world(env)


@pytest.fixture
def key(four: RunWorld) -> str:
    """Settle a run of one payment; return its end-to-end id."""
    four.close_with([("A", "B", 100_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    four.advance(run_id)
    four.pay(run_id)
    return f"R{run_id}-DEAAA-1"


def _told(four: RunWorld) -> dict[str, int]:
    return {
        one.end_to_end_id: one.unposted_minor
        for one in unposted_money.unposted(four.env)
    }


def _measured(way: str) -> float | None:
    return REGISTRY.get_sample_value("clearinghouse_money_posted_nowhere", {"way": way})


def test_payment_that_comes_back_late_is_told_until_it_is_paid_again(
    four: RunWorld, key: str, run: Callable[..., Result]
) -> None:
    before = _told(four)
    four.confirm(key, -100_00)
    returned = _told(four)
    unposted_money.watch(four.env)
    measured = _measured("LACKING"), _measured("TOO_MUCH")
    (row,) = value_of(run("--json", "payment", "unposted"))
    looked = json.loads(run("--json", "doctor").stdout)
    four.confirm(key, 40_00)
    part = _told(four)
    four.confirm(key, 60_00)
    unposted_money.watch(four.env)

    assert not before
    assert (returned, part) == ({key: -100_00}, {key: -60_00})
    assert not _told(four)
    assert list(measured) == [1, 0]
    assert _measured("LACKING") == 0
    assert (row["end_to_end_id"], row["amount"], row["payer"]) == (
        key,
        "-100.00",
        "DEAAA",
    )
    (found,) = [one for one in looked if one["what"] == "money at the bank"]
    assert (found["state"], found["found"]) == ("WRONG", f"posted nowhere: {key}")


def test_settled_run_stays_settled_and_proved_whatever_comes_back(
    four: RunWorld, key: str
) -> None:
    four.confirm(key, -100_00)

    balances.snapshot(four.env)
    assert four.states(1)[""] is RunState.SETTLED
    assert run_payments.prove(four.env, 1) == ()
    assert balances.verify(four.env).differences == ()
    assert four.balances() == {}
    assert run_payments.due_payments(four.env, 1) == ()


def test_payment_that_comes_back_in_time_is_posted_and_due_again(
    four: RunWorld,
) -> None:
    four.close_with([("A", "B", 100_00), ("C", "B", 50_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    four.advance(run_id)
    key = f"R{run_id}-DEAAA-1"
    four.confirm(key, 100_00)

    four.confirm(key, -100_00)

    assert _told(four) == {}
    assert four.balances()["P:DEAAA:POS", "EUR"] == -100_00
    due = run_payments.due_payments(four.env, run_id)
    assert key in {one.transfer.end_to_end_id for one in due}


def test_money_above_what_was_open_is_told_until_it_is_given_back(
    four: RunWorld, key: str
) -> None:
    four.confirm(key, 5_00)
    too_much = _told(four)
    unposted_money.watch(four.env)
    measured = _measured("TOO_MUCH")

    four.confirm(key, -5_00)

    assert too_much == {key: 5_00}
    assert measured == 1
    assert _told(four) == {}


def test_money_above_what_was_open_goes_back_first_while_the_run_is_paid(
    four: RunWorld,
) -> None:
    four.close_with([("A", "B", 100_00), ("C", "B", 50_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    four.advance(run_id)
    key = f"R{run_id}-DEAAA-1"
    four.confirm(key, 105_00)

    given_back = four.confirm(key, -5_00)
    after = _told(four)
    came_back = four.confirm(key, -100_00)

    assert (given_back.outcome, given_back.posted_minor) == (Outcome.RETURNED, 0)
    assert after == _told(four) == {}
    assert came_back.posted_minor == -100_00
    assert four.balances()["P:DEAAA:POS", "EUR"] == -100_00


def test_run_is_not_reversed_while_money_of_it_is_lacking(
    four: RunWorld, key: str
) -> None:
    asked = run_undoing.ask_reverse(four.env, four.anna, 1, reason="a default")
    four.confirm(key, -100_00)

    with pytest.raises(ClearingHouseError) as approved:
        four.approve(asked)
    with pytest.raises(ClearingHouseError) as again:
        run_undoing.ask_reverse(four.env, four.anna, 1, reason="a default")
    four.confirm(key, 100_00)
    four.approve(asked)

    assert approved.value.code is again.value.code is codes.RUN_STATE
    assert key in str(again.value)
    (back,) = settlement_runs.show(four.env, 2).payments
    assert back.open_minor == 100_00


def test_money_above_what_was_open_does_not_stop_a_reversal(
    four: RunWorld, key: str
) -> None:
    four.confirm(key, 5_00)

    four.approve(run_undoing.ask_reverse(four.env, four.anna, 1, reason="a default"))

    (back,) = settlement_runs.show(four.env, 2).payments
    assert back.open_minor == 100_00
    assert _told(four) == {key: 5_00}


def test_metric_counts_all_payments_and_the_list_says_when_it_is_not_whole(
    four: RunWorld, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    four.close_with([("A", "B", 100_00), ("C", "B", 50_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    four.advance(run_id)
    four.pay(run_id)
    for key in (f"R{run_id}-DEAAA-1", f"R{run_id}-DECCC-2"):
        four.confirm(key, -1_00)
    whole = run("payment", "unposted")
    monkeypatch.setattr(store, "UNPOSTED_MAX", 1)

    unposted_money.watch(four.env)
    part = run("payment", "unposted")

    assert [_measured(way) for way in ("LACKING", "TOO_MUCH")] == [2, 0]
    assert len(_told(four)) == 1
    assert "these are the 1 oldest of 2" in part.stderr
    assert "oldest" not in whole.stderr
