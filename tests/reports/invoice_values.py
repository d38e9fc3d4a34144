"""Invoices as values, for rendering without a database."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.documents import (
    Document,
    DocumentLine,
    Party,
    Reason,
    VatTotal,
)
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.vat import VatCategory, vat_of

SELLER = BillingProfile(
    party_id="DEABC",
    valid_from=date(2026, 1, 1),
    legal_name="Säulen & Söhne <GmbH>",
    street="Ladeweg 1",
    city="Köln",
    postcode="50667",
    country="DE",
    vat_id="DE123456789",
    tax_number="214/5733/0158",
    contact_email="billing@abc.example",
)
BUYER = BillingProfile(
    party_id="FRXYZ",
    valid_from=date(2026, 1, 1),
    legal_name="Mobilité SA",
    street="1 rue de la Prise",
    city="Lyon",
    postcode="69001",
    country="FR",
    vat_id="FR12345678901",
    contact_email="achats@xyz.example",
)
REASONS = {
    VatCategory.REVERSE_CHARGE: Reason(code="VATEX-EU-AE", text="Reverse charge"),
    VatCategory.EXEMPT: Reason(code="", text="Exempt by national law"),
    VatCategory.OUTSIDE: Reason(code="VATEX-EU-O", text="Not subject to VAT"),
    VatCategory.INTRA_COMMUNITY: Reason(
        code="VATEX-EU-IC", text="Intra-Community supply"
    ),
    VatCategory.EXPORT: Reason(code="VATEX-EU-G", text="Export outside the EU"),
}


def make_party(profile: BillingProfile | None, party_id: str = "DEABC") -> Party:
    """Make seller or buyer with this profile."""
    if profile is None:
        return Party(party_id=party_id, name=party_id, country="DE", profile=None)
    return Party(
        party_id=profile.party_id,
        name=profile.legal_name,
        country=profile.country,
        profile=profile,
    )


def make_line(
    net_minor: int = 1149,
    rate_bp: int = 1900,
    category: VatCategory = VatCategory.STANDARD,
    **override: Any,  # noqa: ANN401 - fields of the line
) -> DocumentLine:
    """Make a line of one SDR in Germany."""
    line = DocumentLine(category, rate_bp, "DE", 1, 1, 23_456, net_minor)
    return line._replace(**override)


def make_invoice(*lines: DocumentLine, **override: Any) -> Document:  # noqa: ANN401
    """Make the invoice that these lines add up to."""
    lines = lines or (make_line(),)
    groups: dict[tuple[VatCategory, int], list[DocumentLine]] = defaultdict(list)
    for line in lines:
        groups[line.category, line.rate_bp].append(line)
    vat = tuple(_total(*key, found) for key, found in groups.items())
    net_minor = sum(line.net_minor for line in lines)
    vat_minor = sum(total.vat_minor for total in vat)
    document = Document(
        number="IN-DEABC-2026-000001",
        kind=DocumentKind.INVOICE,
        window_id=7,
        window_label="2026-11",
        currency="EUR",
        issued_at=datetime(2026, 12, 1, 2, 0, tzinfo=UTC),
        due_on=date(2026, 12, 31),
        period_from=date(2026, 11, 1),
        period_until=date(2026, 11, 30),
        seller=make_party(SELLER),
        buyer=make_party(BUYER),
        lines=tuple(lines),
        vat=vat,
        reasons=tuple(REASONS.get(total.category) for total in vat),
        net_minor=net_minor,
        vat_minor=vat_minor,
        gross_minor=net_minor + vat_minor,
    )
    return replace(document, **override)


def make_credit_note(*lines: DocumentLine, **override: Any) -> Document:  # noqa: ANN401
    """Make a credit note of two invoices of the month before."""
    return make_invoice(
        *lines,
        **{
            "number": "CN-DEABC-2026-000001",
            "kind": DocumentKind.CREDIT_NOTE,
            "preceding": ("IN-DEABC-2026-000001", "IN-DEABC-2026-000004"),
            **override,
        },
    )


def _total(category: VatCategory, rate_bp: int, lines: list[DocumentLine]) -> VatTotal:
    base_minor = sum(line.net_minor for line in lines)
    return VatTotal(
        category,
        rate_bp,
        1,
        sum(line.sdr_count for line in lines),
        sum(line.energy_wh for line in lines),
        base_minor,
        vat_of(base_minor, rate_bp),
    )
