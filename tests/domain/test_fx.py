"""Conversion by reference rates, and who settles in which currency; V4."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import fx, run_postings
from clearinghouse.domain.fx import Choice, convert, settled_in
from clearinghouse.domain.ledger import balances
from clearinghouse.domain.run_postings import Conversion

RATES = {"SEK": 11_234_500, "JPY": 165_120_000, "KWD": 335_000}
ON = date(2026, 11, 22)


def test_v4_pair_total_is_converted_once() -> None:
    assert convert(1_234_56, "SEK", "EUR", RATES) == 109_89
    parts = [convert(minor, "SEK", "EUR", RATES) for minor in (100_00, 200_00, 934_56)]
    assert parts == [8_90, 17_80, 83_19]
    assert sum(parts) == 109_89


@pytest.mark.parametrize(
    ("minor", "left", "entered", "expected"),
    [
        (100, "EUR", "JPY", 165),
        (165, "JPY", "EUR", 1_00),
        (1_000, "KWD", "EUR", 2_99),
        (100_00, "SEK", "JPY", 1_470),
        (-100_00, "SEK", "JPY", -1_470),
        (5, "EUR", "EUR", 5),
    ],
)
def test_decimals_of_either_currency_count(
    minor: int, left: str, entered: str, expected: int
) -> None:
    assert convert(minor, left, entered, RATES) == expected


def test_currency_without_a_rate_is_not_converted() -> None:
    with pytest.raises(KeyError):
        convert(1, "USD", "EUR", RATES)


def _choice(party: str, other: str, to: str, number: int, day: int = 1) -> Choice:
    return Choice(
        party=party,
        other=other,
        from_currency="SEK",
        to_currency=to,
        valid_from=date(2026, 11, day),
        choice_id=number,
    )


def test_two_settle_in_another_currency_when_both_agreed_it() -> None:
    alone = [_choice("A", "", "EUR", 1), _choice("B", "", "EUR", 2)]
    other = [*alone, _choice("B", "", "NOK", 3, day=20)]
    own = [*other, _choice("A", "B", "EUR", 4)]
    ended = [*own, _choice("A", "B", "SEK", 5)]

    assert settled_in(alone[:1], ("A", "B"), "SEK", ON) == "SEK"
    assert settled_in(alone, ("B", "A"), "SEK", ON) == "EUR"
    assert settled_in(alone, ("B", "A"), "NOK", ON) == "NOK"
    assert settled_in(other, ("A", "B"), "SEK", ON) == "SEK"
    assert settled_in(other, ("A", "B"), "SEK", date(2026, 11, 19)) == "EUR"
    assert settled_in(own, ("B", "A"), "SEK", ON) == "EUR"
    assert settled_in(ended, ("A", "B"), "SEK", ON) == "SEK"


_conversions = st.lists(
    st.builds(
        lambda pair, minor: Conversion(
            pair[0], pair[1], "SEK", minor, convert(minor, "SEK", "EUR", RATES)
        ),
        st.permutations(["CHAAA", "DEBBB", "FRCCC"]).map(lambda one: one[:2]),
        st.integers(1, 10**9),
    ),
    max_size=12,
    unique_by=lambda one: (one.debtor, one.creditor),
)


@given(conversions=_conversions)
def test_each_currency_sums_to_zero_and_the_old_one_leaves_every_position(
    conversions: list[Conversion],
) -> None:
    whole = sum(one.from_minor for one in conversions)
    residue = convert(whole, "SEK", "EUR", RATES) - sum(
        one.to_minor for one in conversions
    )
    postings = [
        *run_postings.conversion_postings(3, "EUR", conversions),
        *run_postings.residue_postings(3, "EUR", {"SEK": residue}),
    ]

    found = balances(postings)

    for currency in ("SEK", "EUR"):
        assert sum(v for (_, one), v in found.items() if one == currency) == 0
    # What the windows left in the old currency, taken out: nothing stays.
    left = {key: minor for key, minor in found.items() if key[1] == "SEK"}
    owed: dict[str, int] = {}
    for one in conversions:
        owed[one.debtor] = owed.get(one.debtor, 0) + one.from_minor
        owed[one.creditor] = owed.get(one.creditor, 0) - one.from_minor
    assert left == {
        (run_postings.position_account(party), "SEK"): minor
        for party, minor in owed.items()
    } | ({("FX:SEK", "SEK"): 0} if conversions else {})
    assert abs(residue) <= (len(conversions) + 1) // 2 + 1
    assert found.get(("CH:FXDIFF", "EUR"), 0) == residue
    assert len({posting.posting_key for posting in postings}) == len(postings)


def test_rates_are_told_against_the_euro() -> None:
    assert convert(1_00, "EUR", "SEK", RATES) == 11_23
    assert fx.BASE == "EUR"
