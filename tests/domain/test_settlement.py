"""Settlement: the worked matrix, netting that conserves, claim against proof."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.settlement import (
    Balance,
    Difference,
    Pair,
    PairTotal,
    Settlement,
    WindowState,
    compare,
    gross_pairs,
    may_follow,
    merge,
    pairs_of,
    settle,
    totals_digest,
    violations,
)

A, B, C, D = 1, 2, 3, 4


def owes(debtor: int, creditor: int, minor: int, currency: str = "EUR") -> PairTotal:
    return PairTotal(debtor, creditor, currency, 1, 1000, minor)


#: The worked matrix: debtor, creditor, cents.
MATRIX = [
    owes(B, A, 100_000),
    owes(A, B, 40_000),
    owes(C, A, 25_050),
    owes(A, C, 60_025),
    owes(C, B, 33_300),
    owes(D, A, 10_001),
    owes(B, D, 7_777),
]


def worked() -> Settlement:
    (settlement,) = settle(MATRIX)
    return settlement


def net_of(settlement: Settlement) -> dict[int, int]:
    return {one.participant_id: one.net_minor for one in settlement.positions}


def test_n1_gross_and_bilateral_sums() -> None:
    settlement = worked()

    assert settlement.gross_minor == 276_153
    assert settlement.bilateral_minor == 146_053
    assert set(settlement.bilateral) == {
        Balance(B, A, 60_000),
        Balance(A, C, 34_975),
        Balance(C, B, 33_300),
        Balance(D, A, 10_001),
        Balance(B, D, 7_777),
    }


@pytest.mark.clause("4.2-central")
def test_n2_multilateral_positions_sum_to_zero() -> None:
    settlement = worked()

    assert net_of(settlement) == {A: 35_026, B: -34_477, C: 1_675, D: -2_224}
    assert settlement.multilateral_minor == 36_701
    assert violations(settlement) == ()


def test_n6_empty_window_settles_to_nothing() -> None:
    assert settle([]) == ()
    assert settle([PairTotal(A, B, "EUR", 0, 0, 0)]) == ()
    assert compare([], []) == ()


def test_currencies_are_settled_apart() -> None:
    settlements = settle([owes(A, B, 100), owes(A, B, 7, "CHF"), owes(B, A, 1, "SEK")])

    assert [one.currency for one in settlements] == ["CHF", "EUR", "SEK"]
    assert [one.gross_minor for one in settlements] == [7, 100, 1]


def test_negative_pair_total_flips_its_direction() -> None:
    pairs = gross_pairs(pairs_of([owes(A, B, -500), owes(B, A, 200)]))

    assert [(pair.debtor_id, pair.creditor_id, pair.net_minor) for pair in pairs] == [
        (B, A, 700)
    ]
    assert pairs[0].sdr_count == 2


def test_claim_and_proof_that_agree_show_no_difference() -> None:
    split = [owes(A, B, 60), owes(A, B, 40), PairTotal(B, C, "EUR", 0, 0, 0)]

    assert compare(split, [PairTotal(A, B, "EUR", 2, 2000, 100)]) == ()


@pytest.mark.parametrize(
    "proof",
    [
        [],
        [owes(A, B, 101)],
        [PairTotal(A, B, "EUR", 2, 1000, 100)],
        [PairTotal(A, B, "EUR", 1, 1001, 100)],
        [owes(B, A, 100)],
        [owes(A, B, 100, "CHF")],
        [owes(A, B, 100), owes(A, C, 1)],
    ],
)
def test_one_cent_record_or_watt_hour_more_is_a_difference(
    proof: list[PairTotal],
) -> None:
    differences = compare([owes(A, B, 100)], proof)

    assert differences
    assert all(isinstance(one, Difference) for one in differences)
    assert totals_digest(proof) != totals_digest([owes(A, B, 100)])


@pytest.mark.parametrize(
    "tampered",
    [
        replace(worked(), gross_minor=276_154),
        replace(worked(), multilateral_minor=36_702),
        replace(worked(), bilateral=worked().bilateral[1:]),
        replace(worked(), positions=worked().positions[1:]),
        replace(worked(), pairs=(Pair(A, B, "EUR", 1, 1, -1), *worked().pairs)),
        replace(worked(), vat_minor=1),
    ],
)
def test_tampered_settlement_is_found(tampered: Settlement) -> None:
    assert violations(tampered)


def test_n4_one_cent_on_a_position_is_found_with_its_participant() -> None:
    first, *others = worked().positions
    changed = first._replace(net_minor=first.net_minor + 1)

    broken = violations(replace(worked(), positions=(changed, *others)))

    assert "positions do not sum to zero" in broken
    assert (
        f"position of {first.participant_id} is not the sum of its balances" in broken
    )


@pytest.mark.parametrize(
    ("current", "target", "allowed"),
    [
        (WindowState.OPEN, WindowState.CUTOVER, True),
        (WindowState.CUTOVER, WindowState.CLOSED, True),
        (WindowState.CUTOVER, WindowState.FAILED, True),
        (WindowState.FAILED, WindowState.CUTOVER, True),
        (WindowState.FAILED, WindowState.FAILED, True),
        (WindowState.CLOSED, WindowState.FAILED, False),
        (WindowState.FAILED, WindowState.CLOSED, False),
        (WindowState.OPEN, WindowState.CLOSED, False),
        (WindowState.CLOSED, WindowState.OPEN, False),
        (WindowState.CLOSED, WindowState.CUTOVER, False),
    ],
)
def test_closed_window_is_never_reopened(
    current: WindowState, target: WindowState, *, allowed: bool
) -> None:
    assert may_follow(current, target) is allowed


TOTALS = st.lists(
    st.builds(
        PairTotal,
        debtor_id=st.integers(1, 6),
        creditor_id=st.integers(7, 9) | st.integers(1, 6),
        currency=st.sampled_from(["EUR", "CHF"]),
        sdr_count=st.integers(1, 1000),
        energy_wh=st.integers(0, 10**9),
        net_minor=st.integers(-(10**12), 10**12),
    ).filter(lambda total: total.debtor_id != total.creditor_id),
    max_size=40,
)


@given(totals=TOTALS)
def test_netting_conserves_and_sums_to_zero(totals: list[PairTotal]) -> None:
    for settlement in settle(totals):
        mine = [one for one in totals if one.currency == settlement.currency]
        expected: dict[int, int] = {}
        for one in mine:
            gets = expected.get(one.creditor_id, 0) + one.net_minor
            expected[one.creditor_id] = gets
            expected[one.debtor_id] = expected.get(one.debtor_id, 0) - one.net_minor

        assert violations(settlement) == ()
        found = net_of(settlement)
        assert {k: v for k, v in found.items() if v} == {
            k: v for k, v in expected.items() if v
        }
        assert sum(found.values()) == 0
        assert settlement.sdr_count == sum(one.sdr_count for one in mine)
        assert settlement.energy_wh == sum(one.energy_wh for one in mine)
        assert (
            settlement.multilateral_minor
            <= settlement.bilateral_minor
            <= settlement.gross_minor
        )


@given(totals=TOTALS, data=st.data())
def test_order_of_totals_does_not_matter(
    totals: list[PairTotal], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(totals))

    assert settle(shuffled) == settle(totals)
    assert totals_digest(shuffled) == totals_digest(totals)
    assert compare(shuffled, totals) == ()
    assert merge(merge(totals)) == merge(totals)
