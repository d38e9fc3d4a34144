"""Invoices and credit notes as PDF, for people and for what EN 16931 cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from clearinghouse.domain.documents import Document, Party
from clearinghouse.domain.invoices import missing, violations
from clearinghouse.domain.money import currency_of
from clearinghouse.reports import invoice_texts as texts
from clearinghouse.reports.pdf_pages import LEFT, RIGHT, Column, Pages
from clearinghouse.reports.text import AmountText, kwh

_LINES = (
    Column("What", LEFT),
    Column("VAT", LEFT + 300),
    Column("SDRs", LEFT + 370, is_figure=True),
    Column("kWh", LEFT + 440, is_figure=True),
    Column("Net", RIGHT, is_figure=True),
)
_VAT = (
    Column("Category and rate", LEFT),
    Column("Reason", LEFT + 100),
    Column("Net", LEFT + 400, is_figure=True),
    Column("VAT", RIGHT, is_figure=True),
)


def render(document: Document) -> bytes:
    """Return the document.

    Raises :class:`~clearinghouse.reports.invoice_texts.UnfitDocumentError` when it does
    not add up or something that the law asks for is missing.
    """
    reasons = [*violations(document), *missing(document)]
    if reasons:
        raise texts.UnfitDocumentError(*reasons)
    kind = "Credit note" if texts.is_credit_note(document) else "Invoice"
    title = f"{kind} {document.number}"
    pages = Pages(title, author=texts.profile_of(document.seller).legal_name)
    pages.heading(title, size=16)
    pages.pairs(_facts(document))
    pages.heading("Seller")
    pages.pairs(_party(document.seller))
    pages.heading("Buyer")
    pages.pairs(_party(document.buyer))
    _figures(pages, document)
    pages.text(texts.terms(document))
    return pages.document()


def _facts(document: Document) -> Iterator[tuple[str, str]]:
    yield "Issued on", document.issued_at.date().isoformat()
    yield "Due on", document.due_on.isoformat()
    period = f"{document.period_from} to {document.period_until}"
    if document.run_id is None:
        yield "Settlement window", f"{document.window_label}, {period}"
    else:
        yield "Settlement run", f"{document.run_id}, {period}"
    yield "Currency", document.currency
    if document.preceding:
        yield "Corrects", ", ".join(document.preceding)


def _party(party: Party) -> Iterator[tuple[str, str]]:
    profile = texts.profile_of(party)
    yield "Name", f"{profile.legal_name} ({party.party_id})"
    yield (
        "Address",
        (f"{profile.street}, {profile.postcode} {profile.city}, {profile.country}"),
    )
    if profile.vat_id:
        yield "VAT id", profile.vat_id
    if profile.tax_number:
        yield "Tax number", profile.tax_number


def _figures(pages: Pages, document: Document) -> None:
    amount = AmountText(currency_of(document.currency))
    pages.heading("Lines")
    pages.table(
        _LINES,
        [
            (
                texts.line_name(document, line),
                f"{line.category.value} {texts.percent(line.rate_bp)} %",
                str(line.sdr_count),
                kwh(line.energy_wh),
                amount(line.net_minor),
            )
            for line in document.lines
        ],
    )
    pages.heading("VAT")
    pages.table(
        _VAT,
        [
            (
                f"{total.category.value} {texts.percent(total.rate_bp)} %",
                "" if reason is None else reason.text or reason.code,
                amount(total.base_minor),
                amount(total.vat_minor),
            )
            for total, reason in zip(document.vat, document.reasons, strict=True)
        ],
    )
    pages.heading("Totals")
    pages.pairs(
        [
            ("Net", amount(document.net_minor)),
            ("VAT", amount(document.vat_minor)),
            ("Gross", f"{amount(document.gross_minor)} {document.currency}"),
        ]
    )
