"""Invoices and credit notes as UBL 2.1, after the core model of EN 16931."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from clearinghouse.domain.documents import Document, DocumentLine, Party
from clearinghouse.domain.vat import VatCategory
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


def render(document: Document) -> bytes:
    """Return the document.

    Raises :class:`~clearinghouse.reports.invoice_texts.UnfitDocumentError` when the
    standard cannot hold it.
    """
    return _Writer(document, texts.check(document)).document()


class _Writer:
    """Writes one document; UBL has two kinds of root that differ in a few names."""

    def __init__(self, document: Document, amount: AmountText) -> None:
        self._document = document
        self._amount = amount
        self._credits = texts.is_credit_note(document)
        self._kind = "CreditNote" if self._credits else "Invoice"
        self._root = root(self._kind, _names(self._kind))

    def document(self) -> bytes:
        self._title()
        document = self._document
        supplier = self._root.within("cac:AccountingSupplierParty", "cac:Party")
        self._party(supplier, document.seller, is_seller=True)  # BG-4
        customer = self._root.within("cac:AccountingCustomerParty", "cac:Party")
        self._party(customer, document.buyer, is_seller=False)  # BG-7
        self._delivery_and_payment()
        self._vat()
        self._totals()
        for number, line in enumerate(document.lines, 1):
            self._line(number, line)
        return self._root.document()

    def _title(self) -> None:
        document, top = self._document, self._root
        top.add("cbc:CustomizationID", texts.SPECIFICATION)  # BT-24
        top.add("cbc:ID", document.number)  # BT-1
        top.add("cbc:IssueDate", document.issued_at.date().isoformat())  # BT-2
        if not self._credits:
            top.add("cbc:DueDate", document.due_on.isoformat())  # BT-9
        top.add(f"cbc:{self._kind}TypeCode", document.kind.value)  # BT-3
        top.add("cbc:DocumentCurrencyCode", document.currency)  # BT-5
        period = top.add("cac:InvoicePeriod")  # BG-14
        period.add("cbc:StartDate", document.period_from.isoformat())
        period.add("cbc:EndDate", document.period_until.isoformat())
        for number in document.preceding:  # BT-25
            reference = top.within(
                "cac:BillingReference", "cac:InvoiceDocumentReference"
            )
            reference.add("cbc:ID", number)

    def _party(self, place: Element, party: Party, *, is_seller: bool) -> None:
        profile = texts.profile_of(party)
        place.add("cac:PartyIdentification").add("cbc:ID", party.party_id)  # BT-29, 46
        address = place.add("cac:PostalAddress")  # BG-5, BG-8
        for name, value in (
            ("cbc:StreetName", profile.street),
            ("cbc:CityName", profile.city),
            ("cbc:PostalZone", profile.postcode),
        ):
            if value:
                address.add(name, value)
        address.add("cac:Country").add("cbc:IdentificationCode", profile.country)
        if profile.vat_id and not texts.is_outside(self._document):
            _tax_scheme(place, profile.vat_id, "VAT")  # BT-31, BT-48
        if is_seller and profile.tax_number:
            _tax_scheme(place, profile.tax_number, "FC")  # BT-32
        entity = place.add("cac:PartyLegalEntity")
        entity.add("cbc:RegistrationName", profile.legal_name)  # BT-27, BT-44
        if profile.contact_email:
            contact = place.add("cac:Contact")
            contact.add("cbc:ElectronicMail", profile.contact_email)  # BT-43, BT-58

    def _delivery_and_payment(self) -> None:
        document, top = self._document, self._root
        delivery = top.add("cac:Delivery")
        delivery.add(
            "cbc:ActualDeliveryDate", document.period_until.isoformat()
        )  # BT-72
        if texts.is_intra_community(document):
            address = delivery.within("cac:DeliveryLocation", "cac:Address")
            country = address.add("cac:Country")  # BT-80
            code = texts.profile_of(document.buyer).country
            country.add("cbc:IdentificationCode", code)
        means = top.add("cac:PaymentMeans")
        means.add("cbc:PaymentMeansCode", texts.PAYMENT_MEANS)  # BT-81
        if self._credits:  # a credit note has no other place for it
            means.add("cbc:PaymentDueDate", document.due_on.isoformat())  # BT-9
        top.add("cac:PaymentTerms").add("cbc:Note", texts.terms(document))  # BT-20

    def _vat(self) -> None:
        total = self._root.add("cac:TaxTotal")
        self._money(total, "cbc:TaxAmount", self._document.vat_minor)  # BT-110
        document = self._document
        for group, reason in zip(document.vat, document.reasons, strict=True):  # BG-23
            part = total.add("cac:TaxSubtotal")
            self._money(part, "cbc:TaxableAmount", group.base_minor)  # BT-116
            self._money(part, "cbc:TaxAmount", group.vat_minor)  # BT-117
            category = part.add("cac:TaxCategory")
            _category(category, group.category, group.rate_bp)
            if reason is not None and reason.code:
                category.add("cbc:TaxExemptionReasonCode", reason.code)  # BT-121
            if reason is not None and reason.text:
                category.add("cbc:TaxExemptionReason", reason.text)  # BT-120
            category.add("cac:TaxScheme").add("cbc:ID", "VAT")

    def _totals(self) -> None:
        document = self._document
        totals = self._root.add("cac:LegalMonetaryTotal")  # BG-22
        for name, amount_minor in (
            ("LineExtensionAmount", document.net_minor),  # BT-106
            ("TaxExclusiveAmount", document.net_minor),  # BT-109
            ("TaxInclusiveAmount", document.gross_minor),  # BT-112
            ("PayableAmount", document.gross_minor),  # BT-115
        ):
            self._money(totals, f"cbc:{name}", amount_minor)

    def _line(self, number: int, billed: DocumentLine) -> None:
        found = texts.quantity(billed)
        line = self._root.add(f"cac:{self._kind}Line")
        line.add("cbc:ID", str(number))  # BT-126
        name = "cbc:CreditedQuantity" if self._credits else "cbc:InvoicedQuantity"
        line.add(name, found.billed, unitCode=found.unit)  # BT-129
        self._money(line, "cbc:LineExtensionAmount", billed.net_minor)  # BT-131
        item = line.add("cac:Item")
        item.add("cbc:Description", texts.line_description(billed))
        item.add("cbc:Name", texts.line_name(self._document, billed))
        category = item.add("cac:ClassifiedTaxCategory")
        _category(category, billed.category, billed.rate_bp)  # BT-151, BT-152
        category.add("cac:TaxScheme").add("cbc:ID", "VAT")
        price = line.add("cac:Price")
        self._money(price, "cbc:PriceAmount", abs(billed.net_minor))  # BT-146
        price.add("cbc:BaseQuantity", found.base, unitCode=found.unit)  # BT-149

    def _money(self, place: Element, name: str, amount_minor: int) -> None:
        text = self._amount(amount_minor)
        place.add(name, text, currencyID=self._document.currency)


def _category(place: Element, category: VatCategory, rate_bp: int) -> None:
    place.add("cbc:ID", category.value)
    if category is not VatCategory.OUTSIDE:  # BR-O-05: no rate at all
        place.add("cbc:Percent", texts.percent(rate_bp))


def _tax_scheme(place: Element, number: str, scheme: str) -> None:
    registration = place.add("cac:PartyTaxScheme")
    registration.add("cbc:CompanyID", number)
    registration.add("cac:TaxScheme").add("cbc:ID", scheme)
