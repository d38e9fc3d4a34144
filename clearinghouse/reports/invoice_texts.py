"""What stands on an invoice in every format: names of lines, quantities, terms."""

from __future__ import annotations

from typing import NamedTuple

from clearinghouse.domain.invoices import (
    DECIMALS_MAX,
    DocumentKind,
    Invoice,
    VatCategory,
    VatGroup,
    fits_en16931,
    missing,
    violations,
)
from clearinghouse.domain.money import currency_of
from clearinghouse.reports.text import AmountText, kwh

#: What an EN 16931 document without a narrower profile calls itself (BT-24).
SPECIFICATION = "urn:cen.eu:en16931:2017"

#: Clearing between partners (UNTDID 4461): the amount is netted, not paid by itself.
PAYMENT_MEANS = "97"

_BP_DIGITS = 100


class UnfitDocumentError(Exception):
    """A document that EN 16931 cannot hold; the arguments say why, one text each."""


class Quantity(NamedTuple):
    """How much a line bills and in which unit (BT-129, BT-130; UN/ECE rec. 20)."""

    text: str
    unit: str


def check(invoice: Invoice) -> AmountText:
    """Return how to write the amounts of a document that EN 16931 can hold.

    Raises :class:`UnfitDocumentError` with every reason why it cannot.
    """
    reasons = [*violations(invoice), *missing(invoice)]
    if not fits_en16931(invoice.currency):
        reasons.append(
            f"amounts of {invoice.currency} have more than {DECIMALS_MAX} decimals: "
            "EN 16931 has no place for them; it is issued as PDF only"
        )
    if reasons:
        raise UnfitDocumentError(*reasons)
    return AmountText(currency_of(invoice.currency))


def quantity(group: VatGroup) -> Quantity:
    """Return what the line of a group bills: energy, or pieces where there is none.

    The price is stated per this whole quantity (BT-149), not per kWh: quantity times
    price is then the net amount to the cent, with no decimals to cut off.
    """
    if group.energy_wh > 0:
        return Quantity(kwh(group.energy_wh), "KWH")
    return Quantity(str(max(group.sdr_count, 1)), "C62")


def line_name(invoice: Invoice) -> str:
    """Return the name of what is sold (BT-153)."""
    return f"EV charging by roaming, settlement window {invoice.window_label}"


def line_description(group: VatGroup) -> str:
    """Return what the line is made of (BT-154)."""
    noun = "service detail record" if group.sdr_count == 1 else "service detail records"
    return f"{group.sdr_count} {noun}, listed on the statement of the window"


def terms(invoice: Invoice) -> str:
    """Return how the amount is settled (BT-20)."""
    return (
        "Netted with the other amounts of settlement window "
        f"{invoice.window_label}; do not pay it apart."
    )


def percent(rate_bp: int) -> str:
    """Return a rate in percent.

    >>> percent(1900), percent(550), percent(0)
    ('19.00', '5.50', '0.00')
    """
    whole, rest = divmod(rate_bp, _BP_DIGITS)
    return f"{whole}.{rest:02d}"


def is_outside(invoice: Invoice) -> bool:
    """Say whether the document is outside VAT: it then holds no VAT id (BR-O-02)."""
    return any(group.category is VatCategory.OUTSIDE for group in invoice.groups)


def is_intra_community(invoice: Invoice) -> bool:
    """Say whether a country of delivery must be named (BR-IC-12)."""
    return any(
        group.category is VatCategory.INTRA_COMMUNITY for group in invoice.groups
    )


def is_credit_note(invoice: Invoice) -> bool:
    """Say whether the amounts are credited."""
    return invoice.kind is DocumentKind.CREDIT_NOTE
