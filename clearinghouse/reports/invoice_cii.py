"""Invoices and credit notes as UN/CEFACT CII, after the core model of EN 16931."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from clearinghouse.domain.documents import Document, DocumentLine, Party
from clearinghouse.domain.vat import VatCategory
from clearinghouse.reports import invoice_texts as texts
from clearinghouse.reports.elements import Element, root
from clearinghouse.reports.text import AmountText

_CEFACT = "urn:un:unece:uncefact:data:standard:"
_NAMES = MappingProxyType(
    {
        "rsm": f"{_CEFACT}CrossIndustryInvoice:100",
        "ram": f"{_CEFACT}ReusableAggregateBusinessInformationEntity:100",
        "udt": f"{_CEFACT}UnqualifiedDataType:100",
    }
)

#: Dates as eight digits (UNTDID 2379).
_DAY = "102"


def render(document: Document) -> bytes:
    """Return the document.

    Raises :class:`~clearinghouse.reports.invoice_texts.UnfitDocumentError` when the
    standard cannot hold it.
    """
    amount = texts.check(document)
    top = root("rsm:CrossIndustryInvoice", _NAMES)
    context = top.within(
        "rsm:ExchangedDocumentContext", "ram:GuidelineSpecifiedDocumentContextParameter"
    )
    context.add("ram:ID", texts.SPECIFICATION)  # BT-24
    title = top.add("rsm:ExchangedDocument")
    title.add("ram:ID", document.number)  # BT-1
    title.add("ram:TypeCode", document.kind.value)  # BT-3
    _day(title.add("ram:IssueDateTime"), document.issued_at.date())  # BT-2
    trade = top.add("rsm:SupplyChainTradeTransaction")
    for number, billed in enumerate(document.lines, 1):
        line = trade.add("ram:IncludedSupplyChainTradeLineItem")
        _line(line, document, (number, billed), amount)
    _agreement(trade.add("ram:ApplicableHeaderTradeAgreement"), document)
    delivery = trade.add("ram:ApplicableHeaderTradeDelivery")
    if texts.is_intra_community(document):
        address = delivery.within("ram:ShipToTradeParty", "ram:PostalTradeAddress")
        address.add("ram:CountryID", texts.profile_of(document.buyer).country)  # BT-80
    event = delivery.within(
        "ram:ActualDeliverySupplyChainEvent", "ram:OccurrenceDateTime"
    )
    _day(event, document.period_until)  # BT-72
    _settlement(trade.add("ram:ApplicableHeaderTradeSettlement"), document, amount)
    return top.document()


def _line(
    line: Element,
    document: Document,
    numbered: tuple[int, DocumentLine],
    amount: AmountText,
) -> None:
    number, billed = numbered
    found = texts.quantity(billed)
    line.add("ram:AssociatedDocumentLineDocument").add("ram:LineID", str(number))
    product = line.add("ram:SpecifiedTradeProduct")
    product.add("ram:Name", texts.line_name(document, billed))  # BT-153
    product.add("ram:Description", texts.line_description(billed))
    price = line.within(
        "ram:SpecifiedLineTradeAgreement", "ram:NetPriceProductTradePrice"
    )
    price.add("ram:ChargeAmount", amount(abs(billed.net_minor)))  # BT-146
    price.add("ram:BasisQuantity", found.base, unitCode=found.unit)  # BT-149
    delivery = line.add("ram:SpecifiedLineTradeDelivery")
    delivery.add("ram:BilledQuantity", found.billed, unitCode=found.unit)  # BT-129
    settlement = line.add("ram:SpecifiedLineTradeSettlement")
    tax = settlement.add("ram:ApplicableTradeTax")
    tax.add("ram:TypeCode", "VAT")
    tax.add("ram:CategoryCode", billed.category.value)  # BT-151
    _rate(tax, billed.category, billed.rate_bp)  # BT-152
    totals = settlement.add("ram:SpecifiedTradeSettlementLineMonetarySummation")
    totals.add("ram:LineTotalAmount", amount(billed.net_minor))  # BT-131


def _agreement(place: Element, document: Document) -> None:
    seller, buyer = place.add("ram:SellerTradeParty"), place.add("ram:BuyerTradeParty")
    _party(seller, document, document.seller)  # BG-4
    tax_number = texts.profile_of(document.seller).tax_number
    if tax_number:
        registration = seller.add("ram:SpecifiedTaxRegistration")
        registration.add("ram:ID", tax_number, schemeID="FC")  # BT-32
    _party(buyer, document, document.buyer)  # BG-7


def _party(place: Element, document: Document, party: Party) -> None:
    profile = texts.profile_of(party)
    place.add("ram:ID", party.party_id)  # BT-29, BT-46
    place.add("ram:Name", profile.legal_name)  # BT-27, BT-44
    if profile.contact_email:
        contact = place.within(
            "ram:DefinedTradeContact", "ram:EmailURIUniversalCommunication"
        )
        contact.add("ram:URIID", profile.contact_email)  # BT-43, BT-58
    address = place.add("ram:PostalTradeAddress")  # BG-5, BG-8
    for name, value in (
        ("ram:PostcodeCode", profile.postcode),
        ("ram:LineOne", profile.street),
        ("ram:CityName", profile.city),
        ("ram:CountryID", profile.country),
    ):
        if value:
            address.add(name, value)
    if profile.vat_id and not texts.is_outside(document):
        registration = place.add("ram:SpecifiedTaxRegistration")
        registration.add("ram:ID", profile.vat_id, schemeID="VA")  # BT-31, BT-48


def _settlement(place: Element, document: Document, amount: AmountText) -> None:
    place.add("ram:InvoiceCurrencyCode", document.currency)  # BT-5
    means = place.add("ram:SpecifiedTradeSettlementPaymentMeans")
    means.add("ram:TypeCode", texts.PAYMENT_MEANS)  # BT-81
    for group, reason in zip(document.vat, document.reasons, strict=True):  # BG-23
        tax = place.add("ram:ApplicableTradeTax")
        tax.add("ram:CalculatedAmount", amount(group.vat_minor))  # BT-117
        tax.add("ram:TypeCode", "VAT")
        if reason is not None and reason.text:
            tax.add("ram:ExemptionReason", reason.text)  # BT-120
        tax.add("ram:BasisAmount", amount(group.base_minor))  # BT-116
        tax.add("ram:CategoryCode", group.category.value)  # BT-118
        if reason is not None and reason.code:
            tax.add("ram:ExemptionReasonCode", reason.code)  # BT-121
        _rate(tax, group.category, group.rate_bp)  # BT-119
    period = place.add("ram:BillingSpecifiedPeriod")  # BG-14
    _day(period.add("ram:StartDateTime"), document.period_from)
    _day(period.add("ram:EndDateTime"), document.period_until)
    terms = place.add("ram:SpecifiedTradePaymentTerms")
    terms.add("ram:Description", texts.terms(document))  # BT-20
    _day(terms.add("ram:DueDateDateTime"), document.due_on)  # BT-9
    _totals(place, document, amount)
    for number in document.preceding:  # BT-25
        reference = place.add("ram:InvoiceReferencedDocument")
        reference.add("ram:IssuerAssignedID", number)


def _totals(place: Element, document: Document, amount: AmountText) -> None:
    totals = place.add("ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    net, gross = amount(document.net_minor), amount(document.gross_minor)
    totals.add("ram:LineTotalAmount", net)  # BT-106
    totals.add("ram:TaxBasisTotalAmount", net)  # BT-109
    totals.add(
        "ram:TaxTotalAmount", amount(document.vat_minor), currencyID=document.currency
    )  # BT-110
    totals.add("ram:GrandTotalAmount", gross)  # BT-112
    totals.add("ram:DuePayableAmount", gross)  # BT-115


def _rate(place: Element, category: VatCategory, rate_bp: int) -> None:
    if category is not VatCategory.OUTSIDE:  # BR-O-05: no rate at all
        place.add("ram:RateApplicablePercent", texts.percent(rate_bp))


def _day(place: Element, day: date) -> None:
    place.add("udt:DateTimeString", day.strftime("%Y%m%d"), format=_DAY)
