"""What stands on an invoice in every format: names of lines, quantities, terms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.documents import Document, DocumentLine, LineItem, Party
from clearinghouse.domain.invoices import (
    DECIMALS_MAX,
    fits_en16931,
    missing,
    violations,
)
from clearinghouse.domain.money import currency_of
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.vat import VatCategory
from clearinghouse.reports.text import AmountText, kwh

#: What an EN 16931 document without a narrower profile calls itself (BT-24).
SPECIFICATION = "urn:cen.eu:en16931:2017"

#: Clearing between partners (UNTDID 4461): the amount is netted, not paid by itself.
PAYMENT_MEANS = "97"

_BP_DIGITS = 100

_FEES: Mapping[LineItem, str] = MappingProxyType(
    {
        LineItem.FEE_PER_SDR: "Clearing fee per service detail record",
        LineItem.FEE_SHARE: "Clearing fee on the turnover",
        LineItem.FEE_MINIMUM: "Up to the minimum clearing fee",
        LineItem.FEE_MAXIMUM: "Down to the highest clearing fee",
    }
)


class UnfitDocumentError(Exception):
    """A document that EN 16931 cannot hold; the arguments say why, one text each."""


class Quantity(NamedTuple):
    """How much a line bills and in which unit (BT-129, BT-130; UN/ECE rec. 20).

    ``billed`` is negative where the line takes back, ``base`` is not (BT-149).
    """

    billed: str
    base: str
    unit: str


def check(document: Document) -> AmountText:
    """Return how to write the amounts of a document that EN 16931 can hold.

    Raises :class:`UnfitDocumentError` with every reason why it cannot.
    """
    reasons = [*violations(document), *missing(document)]
    if not fits_en16931(document.currency):
        reasons.append(
            f"amounts of {document.currency} have more than {DECIMALS_MAX} decimals: "
            "EN 16931 has no place for them; it is issued as PDF only"
        )
    if reasons:
        raise UnfitDocumentError(*reasons)
    return AmountText(currency_of(document.currency))


def profile_of(party: Party) -> BillingProfile:
    """Return what a party's document says of it.

    Raises :class:`UnfitDocumentError` when there is no profile.
    """
    if party.profile is None:
        raise UnfitDocumentError(f"{party.party_id}: billing profile")
    return party.profile


def quantity(line: DocumentLine) -> Quantity:
    """Return what a line bills: energy, or pieces where there is none.

    The price is stated per this whole quantity (BT-149), not per kWh: quantity times
    price is then the net amount to the cent, with no decimals to cut off.
    """
    if line.energy_wh:
        base, unit = kwh(abs(line.energy_wh)), "KWH"
    else:
        base, unit = str(max(abs(line.sdr_count), 1)), "C62"
    return Quantity(f"-{base}" if line.net_minor < 0 else base, base, unit)


def line_name(document: Document, line: DocumentLine) -> str:
    """Return the name of what is sold (BT-153)."""
    if line.item is LineItem.CHARGING:
        where = f" in {line.place}" if line.place else ""
        return f"EV charging by roaming{where}, {occasion(document)}"
    return f"{_FEES[line.item]}, {occasion(document)}"


def line_description(line: DocumentLine) -> str:
    """Return what the line is made of (BT-154)."""
    if line.item not in {LineItem.CHARGING, LineItem.FEE_PER_SDR}:
        return line.detail
    noun = "service detail record" if line.sdr_count == 1 else "service detail records"
    where = "the statement of the window"
    if line.item is LineItem.FEE_PER_SDR:
        where = "the statements of the windows that the run settled"
    return f"{line.sdr_count} {noun}, listed on {where}"


def occasion(document: Document) -> str:
    """Return what a document belongs to: a settlement window, or a settlement run."""
    if document.run_id is not None:
        return f"settlement run {document.run_id}"
    return f"settlement window {document.window_label}"


def terms(document: Document) -> str:
    """Return how the amount is settled (BT-20)."""
    if document.run_id is not None:
        return f"Settled in {occasion(document)}; do not pay it apart."
    return (
        f"Netted with the other amounts of {occasion(document)}; do not pay it apart."
    )


def percent(rate_bp: int) -> str:
    """Return a rate in percent.

    >>> percent(1900), percent(550), percent(0)
    ('19.00', '5.50', '0.00')
    """
    whole, rest = divmod(rate_bp, _BP_DIGITS)
    return f"{whole}.{rest:02d}"


def is_outside(document: Document) -> bool:
    """Say whether the document is outside VAT: it then holds no VAT id (BR-O-02)."""
    return any(total.category is VatCategory.OUTSIDE for total in document.vat)


def is_intra_community(document: Document) -> bool:
    """Say whether a country of delivery must be named (BR-IC-12)."""
    return any(total.category is VatCategory.INTRA_COMMUNITY for total in document.vat)


def is_credit_note(document: Document) -> bool:
    """Say whether the amounts are credited."""
    return document.kind is DocumentKind.CREDIT_NOTE
