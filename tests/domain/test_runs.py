"""Settlement runs: nets, payments and what the bank says, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import runs
from clearinghouse.domain.runs import (
    HUB,
    Debt,
    DebtKind,
    FeeMode,
    Model,
    Outcome,
    RunState,
    TransferKind,
)

PAIRS = DebtKind.PAIRS

#: Who owes whom how much: the worked matrix of cases N1, N2, N3 and N5.
MATRIX = [
    Debt("B", "A", PAIRS, 1000_00),
    Debt("A", "B", PAIRS, 400_00),
    Debt("C", "A", PAIRS, 250_50),
    Debt("A", "C", PAIRS, 600_25),
    Debt("C", "B", PAIRS, 333_00),
    Debt("D", "A", PAIRS, 100_01),
    Debt("B", "D", PAIRS, 77_77),
]

FEES = [
    Debt("A", HUB, DebtKind.FEE, 11_90),
    Debt("B", HUB, DebtKind.FEE, 23_80),
    Debt("C", HUB, DebtKind.FEE, 5_95),
    Debt("D", HUB, DebtKind.FEE, 1_19),
]

_party = st.sampled_from(["CHAAA", "DEBBB", "FRCCC", "ITDDD", "SEEEE"])
_debts = st.lists(
    st.builds(
        Debt,
        _party,
        _party,
        st.sampled_from([DebtKind.PAIRS, DebtKind.CONVERTED]),
        st.integers(-(10**9), 10**9),
    ).filter(lambda debt: debt.debtor != debt.creditor),
    max_size=30,
)
_fees = st.lists(
    st.builds(Debt, _party, st.just(HUB), st.just(DebtKind.FEE), st.integers(0, 10**6)),
    max_size=5,
)
_model = st.sampled_from(list(Model))
_mode = st.sampled_from([FeeMode.NETTED, FeeMode.APART])


def _nets(plan: runs.Plan) -> dict[str, int]:
    return {account.owner: account.net_minor for account in plan.accounts}


def test_multilateral_run_moves_each_position_once_through_the_hub() -> None:
    plan = runs.plan(7, MATRIX, model=Model.MULTILATERAL)

    assert _nets(plan) == {"A": 350_26, "B": -344_77, "C": 16_75, "D": -22_24}
    assert plan.moved_minor == 367_01
    assert [tuple(one) for one in plan.transfers] == [
        ("R7-B-1", TransferKind.COLLECT, "B", HUB, 344_77),
        ("R7-D-2", TransferKind.COLLECT, "D", HUB, 22_24),
        ("R7-A-3", TransferKind.PAY_OUT, HUB, "A", 350_26),
        ("R7-C-4", TransferKind.PAY_OUT, HUB, "C", 16_75),
    ]


def test_bilateral_run_moves_what_is_left_between_two() -> None:
    plan = runs.plan(7, MATRIX, model=Model.BILATERAL)

    assert [(one.payer, one.payee, one.amount_minor) for one in plan.transfers] == [
        ("A", "C", 349_75),
        ("B", "A", 600_00),
        ("B", "D", 77_77),
        ("C", "B", 333_00),
        ("D", "A", 100_01),
    ]
    assert plan.moved_minor == 1460_53


def test_netted_fees_enter_the_positions_and_the_hub_is_a_participant() -> None:
    plan = runs.plan(1, [*MATRIX, *FEES], model=Model.MULTILATERAL, fees=FeeMode.NETTED)

    assert _nets(plan) == {
        "A": 338_36,
        "B": -368_57,
        "C": 10_80,
        "D": -23_43,
        HUB: 42_84,
    }
    assert plan.moved_minor == 392_00
    collected = [t for t in plan.transfers if t.kind is TransferKind.COLLECT]
    assert sum(transfer.amount_minor for transfer in collected) == 392_00


@pytest.mark.parametrize("model", list(Model))
def test_fees_apart_are_payments_of_their_own(model: Model) -> None:
    plan = runs.plan(1, [*MATRIX, *FEES], model=model, fees=FeeMode.APART)
    bare = runs.plan(1, MATRIX, model=model)

    assert runs.violations(plan) == ()
    assert plan.transfers[: len(bare.transfers)] == bare.transfers
    assert [t[1:] for t in plan.transfers[len(bare.transfers) :]] == [
        (TransferKind.DIRECT, fee.debtor, HUB, fee.amount_minor) for fee in FEES
    ]


@given(debts=_debts, fees=_fees, model=_model, mode=_mode, data=st.data())
def test_any_plan_sums_to_zero_and_does_not_depend_on_the_order(
    debts: list[Debt],
    fees: list[Debt],
    model: Model,
    mode: FeeMode,
    data: st.DataObject,
) -> None:
    everything = [*debts, *fees]
    if model is Model.BILATERAL:
        mode = FeeMode.APART
    plan = runs.plan(12, everything, model=model, fees=mode)
    shuffled = data.draw(st.permutations(everything))

    assert runs.violations(plan) == ()
    assert sum(_nets(plan).values()) == 0
    assert runs.plan(12, shuffled, model=model, fees=mode) == plan


@given(debts=_debts, model=_model, share=st.integers(0, 100))
def test_reversal_sends_back_what_was_paid_and_nothing_else(
    debts: list[Debt], model: Model, share: int
) -> None:
    plan = runs.plan(1, debts, model=model)
    paid = [(one, one.amount_minor * share // 100) for one in plan.transfers]

    back = runs.plan_reversal(2, paid)

    assert runs.violations(back) == ()
    moved = {(t.payer, t.payee): minor for t, minor in paid if minor}
    assert {(t.payee, t.payer): t.amount_minor for t in back.transfers} == moved


def test_violations_name_an_account_that_is_not_what_its_debts_say() -> None:
    plan = runs.plan(1, MATRIX, model=Model.MULTILATERAL)
    wrong = [
        account._replace(net_minor=account.net_minor + 1)
        if account.owner == "A"
        else account
        for account in plan.accounts
    ]

    broken = runs.violations(
        runs.Plan(debts=plan.debts, accounts=tuple(wrong), transfers=plan.transfers)
    )

    assert "the accounts do not sum to zero" in broken
    assert "the account of A holds 35027, its debts say 35026" in broken


@pytest.mark.parametrize("place", range(4))
def test_violations_name_a_payment_that_is_one_cent_off(place: int) -> None:
    plan = runs.plan(1, MATRIX, model=Model.MULTILATERAL)
    wrong = list(plan.transfers)
    wrong[place] = wrong[place]._replace(amount_minor=wrong[place].amount_minor + 1)

    broken = runs.violations(
        runs.Plan(debts=plan.debts, accounts=plan.accounts, transfers=tuple(wrong))
    )

    assert any("payments leave" in one for one in broken)


@pytest.mark.parametrize(
    ("amount_minor", "outcome", "posted_minor"),
    [
        (70, Outcome.EXACT, 70),
        (69, Outcome.PARTIAL, 69),
        (71, Outcome.OVER, 70),
        (-30, Outcome.RETURNED, -30),
        (-31, Outcome.RETURNED, -30),
    ],
)
def test_confirmation_is_judged_against_what_is_open(
    amount_minor: int, outcome: Outcome, posted_minor: int
) -> None:
    applied = runs.apply(RunState.SETTLING, 70, 30, amount_minor)

    assert applied == (outcome, posted_minor)


@pytest.mark.parametrize(
    "state", [s for s in RunState if s not in runs.PAYABLE], ids=str
)
def test_money_that_a_run_does_not_expect_is_posted_nowhere(state: RunState) -> None:
    assert runs.apply(state, 70, 0, 70) == (Outcome.AFTERWARDS, 0)


def test_steps_go_one_way_and_an_aborted_run_stays_aborted() -> None:
    forward = [
        RunState.PENDING_SETTLEMENT,
        RunState.RECORDED,
        RunState.RESERVED,
        RunState.COMMITTED,
        RunState.SETTLING,
        RunState.SETTLED,
    ]
    for place, state in enumerate(forward):
        allowed = {one for one in RunState if runs.may_follow(state, one)}
        expected = set(forward[place + 1 : place + 2])
        if state is RunState.SETTLED:
            expected = {RunState.SETTLING}  # an account whose payment came back
        else:
            expected.add(RunState.ABORTED)
        assert allowed == expected
    assert not any(runs.may_follow(RunState.ABORTED, one) for one in RunState)


def test_end_to_end_ids_fit_into_a_payment() -> None:
    plan = runs.plan(
        2_147_483_647,
        [Debt("DEABC", f"FR{n:03d}", PAIRS, 1) for n in range(400)],
        model=Model.BILATERAL,
    )

    assert max(len(t.end_to_end_id) for t in plan.transfers) <= runs.END_TO_END_MAX
