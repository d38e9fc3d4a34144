"""Settlement runs: taken, booked, paid, settled; given up and reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import Model, Outcome, RunState
from clearinghouse.services import run_payments, run_undoing, settlement_runs
from clearinghouse.services.settlement_runs import Wish
from tests.builders import NOW
from tests.services.run_world import RunWorld, make_run_world

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment


@pytest.fixture
def four(env: Environment) -> RunWorld:
    return make_run_world(env)


@pytest.mark.clause("4.3-I3", "4.2-central")
@pytest.mark.parametrize("model", list(Model))
def test_run_ends_with_all_positions_and_the_money_in_transit_at_zero(
    four: RunWorld, model: Model
) -> None:
    four.close_with()
    run = four.propose(model)
    four.advance(run.run_id)

    settled = four.pay(run.run_id)

    assert settled.state is RunState.SETTLED
    assert set(four.states(run.run_id).values()) == {RunState.SETTLED}
    assert four.balances() == {}
    assert run_payments.prove(four.env, run.run_id) == ()
    with pytest.raises(ClearingHouseError) as nothing:
        four.propose(model)
    assert nothing.value.code is codes.RUN_NOTHING


def test_run_nets_several_windows_together(four: RunWorld) -> None:
    four.close_with([("A", "B", 100_00)])
    four.close_with([("B", "A", 30_00)])

    run = four.propose()

    assert four.nets(run.run_id) == {"A": -70_00, "B": 70_00}
    assert (run.gross_minor, run.moved_minor) == (130_00, 70_00)


def test_run_takes_the_windows_that_were_named_and_the_next_run_the_others(
    four: RunWorld,
) -> None:
    four.close_with([("A", "B", 100_00)])
    four.close_with([("B", "A", 30_00)])
    wish = Wish(currency="EUR", model=Model.MULTILATERAL, window_labels=("2026-11",))

    first = settlement_runs.propose(four.env, four.anna, wish)
    second = four.propose()

    assert four.nets(first.run_id) == {"A": -100_00, "B": 100_00}
    assert four.nets(second.run_id) == {"A": 30_00, "B": -30_00}


def test_proposal_posts_nothing_and_an_open_window_is_not_taken(
    four: RunWorld,
) -> None:
    with pytest.raises(ClearingHouseError) as nothing:
        four.propose()
    four.close_with()
    before = four.balances()

    run = four.propose()

    assert nothing.value.code is codes.RUN_NOTHING
    assert four.balances() == before
    assert run_payments.due_payments(four.env, run.run_id) == ()


def test_empty_window_gives_a_run_of_zeros_that_settles(four: RunWorld) -> None:
    four.close()

    run = four.propose()
    four.advance(run.run_id)
    settled = run_payments.settle(four.env, four.anna, run.run_id)

    assert settled.state is RunState.SETTLED
    shown = settlement_runs.show(four.env, run.run_id)
    assert (shown.accounts, shown.payments, shown.windows) == ((), (), (1,))
    assert (settled.gross_minor, settled.moved_minor) == (0, 0)


def test_reversed_run_of_zeros_leaves_its_window_to_the_next(four: RunWorld) -> None:
    four.close()
    run = four.propose()
    settlement_runs.record(four.env, four.anna, run.run_id)
    asked = run_undoing.ask_reverse(four.env, four.anna, run.run_id, reason="wrong day")
    four.approve(asked)

    again = four.propose()

    assert settlement_runs.show(four.env, again.run_id).windows == (1,)


def test_steps_are_taken_in_order_and_may_be_repeated(four: RunWorld) -> None:
    four.close_with()
    run = four.propose()

    with pytest.raises(ClearingHouseError) as early:
        settlement_runs.commit(four.env, four.anna, run.run_id)
    four.advance(run.run_id)
    again = settlement_runs.commit(four.env, four.anna, run.run_id)
    with pytest.raises(ClearingHouseError) as back:
        settlement_runs.record(four.env, four.anna, run.run_id)
    with pytest.raises(ClearingHouseError) as unpaid:
        run_payments.settle(four.env, four.anna, run.run_id)
    with pytest.raises(ClearingHouseError) as unknown:
        settlement_runs.record(four.env, four.anna, 99)

    assert again.state is RunState.COMMITTED
    refused = [caught.value.code for caught in (early, back, unpaid, unknown)]
    assert refused == [codes.RUN_STATE] * 3 + [codes.RUN_UNKNOWN]
    history = settlement_runs.show(four.env, run.run_id).history
    assert [step.to_state for step in history if not step.owner] == [
        RunState.PENDING_SETTLEMENT,
        RunState.RECORDED,
        RunState.RESERVED,
        RunState.COMMITTED,
    ]
    assert {step.actor for step in history} == {"operator anna"}


def test_pay_outs_are_due_when_all_collections_are_in(four: RunWorld) -> None:
    four.close_with()
    run_id = four.propose().run_id
    four.advance(run_id)
    collect_b, collect_d = run_payments.due_payments(four.env, run_id)

    four.confirm(collect_b.transfer.end_to_end_id, collect_b.open_minor)
    still = run_payments.due_payments(four.env, run_id)
    four.confirm(collect_d.transfer.end_to_end_id, collect_d.open_minor)
    then = run_payments.due_payments(four.env, run_id)

    assert [one.transfer for one in still] == [collect_d.transfer]
    assert [one.transfer.payee for one in then] == ["DEAAA", "DECCC"]


def test_state_of_each_account_follows_its_own_payments(four: RunWorld) -> None:
    four.close_with()
    run_id = four.propose().run_id
    four.advance(run_id)
    payment = run_payments.due_payments(four.env, run_id)[0]

    four.confirm(payment.transfer.end_to_end_id, 300_00)
    part = four.states(run_id)
    four.confirm(payment.transfer.end_to_end_id, 44_77)
    whole = four.states(run_id)
    four.confirm(payment.transfer.end_to_end_id, -44_77)
    back = four.states(run_id)

    assert part["DEBBB"] is part["DEAAA"] is part[""] is RunState.SETTLING
    assert whole["DEBBB"] is RunState.SETTLED
    assert whole[""] is whole["DEAAA"] is RunState.SETTLING
    assert back["DEBBB"] is RunState.SETTLING


def test_partial_over_and_returned_money_are_facts_and_post_what_counts(
    four: RunWorld,
) -> None:
    four.close_with([("A", "B", 100_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    four.advance(run_id)
    (payment,) = run_payments.due_payments(four.env, run_id)
    key = payment.transfer.end_to_end_id

    said = [four.confirm(key, minor) for minor in (60_00, -10_00, 55_00)]
    after = four.confirm(key, -5_00)

    assert [(one.outcome, one.posted_minor) for one in said] == [
        (Outcome.PARTIAL, 60_00),
        (Outcome.RETURNED, -10_00),
        (Outcome.OVER, 50_00),
    ]
    assert (after.outcome, after.posted_minor) == (Outcome.AFTERWARDS, 0)
    assert four.balances() == {}
    assert four.states(run_id)[""] is RunState.SETTLED


def test_confirmation_that_comes_again_changes_nothing(four: RunWorld) -> None:
    four.close_with([("A", "B", 100_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    four.advance(run_id)
    key = f"R{run_id}-DEAAA-1"

    first = four.confirm(key, 40_00, "REF-1")
    again = four.confirm(key, 40_00, "REF-1")
    with pytest.raises(ClearingHouseError) as other:
        four.confirm(key, 41_00, "REF-1")
    with pytest.raises(ClearingHouseError) as unknown:
        four.confirm("R9-DEAAA-1", 41_00)
    with pytest.raises(ClearingHouseError) as nothing:
        four.confirm(key, 0)

    assert again == first
    assert four.balances() == {
        ("P:DEAAA:POS", "EUR"): -60_00,
        ("P:DEBBB:POS", "EUR"): 60_00,
    }
    assert other.value.code is codes.CONFIRMATION_CONFLICT
    assert unknown.value.code is codes.TRANSFER_UNKNOWN
    assert nothing.value.code is codes.SEMANTIC


def test_money_before_the_run_is_committed_is_kept_and_not_posted(
    four: RunWorld,
) -> None:
    four.close_with([("A", "B", 100_00)])
    run_id = four.propose(Model.BILATERAL).run_id
    before = four.balances()

    said = four.confirm(f"R{run_id}-DEAAA-1", 100_00)

    assert (said.outcome, said.posted_minor) == (Outcome.AFTERWARDS, 0)
    assert four.balances() == before


def test_pair_is_in_one_living_run_only_whatever_a_program_does(
    four: RunWorld,
) -> None:
    four.close_with([("A", "B", 100_00)])
    four.propose()
    four.close_with([("B", "A", 1_00)])
    other = four.propose()

    steal = text("""
        INSERT INTO clearing.run_pair
        SELECT :run_id, settlement_id, debtor_id, creditor_id, currency, amount_minor
        FROM clearing.run_pair WHERE run_id <> :run_id
    """)
    with (
        pytest.raises(IntegrityError, match="in another run"),
        four.env.database.begin() as tx,
    ):
        tx.execute(steal, {"run_id": other.run_id})


def test_database_refuses_accounts_that_do_not_sum_to_zero(four: RunWorld) -> None:
    four.close_with()
    run = four.propose()

    add = text("""
        INSERT INTO clearing.run_account VALUES (:run_id, 'DEXXX', 1, 0, 0, 1)
    """)
    with (
        pytest.raises(IntegrityError, match="not to zero"),
        four.env.database.begin() as tx,
    ):
        tx.execute(add, {"run_id": run.run_id})


def test_database_refuses_to_settle_a_run_whose_positions_are_open(
    four: RunWorld,
) -> None:
    four.close_with()
    run = four.propose()
    four.advance(run.run_id)

    skip = text("""
        INSERT INTO clearing.run_state
        SELECT :run_id, '', seq, before, after, 'skip', 'x', :at FROM (VALUES
            (5, 'COMMITTED', 'SETTLING'), (6, 'SETTLING', 'SETTLED')
        ) AS step (seq, before, after)
    """)
    with (
        pytest.raises(IntegrityError, match="left at its end"),
        four.env.database.begin() as tx,
    ):
        tx.execute(skip, {"run_id": run.run_id, "at": NOW})


def test_database_refuses_a_step_that_does_not_follow(four: RunWorld) -> None:
    four.close_with()
    run = four.propose()

    jump = text("""
        INSERT INTO clearing.run_state
        VALUES (:run_id, '', 2, 'RESERVED', 'COMMITTED', 'jump', 'x', :at)
    """)
    with (
        pytest.raises(IntegrityError, match="does not follow"),
        four.env.database.begin() as tx,
    ):
        tx.execute(jump, {"run_id": run.run_id, "at": NOW})


def test_two_operators_give_up_a_run_and_its_windows_join_the_next(
    four: RunWorld,
) -> None:
    four.close_with()
    run = four.propose()
    asked = run_undoing.ask_abort(four.env, four.anna, run.run_id, reason="a mistake")
    still = four.states(run.run_id)[""]

    four.approve(asked)
    again = four.propose(Model.BILATERAL)

    assert still is RunState.PENDING_SETTLEMENT
    assert set(four.states(run.run_id).values()) == {RunState.ABORTED}
    history = settlement_runs.show(four.env, run.run_id).history
    assert history[-1].reason == "a mistake"
    assert four.nets(again.run_id) == four.nets(run.run_id)


def test_recorded_run_is_not_given_up_even_when_it_was_asked_for_before(
    four: RunWorld,
) -> None:
    four.close_with()
    run = four.propose()
    asked = run_undoing.ask_abort(four.env, four.anna, run.run_id, reason="too late")
    four.advance(run.run_id, RunState.RECORDED)

    with pytest.raises(ClearingHouseError) as approved:
        four.approve(asked)
    with pytest.raises(ClearingHouseError) as again:
        run_undoing.ask_abort(four.env, four.anna, run.run_id, reason="too late")

    assert approved.value.code is again.value.code is codes.RUN_STATE
    assert four.states(run.run_id)[""] is RunState.RECORDED


def test_reversal_of_an_unpaid_run_frees_what_it_took(four: RunWorld) -> None:
    four.close_with()
    run = four.propose()
    four.advance(run.run_id)
    before = four.balances()

    asked = run_undoing.ask_reverse(four.env, four.ben, run.run_id, reason="wrong day")
    with pytest.raises(ClearingHouseError) as same:
        four.approve(asked)
    assert same.value.code is codes.APPROVAL_SAME
    asked = run_undoing.ask_reverse(four.env, four.anna, run.run_id, reason="wrong day")
    four.approve(asked)

    old = settlement_runs.show(four.env, run.run_id).run
    assert (old.state, old.reversed_by) == (RunState.ABORTED, run.run_id + 1)
    assert four.states(run.run_id + 1)[""] is RunState.SETTLED
    assert four.balances() == before
    again = four.propose()
    four.advance(again.run_id)
    assert four.pay(again.run_id).state is RunState.SETTLED
    assert four.balances() == {}


@pytest.mark.parametrize("payments", [1, 2, 3, 4])
@pytest.mark.parametrize("model", list(Model))
def test_reversal_of_a_paid_run_sends_the_money_back_first(
    four: RunWorld, model: Model, payments: int
) -> None:
    four.close_with()
    opened = four.balances()
    run_id = four.propose(model).run_id
    four.advance(run_id)
    for _ in range(payments):
        payment = run_payments.due_payments(four.env, run_id)[0]
        four.confirm(payment.transfer.end_to_end_id, payment.open_minor)

    asked = run_undoing.ask_reverse(four.env, four.anna, run_id, reason="a default")
    four.approve(asked)
    back = run_id + 1
    with pytest.raises(ClearingHouseError) as busy:
        four.propose(model)
    for step in (settlement_runs.reserve, settlement_runs.commit):
        step(four.env, four.anna, back)
    four.pay(back)

    assert busy.value.code is codes.RUN_NOTHING
    assert four.states(back)[""] is RunState.SETTLED
    assert run_payments.prove(four.env, back) == ()
    assert four.balances() == opened
    assert four.propose(model).gross_minor == 2761_53


def test_reversal_is_not_reversed_and_a_run_only_once(four: RunWorld) -> None:
    four.close_with()
    run_id = four.propose().run_id
    with pytest.raises(ClearingHouseError) as early:
        run_undoing.ask_reverse(four.env, four.anna, run_id, reason="early")
    four.advance(run_id)
    asked = run_undoing.ask_reverse(four.env, four.anna, run_id, reason="once")
    four.approve(asked)

    with pytest.raises(ClearingHouseError) as twice:
        run_undoing.ask_reverse(four.env, four.anna, run_id, reason="twice")
    with pytest.raises(ClearingHouseError) as itself:
        run_undoing.ask_reverse(four.env, four.anna, run_id + 1, reason="itself")

    for caught in (early, twice, itself):
        assert caught.value.code is codes.RUN_STATE


@pytest.mark.clause("4.3-I3")
def test_unwind_of_a_participant_needs_two_operators_and_keeps_the_old_run(
    four: RunWorld,
) -> None:
    four.close_with()
    run = four.propose()

    asked = run_undoing.ask_abort(
        four.env, four.anna, run.run_id, reason="C cannot pay", exclude=["de*ccc"]
    )
    done = four.approve(asked)

    assert done.outcome == "run 1 is aborted; run 2 instead"
    assert four.nets(2) == {"A": 700_01, "B": -677_77, "D": -22_24}
    old = settlement_runs.show(four.env, 1)
    assert old.run.state is RunState.ABORTED
    assert old.history[-1].reason == "C cannot pay"
    shown = settlement_runs.show(four.env, 2)
    assert shown.exclusions == {"DECCC": "C cannot pay"}
    four.advance(2)
    assert four.pay(2).state is RunState.SETTLED
    # What C owes and is owed waits for a later run.
    assert four.nets(four.propose().run_id) == {"A": -349_75, "B": 333_00, "C": 16_75}
