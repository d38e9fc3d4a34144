"""Invoices and credit notes: the official schemas and rules find nothing wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from clearinghouse.domain.documents import Reason
from clearinghouse.domain.invoices import missing, violations
from clearinghouse.domain.vat import VatCategory, vat_of
from clearinghouse.reports import invoice_cii, invoice_ubl
from clearinghouse.reports.invoice_texts import UnfitDocumentError
from tests.reports.invoice_values import (
    BUYER,
    SELLER,
    make_credit_note,
    make_invoice,
    make_line,
    make_party,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.documents import Document, DocumentLine
    from tests.fixtures.en16931 import Rules

    Render = Callable[[Document], bytes]

RENDERS = (invoice_ubl.render, invoice_cii.render)
AE = VatCategory.REVERSE_CHARGE
FREE = tuple(VatCategory(code) for code in ("AE", "Z", "E", "O", "K", "G"))

CASES = {
    "domestic": make_invoice(),
    "two rates": make_invoice(
        make_line(100_005, 1900), make_line(50_003, 2100, energy_wh=0)
    ),
    "rounding at the edge": make_invoice(make_line(253, 1900, sdr_count=5)),
    "a hundred lines": make_invoice(make_line(48_100, 1900, sdr_count=100)),
    "nothing to pay": make_invoice(make_line(0, 1900, energy_wh=0, sdr_count=0)),
    "large": make_invoice(make_line(10**14 + 1, 1900, energy_wh=10**15 + 1)),
    "credit note": make_credit_note(make_line(1148), make_line(70, 700)),
    "credit note of reverse charge": make_credit_note(make_line(1148, 0, AE)),
    "reverse charge beside standard": make_invoice(
        make_line(500), make_line(1148, 0, AE)
    ),
    "a currency without decimals": make_invoice(make_line(1161, 1000), currency="JPY"),
    "buyer without a VAT id": make_invoice(
        buyer=make_party(replace(BUYER, vat_id=None))
    ),
    "seller with a tax number only": make_invoice(
        seller=make_party(replace(SELLER, vat_id=None))
    ),
    "reason as text only": make_invoice(
        make_line(1148, 0, AE), reasons=(Reason(code="", text="Reverse charge"),)
    ),
    "reason as code only": make_invoice(
        make_line(1148, 0, AE), reasons=(Reason(code="VATEX-EU-AE", text=""),)
    ),
    "a line that takes back": make_invoice(
        make_line(5000), make_line(-1148, place="NL", energy_wh=-23_000)
    ),
    "two places at one rate": make_invoice(make_line(13), make_line(107, place="AT")),
} | {f"category {c.value}": make_invoice(make_line(1148, 0, c)) for c in FREE}


def swapped(document: bytes, old: str, new: str, *, times: int | None = None) -> bytes:
    """Replace a text in a document that must stand there."""
    assert old in document.decode(), document.decode()
    return document.decode().replace(old, new, -1 if times is None else times).encode()


def amounts(document: bytes, *names: str) -> list[str | None]:
    """Return the texts of the first elements with these names."""
    tree = etree.fromstring(document)
    return [next(tree.iter(f"{{*}}{name}")).text for name in names]


@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("render", RENDERS)
def test_official_rules_find_nothing(en16931: Rules, name: str, render: Render) -> None:
    assert en16931.findings(render(CASES[name])) == []


@pytest.mark.parametrize("render", RENDERS)
@pytest.mark.parametrize("name", ["domestic", "credit note"])
def test_same_invoice_gives_the_same_bytes(name: str, render: Render) -> None:
    assert render(CASES[name]) == render(CASES[name])


def test_vat_of_two_rates_is_rounded_for_each_rate() -> None:
    document = invoice_ubl.render(CASES["two rates"])

    found = amounts(document, "TaxAmount", "LineExtensionAmount", "PayableAmount")

    assert found == ["295.02", "1500.08", "1795.10"]
    assert b"190.01" in document
    assert b"105.01" in document


def test_vat_is_rounded_once_and_not_for_each_record() -> None:
    five = amounts(invoice_cii.render(CASES["rounding at the edge"]), "TaxTotalAmount")
    hundred = amounts(invoice_cii.render(CASES["a hundred lines"]), "TaxTotalAmount")

    assert (five, hundred) == (["0.48"], ["91.39"])


def test_reverse_charge_has_no_vat_and_says_why() -> None:
    document = invoice_ubl.render(CASES["category AE"])

    names = ("TaxAmount", "PayableAmount", "TaxExemptionReasonCode")
    assert amounts(document, *names) == ["0.00", "11.48", "VATEX-EU-AE"]


def test_credit_note_names_the_invoices_that_it_corrects() -> None:
    for render in RENDERS:
        document = render(CASES["credit note"])
        assert b"IN-DEABC-2026-000001<" in document
        assert b"IN-DEABC-2026-000004<" in document
        assert b">381<" in document


def test_quantity_times_price_is_the_line_exactly() -> None:
    document = invoice_ubl.render(CASES["large"])

    billed, base = amounts(document, "InvoicedQuantity", "BaseQuantity")
    net, price = amounts(document, "LineExtensionAmount", "PriceAmount")

    assert billed == base == "1000000000000.001"
    assert net == price == "1000000000000.01"


@pytest.mark.parametrize("render", RENDERS)
def test_rules_find_a_sum_that_is_one_cent_off(en16931: Rules, render: Render) -> None:
    document = swapped(render(CASES["two rates"]), "1795.10", "1795.11")

    assert any("BR-CO-15" in found for found in en16931.findings(document))


@pytest.mark.parametrize("render", RENDERS)
def test_rules_find_a_vat_amount_that_is_one_unit_off(
    en16931: Rules, render: Render
) -> None:
    document = swapped(render(CASES["two rates"]), ">190.01<", ">191.01<")

    assert en16931.findings(document)


def test_our_own_proof_finds_what_the_rules_let_pass(en16931: Rules) -> None:
    true = make_invoice()
    total = true.vat[0]._replace(vat_minor=true.vat_minor + 1)
    wrong = replace(
        true,
        vat=(total,),
        vat_minor=total.vat_minor,
        gross_minor=true.gross_minor + 1,
    )
    document = swapped(invoice_ubl.render(true), ">2.18<", ">2.19<")
    document = swapped(document, ">13.67<", ">13.68<")

    assert en16931.findings(document) == []
    assert violations(wrong) == ("S 1900: VAT is not net times rate (BR-CO-17)",)
    with pytest.raises(UnfitDocumentError):
        invoice_ubl.render(wrong)


@pytest.mark.parametrize("currency", ["KWD", "BHD", "CLF"])
@pytest.mark.parametrize("render", RENDERS)
def test_currency_with_three_decimals_is_refused(currency: str, render: Render) -> None:
    with pytest.raises(UnfitDocumentError, match=f"{currency} have more than 2"):
        render(make_invoice(currency=currency))


@pytest.mark.parametrize(
    ("invoice", "gap"),
    [
        (make_invoice(seller=make_party(None)), "seller DEABC: billing profile"),
        (
            make_invoice(buyer=make_party(None, "FRXYZ")),
            "buyer FRXYZ: billing profile",
        ),
        (
            make_invoice(
                seller=make_party(replace(SELLER, vat_id=None, tax_number=None))
            ),
            "seller DEABC: VAT id or tax number",
        ),
        (
            make_invoice(
                make_line(9, 0, AE), buyer=make_party(replace(BUYER, vat_id=None))
            ),
            "buyer FRXYZ: VAT id",
        ),
        (
            make_invoice(
                make_line(9, 0, VatCategory.EXPORT),
                seller=make_party(replace(SELLER, vat_id=None)),
            ),
            "seller DEABC: VAT id",
        ),
        (
            make_invoice(make_line(9, 0, AE), reasons=(None,)),
            "category AE: the reason",
        ),
        (
            make_invoice(make_line(), make_line(9, 0, VatCategory.OUTSIDE)),
            "category O in a document of its own (BR-O-11)",
        ),
    ],
)
def test_what_the_standard_asks_for_and_is_not_there_is_named(
    invoice: Document, gap: str
) -> None:
    assert missing(invoice) == (gap,)
    with pytest.raises(UnfitDocumentError) as refusal:
        invoice_ubl.render(invoice)
    assert refusal.value.args == (gap,)


@st.composite
def invoices(draw: st.DrawFn) -> Document:
    """Draw a document that a closing could book."""
    category = draw(st.sampled_from(FREE))
    outside = category is VatCategory.OUTSIDE
    # The rule BR-CO-17 takes a rate that rounds to 0 % for none at all; there is none.
    rates = st.lists(st.integers(50, 3_000), unique=True, max_size=0 if outside else 3)
    lines = [line(draw, VatCategory.STANDARD, rate) for rate in draw(rates)]
    lines += [line(draw, *one[:2], place="NL") for one in lines if draw(st.booleans())]
    if not lines or draw(st.booleans()):
        lines.append(line(draw, category, 0))
    if draw(st.booleans()):
        return make_credit_note(*lines)
    return make_invoice(*lines)


def line(
    draw: st.DrawFn, category: VatCategory, rate_bp: int, place: str = "DE"
) -> DocumentLine:
    """Draw the amounts of a line."""
    return make_line(
        draw(st.integers(0, 10**12)),
        rate_bp,
        category,
        energy_wh=draw(st.integers(0, 10**12)),
        sdr_count=draw(st.integers(0, 10**6)),
        place=place,
    )


@pytest.mark.slow
@given(invoice=invoices(), render=st.sampled_from(RENDERS))
def test_official_rules_find_nothing_in_any_document(
    en16931: Rules, invoice: Document, render: Render
) -> None:
    assert violations(invoice) == ()
    assert en16931.findings(render(invoice)) == []


@given(
    invoice=invoices(),
    field=st.sampled_from(("net_minor", "vat_minor", "gross_minor")),
    by=st.sampled_from((-100, -1, 1, 100)),
)
def test_our_own_proof_finds_every_sum_that_is_off(
    invoice: Document, field: str, by: int
) -> None:
    assert violations(replace(invoice, **{field: getattr(invoice, field) + by}))
    first, *others = invoice.lines
    wrong = first._replace(net_minor=first.net_minor + by)
    assert violations(replace(invoice, lines=(wrong, *others)))
    total, *rest = invoice.vat
    taxed = total._replace(vat_minor=total.vat_minor + by)
    assert violations(replace(invoice, vat=(taxed, *rest)))


@given(net_minor=st.integers(0, 10**15), rate_bp=st.integers(0, 10_000))
def test_vat_is_within_half_a_minor_unit(net_minor: int, rate_bp: int) -> None:
    assert (
        abs(2 * (vat_of(net_minor, rate_bp) * 10_000 - net_minor * rate_bp)) <= 10_000
    )


def test_document_without_a_line_is_no_document() -> None:
    broken = violations(replace(make_invoice(), lines=()))

    assert "it has no line (BR-16)" in broken
