"""Invoices and credit notes as UN/CEFACT CII, after the core model of EN 16931."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from clearinghouse.domain.invoices import Invoice, InvoiceParty, VatCategory, VatGroup
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


def render(invoice: Invoice) -> bytes:
    """Return the document.

    Raises :class:`~clearinghouse.reports.invoice_texts.UnfitDocumentError` when the
    standard cannot hold it.
    """
    amount = texts.check(invoice)
    top = root("rsm:CrossIndustryInvoice", _NAMES)
    context = top.within(
        "rsm:ExchangedDocumentContext", "ram:GuidelineSpecifiedDocumentContextParameter"
    )
    context.add("ram:ID", texts.SPECIFICATION)  # BT-24
    document = top.add("rsm:ExchangedDocument")
    document.add("ram:ID", invoice.number)  # BT-1
    document.add("ram:TypeCode", invoice.kind.value)  # BT-3
    _day(document.add("ram:IssueDateTime"), invoice.issued_on)  # BT-2
    trade = top.add("rsm:SupplyChainTradeTransaction")
    for number, group in enumerate(invoice.groups, 1):
        line = trade.add("ram:IncludedSupplyChainTradeLineItem")
        _line(line, invoice, number, group, amount)
    _agreement(trade.add("ram:ApplicableHeaderTradeAgreement"), invoice)
    delivery = trade.add("ram:ApplicableHeaderTradeDelivery")
    if texts.is_intra_community(invoice):
        address = delivery.within("ram:ShipToTradeParty", "ram:PostalTradeAddress")
        address.add("ram:CountryID", invoice.buyer.country)  # BT-80
    event = delivery.within(
        "ram:ActualDeliverySupplyChainEvent", "ram:OccurrenceDateTime"
    )
    _day(event, invoice.period_to)  # BT-72
    _settlement(trade.add("ram:ApplicableHeaderTradeSettlement"), invoice, amount)
    return top.document()


def _line(
    line: Element, invoice: Invoice, number: int, group: VatGroup, amount: AmountText
) -> None:
    found = texts.quantity(group)
    line.add("ram:AssociatedDocumentLineDocument").add("ram:LineID", str(number))
    product = line.add("ram:SpecifiedTradeProduct")
    product.add("ram:Name", texts.line_name(invoice))  # BT-153
    product.add("ram:Description", texts.line_description(group))
    price = line.within(
        "ram:SpecifiedLineTradeAgreement", "ram:NetPriceProductTradePrice"
    )
    price.add("ram:ChargeAmount", amount(group.net_minor))  # BT-146
    price.add("ram:BasisQuantity", found.text, unitCode=found.unit)  # BT-149
    delivery = line.add("ram:SpecifiedLineTradeDelivery")
    delivery.add("ram:BilledQuantity", found.text, unitCode=found.unit)  # BT-129
    settlement = line.add("ram:SpecifiedLineTradeSettlement")
    tax = settlement.add("ram:ApplicableTradeTax")
    tax.add("ram:TypeCode", "VAT")
    tax.add("ram:CategoryCode", group.category.value)  # BT-151
    _rate(tax, group)  # BT-152
    totals = settlement.add("ram:SpecifiedTradeSettlementLineMonetarySummation")
    totals.add("ram:LineTotalAmount", amount(group.net_minor))  # BT-131


def _agreement(place: Element, invoice: Invoice) -> None:
    seller, buyer = place.add("ram:SellerTradeParty"), place.add("ram:BuyerTradeParty")
    _party(seller, invoice, invoice.seller)  # BG-4
    if invoice.seller.tax_number:
        registration = seller.add("ram:SpecifiedTaxRegistration")
        registration.add("ram:ID", invoice.seller.tax_number, schemeID="FC")  # BT-32
    _party(buyer, invoice, invoice.buyer)  # BG-7


def _party(place: Element, invoice: Invoice, party: InvoiceParty) -> None:
    place.add("ram:ID", party.party_id)  # BT-29, BT-46
    place.add("ram:Name", party.legal_name)  # BT-27, BT-44
    if party.contact_email:
        contact = place.within(
            "ram:DefinedTradeContact", "ram:EmailURIUniversalCommunication"
        )
        contact.add("ram:URIID", party.contact_email)  # BT-43, BT-58
    address = place.add("ram:PostalTradeAddress")  # BG-5, BG-8
    for name, value in (
        ("ram:PostcodeCode", party.postcode),
        ("ram:LineOne", party.street),
        ("ram:CityName", party.city),
        ("ram:CountryID", party.country),
    ):
        if value:
            address.add(name, value)
    if party.vat_id and not texts.is_outside(invoice):
        registration = place.add("ram:SpecifiedTaxRegistration")
        registration.add("ram:ID", party.vat_id, schemeID="VA")  # BT-31, BT-48


def _settlement(place: Element, invoice: Invoice, amount: AmountText) -> None:
    place.add("ram:InvoiceCurrencyCode", invoice.currency)  # BT-5
    means = place.add("ram:SpecifiedTradeSettlementPaymentMeans")
    means.add("ram:TypeCode", texts.PAYMENT_MEANS)  # BT-81
    for group in invoice.groups:  # BG-23
        tax = place.add("ram:ApplicableTradeTax")
        tax.add("ram:CalculatedAmount", amount(group.vat_minor))  # BT-117
        tax.add("ram:TypeCode", "VAT")
        if group.reason:
            tax.add("ram:ExemptionReason", group.reason)  # BT-120
        tax.add("ram:BasisAmount", amount(group.net_minor))  # BT-116
        tax.add("ram:CategoryCode", group.category.value)  # BT-118
        if group.reason_code:
            tax.add("ram:ExemptionReasonCode", group.reason_code)  # BT-121
        _rate(tax, group)  # BT-119
    period = place.add("ram:BillingSpecifiedPeriod")  # BG-14
    _day(period.add("ram:StartDateTime"), invoice.period_from)
    _day(period.add("ram:EndDateTime"), invoice.period_to)
    terms = place.add("ram:SpecifiedTradePaymentTerms")
    terms.add("ram:Description", texts.terms(invoice))  # BT-20
    _totals(place, invoice, amount)
    for number in invoice.preceding:  # BT-25
        reference = place.add("ram:InvoiceReferencedDocument")
        reference.add("ram:IssuerAssignedID", number)


def _totals(place: Element, invoice: Invoice, amount: AmountText) -> None:
    totals = place.add("ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    net, gross = amount(invoice.net_minor), amount(invoice.gross_minor)
    totals.add("ram:LineTotalAmount", net)  # BT-106
    totals.add("ram:TaxBasisTotalAmount", net)  # BT-109
    totals.add(
        "ram:TaxTotalAmount", amount(invoice.vat_minor), currencyID=invoice.currency
    )  # BT-110
    totals.add("ram:GrandTotalAmount", gross)  # BT-112
    totals.add("ram:DuePayableAmount", gross)  # BT-115


def _rate(place: Element, group: VatGroup) -> None:
    if group.category is not VatCategory.OUTSIDE:  # BR-O-05: no rate at all
        place.add("ram:RateApplicablePercent", texts.percent(group.rate_bp))


def _day(place: Element, day: date) -> None:
    place.add("udt:DateTimeString", day.strftime("%Y%m%d"), format=_DAY)
