"""Documents as EN 16931 sees them: the exact proof of one, and what it lacks.

A document has a line for each VAT category, rate, place and rule; the records stand on
the statement of the same window. The official rules accept a VAT amount that is 0.99
off, so the proof of the amounts is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from clearinghouse.domain.documents import Document, Party, VatTotal
from clearinghouse.domain.money import currency_of
from clearinghouse.domain.vat import REASONED, VatCategory, vat_of

#: Decimals of an amount in EN 16931 (BR-DEC-01 to BR-DEC-28): BHD, KWD and others with
#: three do not fit, and rounding them would change what was booked.
DECIMALS_MAX = 2

_BUYER_IDENTIFIED = frozenset({VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY})
_SELLER_VAT_ID_ONLY = frozenset({VatCategory.INTRA_COMMUNITY, VatCategory.EXPORT})


class DocumentFormat(StrEnum):
    """The renderings of an invoice or credit note."""

    UBL = "UBL"
    CII = "CII"
    PDF = "PDF"


def violations(document: Document) -> tuple[str, ...]:
    """Return which amounts of a document are not exact; empty proves it.

    BR-CO-10, 13 to 17 without any tolerance.
    """
    totals = document.vat
    broken: list[str] = []
    if not document.lines:
        broken.append("it has no line (BR-16)")
    keys = {(total.category, total.rate_bp) for total in totals}
    if len(keys) != len(totals):
        broken.append("a category and rate stand twice")
    if {(line.category, line.rate_bp) for line in document.lines} != keys:
        broken.append("a line has no VAT total")
    for total in totals:
        broken.extend(_total_violations(document, total))
    if document.net_minor != sum(line.net_minor for line in document.lines):
        broken.append("net is not the sum of the lines (BR-CO-10)")
    if document.vat_minor != sum(total.vat_minor for total in totals):
        broken.append("VAT is not the sum of the categories (BR-CO-14)")
    if document.gross_minor != document.net_minor + document.vat_minor:
        broken.append("gross is not net and VAT (BR-CO-15)")
    return tuple(broken)


def _total_violations(document: Document, total: VatTotal) -> Iterator[str]:
    name = f"{total.category.value} {total.rate_bp}"
    of_group = (
        line.net_minor
        for line in document.lines
        if (line.category, line.rate_bp) == (total.category, total.rate_bp)
    )
    if total.base_minor != sum(of_group):
        yield f"{name}: the base is not the sum of its lines"
    if total.base_minor < 0:
        yield f"{name}: the base is negative"
    if total.vat_minor != vat_of(total.base_minor, total.rate_bp):
        yield f"{name}: VAT is not net times rate (BR-CO-17)"
    if (total.category is VatCategory.STANDARD) != (total.rate_bp > 0):
        yield f"{name}: the rate is not one of this category"
    if total.rate_bp < 0:
        yield f"{name}: the rate is negative"


def fits_en16931(currency: str) -> bool:
    """Say whether amounts of the currency can stand on an EN 16931 document."""
    return currency_of(currency).exponent <= DECIMALS_MAX


def missing(document: Document) -> tuple[str, ...]:
    """Return what EN 16931 asks for and the document lacks; empty: it can be issued.

    The texts are for the operator, who knows whom to ask.
    """
    return (
        *_party_gaps("seller", document.seller),
        *_party_gaps("buyer", document.buyer),
        *_category_gaps(document),
    )


def _party_gaps(role: str, party: Party) -> Iterator[str]:
    if party.profile is None:
        yield f"{role} {party.party_id}: billing profile"


def _category_gaps(document: Document) -> Iterator[str]:
    seller, buyer = document.seller.profile, document.buyer.profile
    found = {total.category for total in document.vat}
    taxed = found - {VatCategory.OUTSIDE}
    if VatCategory.OUTSIDE in found and taxed:
        yield "category O in a document of its own (BR-O-11)"
    if seller is not None and not seller.vat_id:
        if found & _SELLER_VAT_ID_ONLY:
            yield f"seller {document.seller.party_id}: VAT id"
        elif taxed and not seller.tax_number:
            yield f"seller {document.seller.party_id}: VAT id or tax number"
    if buyer is not None and not buyer.vat_id and found & _BUYER_IDENTIFIED:
        yield f"buyer {document.buyer.party_id}: VAT id"
    for total, reason in zip(document.vat, document.reasons, strict=True):
        if total.category in REASONED and reason is None:
            yield f"category {total.category.value}: the reason"
