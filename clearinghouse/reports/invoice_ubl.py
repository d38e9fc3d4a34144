"""Invoices and credit notes as UBL 2.1, after the core model of EN 16931."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from clearinghouse.domain.invoices import Invoice, InvoiceParty, VatCategory, VatGroup
from clearinghouse.reports import invoice_texts as texts
from clearinghouse.reports.elements import Element, root
from clearinghouse.reports.text import AmountText

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"


def _names(kind: str) -> Mapping[str, str]:
    return MappingProxyType(
        {
            "": f"{_UBL}{kind}-2",
            "cac": f"{_UBL}CommonAggregateComponents-2",
            "cbc": f"{_UBL}CommonBasicComponents-2",
        }
    )


def render(invoice: Invoice) -> bytes:
    """Return the document.

    Raises :class:`~clearinghouse.reports.invoice_texts.UnfitDocumentError` when the
    standard cannot hold it.
    """
    return _Writer(invoice, texts.check(invoice)).document()


class _Writer:
    """Writes one document; UBL has two kinds of root that differ in a few names."""

    def __init__(self, invoice: Invoice, amount: AmountText) -> None:
        self._invoice = invoice
        self._amount = amount
        self._credits = texts.is_credit_note(invoice)
        self._kind = "CreditNote" if self._credits else "Invoice"
        self._root = root(self._kind, _names(self._kind))

    def document(self) -> bytes:
        self._title()
        invoice = self._invoice
        supplier = self._root.within("cac:AccountingSupplierParty", "cac:Party")
        self._party(supplier, invoice.seller, is_seller=True)  # BG-4
        customer = self._root.within("cac:AccountingCustomerParty", "cac:Party")
        self._party(customer, invoice.buyer, is_seller=False)  # BG-7
        self._delivery_and_payment()
        self._vat()
        self._totals()
        for number, group in enumerate(invoice.groups, 1):
            self._line(number, group)
        return self._root.document()

    def _title(self) -> None:
        invoice, top = self._invoice, self._root
        top.add("cbc:CustomizationID", texts.SPECIFICATION)  # BT-24
        top.add("cbc:ID", invoice.number)  # BT-1
        top.add("cbc:IssueDate", invoice.issued_on.isoformat())  # BT-2
        top.add(f"cbc:{self._kind}TypeCode", invoice.kind.value)  # BT-3
        top.add("cbc:DocumentCurrencyCode", invoice.currency)  # BT-5
        period = top.add("cac:InvoicePeriod")  # BG-14
        period.add("cbc:StartDate", invoice.period_from.isoformat())
        period.add("cbc:EndDate", invoice.period_to.isoformat())
        for number in invoice.preceding:  # BT-25
            reference = top.within(
                "cac:BillingReference", "cac:InvoiceDocumentReference"
            )
            reference.add("cbc:ID", number)

    def _party(self, place: Element, party: InvoiceParty, *, is_seller: bool) -> None:
        place.add("cac:PartyIdentification").add("cbc:ID", party.party_id)  # BT-29, 46
        address = place.add("cac:PostalAddress")  # BG-5, BG-8
        for name, value in (
            ("cbc:StreetName", party.street),
            ("cbc:CityName", party.city),
            ("cbc:PostalZone", party.postcode),
        ):
            if value:
                address.add(name, value)
        address.add("cac:Country").add("cbc:IdentificationCode", party.country)
        if party.vat_id and not texts.is_outside(self._invoice):
            _tax_scheme(place, party.vat_id, "VAT")  # BT-31, BT-48
        if is_seller and party.tax_number:
            _tax_scheme(place, party.tax_number, "FC")  # BT-32
        entity = place.add("cac:PartyLegalEntity")
        entity.add("cbc:RegistrationName", party.legal_name)  # BT-27, BT-44
        if party.contact_email:
            contact = place.add("cac:Contact")
            contact.add("cbc:ElectronicMail", party.contact_email)  # BT-43, BT-58

    def _delivery_and_payment(self) -> None:
        invoice, top = self._invoice, self._root
        delivery = top.add("cac:Delivery")
        delivery.add("cbc:ActualDeliveryDate", invoice.period_to.isoformat())  # BT-72
        if texts.is_intra_community(invoice):
            address = delivery.within("cac:DeliveryLocation", "cac:Address")
            country = address.add("cac:Country")  # BT-80
            country.add("cbc:IdentificationCode", invoice.buyer.country)
        means = top.add("cac:PaymentMeans")
        means.add("cbc:PaymentMeansCode", texts.PAYMENT_MEANS)  # BT-81
        top.add("cac:PaymentTerms").add("cbc:Note", texts.terms(invoice))  # BT-20

    def _vat(self) -> None:
        total = self._root.add("cac:TaxTotal")
        self._money(total, "cbc:TaxAmount", self._invoice.vat_minor)  # BT-110
        for group in self._invoice.groups:  # BG-23
            part = total.add("cac:TaxSubtotal")
            self._money(part, "cbc:TaxableAmount", group.net_minor)  # BT-116
            self._money(part, "cbc:TaxAmount", group.vat_minor)  # BT-117
            category = part.add("cac:TaxCategory")
            _category(category, group)
            if group.reason_code:
                category.add("cbc:TaxExemptionReasonCode", group.reason_code)  # BT-121
            if group.reason:
                category.add("cbc:TaxExemptionReason", group.reason)  # BT-120
            category.add("cac:TaxScheme").add("cbc:ID", "VAT")

    def _totals(self) -> None:
        invoice = self._invoice
        totals = self._root.add("cac:LegalMonetaryTotal")  # BG-22
        for name, amount_minor in (
            ("LineExtensionAmount", invoice.net_minor),  # BT-106
            ("TaxExclusiveAmount", invoice.net_minor),  # BT-109
            ("TaxInclusiveAmount", invoice.gross_minor),  # BT-112
            ("PayableAmount", invoice.gross_minor),  # BT-115
        ):
            self._money(totals, f"cbc:{name}", amount_minor)

    def _line(self, number: int, group: VatGroup) -> None:
        found = texts.quantity(group)
        line = self._root.add(f"cac:{self._kind}Line")
        line.add("cbc:ID", str(number))  # BT-126
        name = "cbc:CreditedQuantity" if self._credits else "cbc:InvoicedQuantity"
        line.add(name, found.text, unitCode=found.unit)  # BT-129
        self._money(line, "cbc:LineExtensionAmount", group.net_minor)  # BT-131
        item = line.add("cac:Item")
        item.add("cbc:Description", texts.line_description(group))
        item.add("cbc:Name", texts.line_name(self._invoice))
        category = item.add("cac:ClassifiedTaxCategory")
        _category(category, group)  # BT-151, BT-152
        category.add("cac:TaxScheme").add("cbc:ID", "VAT")
        price = line.add("cac:Price")
        self._money(price, "cbc:PriceAmount", group.net_minor)  # BT-146
        price.add("cbc:BaseQuantity", found.text, unitCode=found.unit)  # BT-149

    def _money(self, place: Element, name: str, amount_minor: int) -> None:
        text = self._amount(amount_minor)
        place.add(name, text, currencyID=self._invoice.currency)


def _category(place: Element, group: VatGroup) -> None:
    place.add("cbc:ID", group.category.value)
    if group.category is not VatCategory.OUTSIDE:  # BR-O-05: no rate at all
        place.add("cbc:Percent", texts.percent(group.rate_bp))


def _tax_scheme(place: Element, number: str, scheme: str) -> None:
    registration = place.add("cac:PartyTaxScheme")
    registration.add("cbc:CompanyID", number)
    registration.add("cac:TaxScheme").add("cbc:ID", scheme)
