"""Documents of a window: one per pair and kind, VAT once, gross the sum of all."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.documents import Draft, drafts_of, vat_by_pair, violations
from clearinghouse.domain.ledger import postings_of
from clearinghouse.domain.ledger import violations as ledger_violations
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.settlement import (
    PairTotal,
    pairs_of,
    settle,
    totals_digest,
)
from clearinghouse.domain.settlement import violations as netting_violations
from clearinghouse.domain.vat import VatCategory, vat_of

A, B = 1, 2
S, AE, OUT = VatCategory.STANDARD, VatCategory.REVERSE_CHARGE, VatCategory.OUTSIDE
CREDIT = DocumentKind.CREDIT_NOTE


def owes(net_minor: int, rate_bp: int = 1900, **override: Any) -> PairTotal:  # noqa: ANN401
    values: dict[str, Any] = {
        "debtor_id": A,
        "creditor_id": B,
        "currency": "EUR",
        "sdr_count": 1,
        "energy_wh": 1_000,
        "net_minor": net_minor,
        "vat_category": S if rate_bp else AE,
        "vat_rate_bp": rate_bp,
        "vat_rule_id": 7,
        "place": "DE",
    } | override
    return PairTotal(**values)


def drafts(*totals: PairTotal) -> tuple[Draft, ...]:
    return drafts_of(totals)


def test_v1_vat_is_rounded_once_per_document() -> None:
    places = ("DE", "AT", "FR", "NL", "BE")
    lines = (13, 13, 13, 1_07, 1_07)

    (draft,) = drafts(
        *(owes(line, place=at) for line, at in zip(lines, places, strict=True))
    )

    assert (draft.net_minor, draft.vat_minor, draft.gross_minor) == (2_53, 48, 3_01)
    assert violations(draft) == ()
    # line by line it would be less
    assert sum(vat_of(line, 1900) for line in lines) == 46


def test_v2_each_rate_of_a_document_is_rounded_apart() -> None:
    (draft,) = drafts(owes(1000_05), owes(500_03, 2100, place="NL"))

    assert [(one.rate_bp, one.vat_minor) for one in draft.vat] == [
        (1900, 190_01),
        (2100, 105_01),
    ]
    assert draft.gross_minor == 1795_10


def test_v2_reverse_charge_has_no_vat_and_its_rule() -> None:
    (draft,) = drafts(owes(1000_05, 0), owes(5, 0, vat_rule_id=3, place="NL"))

    assert (draft.vat_minor, draft.gross_minor) == (0, 1000_10)
    (total,) = draft.vat
    assert (total.category, total.rule_id) == (AE, 3)


def test_credits_of_earlier_windows_are_a_credit_note_with_positive_amounts() -> None:
    invoice, note = drafts(owes(100_00), owes(-10_00, kind=CREDIT))

    assert (invoice.kind, invoice.gross_minor) == (DocumentKind.INVOICE, 119_00)
    assert (note.kind, note.net_minor, note.vat_minor) == (CREDIT, 10_00, 1_90)
    assert vat_by_pair([invoice, note]) == {("EUR", A, B): 17_10}


def test_what_is_outside_of_vat_stands_alone() -> None:
    outside = owes(5_00, 0, vat_category=OUT, vat_rule_id=0)

    taxed, untaxed = drafts(owes(1_00), outside)

    assert [one.category for one in taxed.vat] == [S]
    assert [one.category for one in untaxed.vat] == [OUT]


def test_charge_that_was_credited_in_its_window_makes_no_document() -> None:
    assert drafts(owes(0, sdr_count=2)) == ()
    assert drafts() == ()


def test_charges_below_nothing_go_to_the_credit_note() -> None:
    invoice, note = drafts(
        owes(100_00), owes(-20_00, 2100), owes(-5, 2100, kind=CREDIT)
    )

    assert [total.rate_bp for total in invoice.vat] == [1900]
    assert (note.kind, note.net_minor) == (CREDIT, 20_05)


def test_documents_have_a_fixed_order_and_do_not_mix_pairs_or_currencies() -> None:
    totals = [
        owes(1, debtor_id=B, creditor_id=A),
        owes(2),
        owes(3, currency="CHF"),
        owes(-1, kind=CREDIT),
    ]

    order = [(one.currency, one.seller_id, one.kind) for one in drafts(*totals)]

    assert order == [
        ("CHF", B, DocumentKind.INVOICE),
        ("EUR", A, DocumentKind.INVOICE),
        ("EUR", B, DocumentKind.INVOICE),
        ("EUR", B, CREDIT),
    ]
    assert drafts(*reversed(totals)) == drafts(*totals)


@pytest.mark.parametrize("field", ["base_minor", "vat_minor"])
def test_a_cent_more_on_a_document_is_found(field: str) -> None:
    (draft,) = drafts(owes(100_00))
    (total,) = draft.vat

    wrong = total._replace(**{field: getattr(total, field) + 1})

    assert violations(replace(draft, vat=(wrong,)))


def test_digest_of_untaxed_totals_is_what_it_was_before_there_was_vat() -> None:
    before = PairTotal(A, B, "EUR", 1, 1_000, 100)

    assert totals_digest([before]) == sha256(b"EUR;1;2;1;1000;100").digest()
    assert totals_digest([before]) != totals_digest([owes(100)])
    assert totals_digest([owes(100)]) != totals_digest([owes(100, 2100)])
    assert totals_digest([owes(100)]) != totals_digest([owes(100, place="NL")])


rates = st.sampled_from([(S, 1900), (S, 2100), (S, 810), (AE, 0), (OUT, 0)])
people = st.integers(1, 4)


@st.composite
def totals_of_a_window(draw: st.DrawFn) -> list[PairTotal]:
    totals = []
    for _ in range(draw(st.integers(0, 12))):
        debtor, creditor = draw(
            st.tuples(people, people).filter(lambda pair: pair[0] != pair[1])
        )
        category, rate_bp = draw(rates)
        kind = draw(st.sampled_from(DocumentKind))
        amount = draw(st.integers(0, 10**7))
        totals.append(
            owes(
                -amount if kind is CREDIT else amount,
                rate_bp,
                debtor_id=debtor,
                creditor_id=creditor,
                vat_category=category,
                kind=kind,
                place=draw(st.sampled_from(["DE", "NL"])),
            )
        )
    return totals


@given(totals_of_a_window())
def test_documents_pairs_positions_and_ledger_are_one_sum(
    totals: list[PairTotal],
) -> None:
    made = drafts_of(totals)
    vat = vat_by_pair(made)

    gross: dict[tuple[int, int], int] = {}
    for draft in made:
        assert violations(draft) == ()
        key = (draft.buyer_id, draft.seller_id)
        gross[key] = gross.get(key, 0) + draft.kind.sign * draft.gross_minor
    for pair in pairs_of(totals, vat):
        assert pair.gross_minor == gross.pop((pair.debtor_id, pair.creditor_id), 0)
    assert not any(gross.values())
    names = {number: f"DEAA{number}" for number in range(1, 5)}
    for settled in settle(totals, vat):
        assert netting_violations(settled) == ()
        assert sum(one.net_minor for one in settled.positions) == 0
        postings = postings_of(1, settled, names)
        assert ledger_violations(postings, settled, names) == ()
