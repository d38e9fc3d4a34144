"""Invoices as values, for rendering without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from clearinghouse.domain.invoices import (
    DocumentKind,
    Invoice,
    InvoiceParty,
    VatCategory,
    VatGroup,
    vat_of,
)

SELLER = InvoiceParty(
    party_id="DEABC",
    legal_name="Säulen & Söhne <GmbH>",
    street="Ladeweg 1",
    city="Köln",
    postcode="50667",
    country="DE",
    vat_id="DE123456789",
    tax_number="214/5733/0158",
    contact_email="billing@abc.example",
)
BUYER = InvoiceParty(
    party_id="FRXYZ",
    legal_name="Mobilité SA",
    street="1 rue de la Prise",
    city="Lyon",
    postcode="69001",
    country="FR",
    vat_id="FR12345678901",
)
REASONS = {
    VatCategory.REVERSE_CHARGE: ("VATEX-EU-AE", "Reverse charge"),
    VatCategory.EXEMPT: ("", "Exempt by national law"),
    VatCategory.OUTSIDE: ("VATEX-EU-O", "Not subject to VAT"),
    VatCategory.INTRA_COMMUNITY: ("VATEX-EU-IC", "Intra-Community supply"),
    VatCategory.EXPORT: ("VATEX-EU-G", "Export outside the EU"),
}


def make_group(
    net_minor: int = 1149,
    rate_bp: int = 1900,
    category: VatCategory = VatCategory.STANDARD,
    **override: Any,  # noqa: ANN401 - fields of the group
) -> VatGroup:
    """Make a group with its VAT and, where one is asked for, its reason."""
    reason_code, reason = REASONS.get(category, ("", ""))
    group = VatGroup(
        category=category,
        rate_bp=rate_bp,
        net_minor=net_minor,
        vat_minor=vat_of(net_minor, rate_bp),
        sdr_count=1,
        energy_wh=23_456,
        reason_code=reason_code,
        reason=reason,
    )
    return replace(group, **override)


def make_invoice(*groups: VatGroup, **override: Any) -> Invoice:  # noqa: ANN401
    """Make the invoice that these groups add up to."""
    groups = groups or (make_group(),)
    net_minor = sum(group.net_minor for group in groups)
    vat_minor = sum(group.vat_minor for group in groups)
    invoice = Invoice(
        number="IN-DEABC-2026-000001",
        kind=DocumentKind.INVOICE,
        currency="EUR",
        issued_on=date(2026, 12, 1),
        period_from=date(2026, 11, 1),
        period_to=date(2026, 11, 30),
        window_label="2026-11",
        seller=SELLER,
        buyer=BUYER,
        groups=groups,
        net_minor=net_minor,
        vat_minor=vat_minor,
        gross_minor=net_minor + vat_minor,
    )
    return replace(invoice, **override)


def make_credit_note(*groups: VatGroup, **override: Any) -> Invoice:  # noqa: ANN401
    """Make a credit note of an invoice of the month before."""
    return make_invoice(
        *groups,
        **{
            "number": "CN-DEABC-2026-000001",
            "kind": DocumentKind.CREDIT_NOTE,
            "preceding": ("IN-DEABC-2026-000001", "IN-DEABC-2026-000004"),
            **override,
        },
    )
