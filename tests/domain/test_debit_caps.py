"""Debts against a net debit cap: the invoices' VAT, and no debt beyond the cap."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import documents, settlement
from clearinghouse.domain.debit_caps import (
    LIMIT_MINOR_MAX,
    Charge,
    DebitCap,
    Debits,
    problems,
    supply_of,
)
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.settlement import PairTotal
from clearinghouse.domain.vat import VatCategory

CSP = 9
STANDARD = (VatCategory.STANDARD.value, 1900)

_charges = st.lists(
    st.builds(
        supply_of,
        window_id=st.just(1),
        submitter_id=st.integers(1, 3),
        vat=st.sampled_from([STANDARD, ("S", 700), ("AE", 0), ("O", 0)]),
        net_minor=st.integers(1, 10_000),
    ),
    max_size=40,
)


def _total(charge: Charge) -> PairTotal:
    return PairTotal(
        CSP,
        charge.submitter_id,
        "EUR",
        1,
        0,
        charge.net_minor,
        DocumentKind(charge.kind),
        VatCategory(charge.vat_category),
        charge.vat_rate_bp,
        0,
        "DE",
    )


@given(_charges)
def test_debts_are_what_the_invoices_of_the_window_will_say(
    charges: list[Charge],
) -> None:
    totals = [_total(charge) for charge in charges]
    drafts = documents.drafts_of(totals)
    pairs = settlement.pairs_of(totals, documents.vat_by_pair(drafts))

    debits = Debits(0, charges)

    assert debits.owed_minor == sum(pair.gross_minor for pair in pairs)


@given(_charges, st.integers(0, 100_000))
def test_debts_never_pass_the_cap_and_room_is_never_refused_that_is_there(
    charges: list[Charge], limit_minor: int
) -> None:
    debits = Debits(limit_minor)
    taken: list[Charge] = []
    for charge in charges:
        fits = Debits(0, [*taken, charge]).owed_minor <= limit_minor
        assert debits.has_room(charge) is fits
        if fits:
            debits.add(charge)
            taken.append(charge)

    assert debits.owed_minor == Debits(0, taken).owed_minor <= limit_minor


@given(_charges, st.randoms(use_true_random=False))
def test_order_of_debts_does_not_matter(charges: list[Charge], random: object) -> None:
    shuffled = list(charges)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random

    assert Debits(0, shuffled).owed_minor == Debits(0, charges).owed_minor


def test_vat_is_rounded_over_all_and_not_for_each() -> None:
    one = supply_of(1, 1, STANDARD, 481)
    debits = Debits(48_100 + 9_139, [one] * 99)

    assert debits.has_room(one)
    debits.add(one)
    assert debits.owed_minor == 48_100 + 9_139
    assert not debits.has_room(supply_of(1, 1, STANDARD, 1))


def test_what_one_submitter_gives_back_is_no_debt_less_to_another() -> None:
    debits = Debits(1_000, [supply_of(1, 1, ("O", 0), 900)])

    debits.add(supply_of(1, 2, ("O", 0), -500))

    assert debits.owed_minor == 900
    assert debits.has_room(supply_of(1, 2, ("O", 0), 600))
    assert not debits.has_room(supply_of(1, 2, ("O", 0), 601))


def test_there_is_no_room_where_nobody_could_count() -> None:
    assert not Debits(10**9, counted=False).has_room(supply_of(1, 1, ("O", 0), 1))


@pytest.mark.parametrize(
    ("currency", "limit_minor", "paths"),
    [
        ("EUR", 0, []),
        ("EUR", None, []),
        ("XYZ", -1, ["currency", "amount"]),
        ("EUR", LIMIT_MINOR_MAX + 1, ["amount"]),
    ],
)
def test_cap_that_makes_no_sense_is_refused(
    currency: str, limit_minor: int | None, paths: list[str]
) -> None:
    cap = DebitCap(
        party_id="DEABC",
        currency=currency,
        limit_minor=limit_minor,
        valid_from=datetime(2027, 1, 1, tzinfo=UTC),
    )

    assert [item.path for item in problems(cap)] == paths
