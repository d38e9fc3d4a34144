"""The ledger: balanced by construction, and every imbalance found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.ledger import (
    Account,
    Posting,
    PostingCode,
    account_name,
    balances,
    posting_key,
    postings_of,
    violations,
)
from clearinghouse.domain.settlement import PairTotal, Settlement, settle

PARTIES = {number: f"DE{number:03d}" for number in range(1, 10)}


def worked() -> Settlement:
    (settlement,) = settle(
        [
            PairTotal(1, 2, "EUR", 3, 9_000, 1_000),
            PairTotal(2, 1, "EUR", 1, 3_000, 400),
            PairTotal(3, 1, "EUR", 1, 1_000, 0),
        ]
    )
    return settlement


def posted() -> tuple[Posting, ...]:
    return postings_of(12, worked(), PARTIES)


def test_pair_total_is_accepted_and_closed_into_positions() -> None:
    keys = [posting.posting_key for posting in posted()]

    assert keys == [
        "W12:EUR-DE001-DE002:ACCEPT",
        "W12:EUR-DE001-DE002:CLOSE-RECV",
        "W12:EUR-DE001-DE002:CLOSE-PAY",
        "W12:EUR-DE002-DE001:ACCEPT",
        "W12:EUR-DE002-DE001:CLOSE-RECV",
        "W12:EUR-DE002-DE001:CLOSE-PAY",
    ]


def test_only_positions_are_left() -> None:
    left = {key: amount for key, amount in balances(posted()).items() if amount}

    assert left == {
        (account_name("DE001", Account.POS), "EUR"): -600,
        (account_name("DE002", Account.POS), "EUR"): 600,
    }
    assert violations(posted(), worked(), PARTIES) == ()


def test_closing_again_gives_the_same_keys() -> None:
    assert posted() == posted()
    assert posting_key(12, "EUR-DE001-DE002", PostingCode.ACCEPT) == (
        posted()[0].posting_key
    )


@pytest.mark.parametrize(
    "tampered",
    [
        posted()[1:],
        (*posted(), posted()[0]),
        (replace(posted()[0], amount_minor=1_001), *posted()[1:]),
        (replace(posted()[0], amount_minor=-1_000), *posted()[1:]),
        (replace(posted()[0], debit_account="P:DE009:PAY"), *posted()[1:]),
        (replace(posted()[0], currency="CHF"), *posted()[1:]),
    ],
)
def test_every_imbalance_is_found(tampered: tuple[Posting, ...]) -> None:
    assert violations(tampered, worked(), PARTIES)


def test_unknown_participant_stops_the_posting() -> None:
    with pytest.raises(KeyError):
        postings_of(12, worked(), {1: "DE001"})


@given(
    st.lists(
        st.builds(
            PairTotal,
            debtor_id=st.integers(1, 4),
            creditor_id=st.integers(5, 9),
            currency=st.sampled_from(["EUR", "JPY"]),
            sdr_count=st.integers(1, 9),
            energy_wh=st.integers(0, 9),
            net_minor=st.integers(-(10**9), 10**9),
        ),
        max_size=20,
    )
)
def test_postings_of_any_settlement_balance(totals: list[PairTotal]) -> None:
    for settlement in settle(totals):
        postings = postings_of(1, settlement, PARTIES)

        assert violations(postings, settlement, PARTIES) == ()
        assert sum(balances(postings).values()) == 0
