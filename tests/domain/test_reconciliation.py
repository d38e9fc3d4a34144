"""Reconciliation: each payment against the bank, each figure against another way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.reconciliation import (
    BankEntry,
    Difference,
    Expected,
    Match,
    Outcome,
    differences,
    is_clean,
    match_payments,
)

AT = datetime(2026, 12, 2, tzinfo=UTC)
PAYMENT = Expected("R1-DEABC-1", "EUR", 1_000)


def entry(
    amount_minor: int = 1_000,
    end_to_end_id: str = "R1-DEABC-1",
    *,
    currency: str = "EUR",
    is_return: bool = False,
) -> BankEntry:
    """Make an entry of the bank."""
    return BankEntry(
        "B-1", end_to_end_id, currency, amount_minor, not is_return, is_return, AT
    )


@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize(
    ("entries", "outcome", "found_minor"),
    [
        ([entry()], Outcome.EXACT, 1_000),
        ([entry(400), entry(600)], Outcome.EXACT, 1_000),
        ([entry(999)], Outcome.PARTIAL, 999),
        ([entry(1_001)], Outcome.OVER, 1_001),
        ([], Outcome.MISSING, 0),
        ([entry(), entry(is_return=True)], Outcome.RETURNED, 0),
        ([entry(), entry(400, is_return=True)], Outcome.PARTIAL, 600),
        ([entry(), entry(is_return=True), entry()], Outcome.EXACT, 1_000),
    ],
)
def test_bank_says_of_a_payment(
    entries: list[BankEntry], outcome: Outcome, found_minor: int
) -> None:
    (match,) = match_payments([PAYMENT], entries)

    assert match == Match("R1-DEABC-1", "EUR", outcome, 1_000, found_minor)
    assert is_clean([match]) == (outcome is Outcome.EXACT)


@pytest.mark.parametrize("stranger", [entry(end_to_end_id=""), entry(currency="SEK")])
def test_entry_that_is_no_payment_of_ours_is_unknown(stranger: BankEntry) -> None:
    found = match_payments([PAYMENT], [stranger])

    assert [match.outcome for match in found] == [Outcome.MISSING, Outcome.UNKNOWN]
    assert found[1].found_minor == 1_000


entries = st.lists(
    st.builds(
        entry,
        st.integers(1, 2_000),
        st.sampled_from(["R1-DEABC-1", "R1-FRXYZ-2", "other", ""]),
        currency=st.sampled_from(["EUR", "SEK"]),
        is_return=st.booleans(),
    ),
    max_size=20,
)


@given(entries=entries, order=st.randoms(use_true_random=False))
def test_every_movement_is_told_once_whatever_the_order(
    entries: list[BankEntry], order: object
) -> None:
    payments = [PAYMENT, Expected("R1-FRXYZ-2", "EUR", 50)]
    shuffled = list(entries)
    order.shuffle(shuffled)  # type: ignore[attr-defined] # a random of hypothesis

    found = match_payments(payments, entries)

    assert match_payments(payments, shuffled) == found
    assert sum(match.found_minor for match in found) == sum(
        one.signed_minor for one in entries
    )
    assert len({match[:2] for match in found}) == len(found)
    for match in found[:2]:
        if match.outcome is Outcome.EXACT:
            assert match.found_minor == match.expected_minor


@given(st.dictionaries(st.integers(), st.integers()), st.integers(), st.integers(1))
def test_one_cent_of_difference_is_found(
    left: dict[int, int], key: int, by: int
) -> None:
    right = {**left, key: left.get(key, 0) + by}

    assert differences("c", left, left) == ()
    assert differences("c", left, right) == (
        Difference("c", str(key), left.get(key, 0), right[key]),
    )
