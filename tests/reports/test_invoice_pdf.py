"""Invoices as PDF: what stands on them, and the same bytes each time."""

from __future__ import annotations

from io import BytesIO

import pytest
from pypdf import PdfReader

from clearinghouse.domain.documents import Document
from clearinghouse.domain.vat import VatCategory
from clearinghouse.reports.invoice_pdf import render
from clearinghouse.reports.invoice_texts import UnfitDocumentError
from tests.reports.invoice_values import (
    make_credit_note,
    make_invoice,
    make_line,
    make_party,
)


def words(document: Document) -> str:
    """Return all words of the PDF."""
    reader = PdfReader(BytesIO(render(document)))
    return "\n".join(page.extract_text() for page in reader.pages)


@pytest.mark.clause("4.3-I3")
def test_invoice_shows_parties_amounts_and_terms() -> None:
    found = words(make_invoice(make_line(100_005), make_line(50_003, 2100)))

    for expected in (
        "Invoice IN-DEABC-2026-000001",
        "Säulen & Söhne <GmbH>",
        "DE123456789",
        "FR12345678901",
        "190.01",
        "105.01",
        "1795.10 EUR",
        "do not pay it apart",
    ):
        assert expected in found


def test_credit_note_names_what_it_corrects_and_why_there_is_no_vat() -> None:
    found = words(make_credit_note(make_line(1148, 0, VatCategory.REVERSE_CHARGE)))

    assert "Credit note CN-DEABC-2026-000001" in found
    assert "IN-DEABC-2026-000001, IN-DEABC-2026-000004" in found
    assert "Reverse charge" in found


def test_currency_of_three_decimals_is_no_trouble_here() -> None:
    assert "11.490 KWD" not in words(make_invoice(currency="KWD"))
    assert "1.367 KWD" in words(make_invoice(currency="KWD"))


def test_same_invoice_gives_the_same_bytes() -> None:
    assert render(make_invoice()) == render(make_invoice())


def test_invoice_without_a_billing_profile_is_refused() -> None:
    with pytest.raises(UnfitDocumentError, match="seller DEABC: billing profile"):
        render(make_invoice(seller=make_party(None)))
