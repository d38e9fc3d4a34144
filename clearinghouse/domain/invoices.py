"""Invoices and credit notes as EN 16931 sees them: what is on one, and its exact proof.

A document has one line and one VAT total for each group of category and rate, for the
records themselves stand on the statement of the same window. Amounts are minor units,
never negative; a credit note states what is credited as positive amounts. The official
rules accept a VAT amount that is 0.99 off, so the proof of the amounts is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from clearinghouse.domain.money import currency_of, divide_half_away

#: Decimals of an amount in EN 16931 (BR-DEC-01 to BR-DEC-28): BHD, KWD and others with
#: three do not fit, and rounding them would change what was booked.
DECIMALS_MAX = 2

#: 100 percent in hundredths of a percent.
_WHOLE_BP = 10_000


class DocumentKind(StrEnum):
    """The type of a document (BT-3, UNTDID 1001)."""

    INVOICE = "380"
    CREDIT_NOTE = "381"


class DocumentFormat(StrEnum):
    """The renderings of an invoice or credit note."""

    UBL = "UBL"
    CII = "CII"
    PDF = "PDF"


class VatCategory(StrEnum):
    """What VAT does with a supply (BT-118, UNCL5305)."""

    STANDARD = "S"
    REVERSE_CHARGE = "AE"
    ZERO_RATED = "Z"
    EXEMPT = "E"
    OUTSIDE = "O"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"


#: Categories that say why there is no VAT (BR-AE-10, BR-E-10, BR-G-10, BR-IC-10,
#: BR-O-10); the others must not (BR-S-10, BR-Z-10).
REASONED = frozenset(VatCategory) - {VatCategory.STANDARD, VatCategory.ZERO_RATED}

_BUYER_IDENTIFIED = frozenset({VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY})
_SELLER_VAT_ID_ONLY = frozenset({VatCategory.INTRA_COMMUNITY, VatCategory.EXPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceParty:
    """Seller or buyer as it stands on a document; empty texts where nothing is known.

    ``party_id`` is its name in roaming (BT-29, BT-46), ``country`` two letters.
    """

    party_id: str
    legal_name: str
    street: str
    city: str
    postcode: str
    country: str
    vat_id: str = ""
    tax_number: str = ""
    contact_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VatGroup:
    """What a document holds of one VAT category and rate (BG-23).

    ``rate_bp`` is in hundredths of a percent: 1900 is 19 %. ``reason_code`` is of the
    VATEX list, ``reason`` a text; one of them stands where the category asks for it.
    """

    category: VatCategory
    rate_bp: int
    net_minor: int
    vat_minor: int
    sdr_count: int
    energy_wh: int
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """One invoice or credit note. Dates are of the calendar of UTC, both inclusive.

    ``preceding`` are the numbers of the invoices that a credit note corrects (BT-25).
    """

    number: str
    kind: DocumentKind
    currency: str
    issued_on: date
    period_from: date
    period_to: date
    window_label: str
    seller: InvoiceParty
    buyer: InvoiceParty
    groups: tuple[VatGroup, ...]
    net_minor: int
    vat_minor: int
    gross_minor: int
    preceding: tuple[str, ...] = ()


def vat_of(net_minor: int, rate_bp: int) -> int:
    """Return the VAT of a group: rounded once, half away from zero.

    >>> vat_of(253, 1900), vat_of(48100, 1900), vat_of(100005, 1900)
    (48, 9139, 19001)
    """
    return divide_half_away(net_minor * rate_bp, _WHOLE_BP)


def violations(invoice: Invoice) -> tuple[str, ...]:
    """Return which amounts of a document are not exact; empty proves it.

    BR-CO-10, 13 and 15 to 17 without any tolerance.
    """
    groups = invoice.groups
    broken: list[str] = []
    if not groups:
        broken.append("it has no line (BR-16)")
    keys = {(group.category, group.rate_bp) for group in groups}
    if len(keys) != len(groups):
        broken.append("a category and rate stand twice")
    for group in groups:
        broken.extend(_group_violations(group))
    if invoice.net_minor != sum(group.net_minor for group in groups):
        broken.append("net is not the sum of the lines (BR-CO-10)")
    if invoice.vat_minor != sum(group.vat_minor for group in groups):
        broken.append("VAT is not the sum of the categories (BR-CO-14)")
    if invoice.gross_minor != invoice.net_minor + invoice.vat_minor:
        broken.append("gross is not net and VAT (BR-CO-15)")
    return tuple(broken)


def _group_violations(group: VatGroup) -> Iterator[str]:
    name = f"{group.category.value} {group.rate_bp}"
    if group.net_minor < 0 or group.energy_wh < 0 or group.sdr_count < 0:
        yield f"{name}: an amount is negative"
    if group.vat_minor != vat_of(group.net_minor, group.rate_bp):
        yield f"{name}: VAT is not net times rate (BR-CO-17)"
    if (group.category is VatCategory.STANDARD) != (group.rate_bp > 0):
        yield f"{name}: the rate is not one of this category"
    if group.rate_bp < 0:
        yield f"{name}: the rate is negative"


def fits_en16931(currency: str) -> bool:
    """Say whether amounts of the currency can stand on an EN 16931 document."""
    return currency_of(currency).exponent <= DECIMALS_MAX


def missing(invoice: Invoice) -> tuple[str, ...]:
    """Return what EN 16931 asks for and the document lacks; empty: it can be issued.

    The texts are for the operator, who knows whom to ask.
    """
    return (
        *_party_gaps("seller", invoice.seller),
        *_party_gaps("buyer", invoice.buyer),
        *_category_gaps(invoice),
    )


def _party_gaps(role: str, party: InvoiceParty) -> Iterator[str]:
    for name, value in (
        ("legal name", party.legal_name),
        ("country", party.country),
    ):
        if not value:
            yield f"{role} {party.party_id}: {name}"


def _category_gaps(invoice: Invoice) -> Iterator[str]:
    seller, buyer = invoice.seller, invoice.buyer
    found = {group.category for group in invoice.groups}
    taxed = found - {VatCategory.OUTSIDE}
    if VatCategory.OUTSIDE in found and taxed:
        yield "category O in a document of its own (BR-O-11)"
    if found & _SELLER_VAT_ID_ONLY and not seller.vat_id:
        yield f"seller {seller.party_id}: VAT id"
    elif taxed and not (seller.vat_id or seller.tax_number):
        yield f"seller {seller.party_id}: VAT id or tax number"
    if found & _BUYER_IDENTIFIED and not buyer.vat_id:
        yield f"buyer {buyer.party_id}: VAT id"
    for group in invoice.groups:
        if group.category in REASONED and not (group.reason or group.reason_code):
            yield f"category {group.category.value}: the reason"
