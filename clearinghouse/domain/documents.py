"""Invoices and credit notes of a window: what a closing books of them.

For each directed pair and currency one invoice for the charges and one credit note for
credits of earlier windows; what is outside of VAT stands on a document of its own
(EN 16931, BR-O-11). VAT is rounded once per document, category and rate. Documents are
made here and nowhere else; how they look is another matter, and comes later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.settlement import PairTotal
from clearinghouse.domain.vat import REASONED, UNTAXED, VatCategory, VatRule, vat_of


class LineItem(StrEnum):
    """What a line is for; all but the first stand on invoices of the house alone."""

    CHARGING = "CHARGING"
    FEE_PER_SDR = "FEE_PER_SDR"
    FEE_SHARE = "FEE_SHARE"
    FEE_MINIMUM = "FEE_MINIMUM"  #: what lifts a fee to the minimum of its plan
    FEE_MAXIMUM = "FEE_MAXIMUM"  #: what takes it down to the cap


class DocumentLine(NamedTuple):
    """What is supplied under one category, rate and rule at one place (a country).

    Amounts are as the document shows them: positive, also on a credit note, unless a
    line takes back more than it charges. ``detail`` says how a fee was computed.
    """

    category: VatCategory
    rate_bp: int
    place: str
    rule_id: int
    sdr_count: int
    energy_wh: int
    net_minor: int
    item: LineItem = LineItem.CHARGING
    detail: str = ""


class VatTotal(NamedTuple):
    """One category and rate of a document: its base, and VAT rounded once.

    ``rule_id`` is the rule whose reason the document gives; 0 where none fitted.
    """

    category: VatCategory
    rate_bp: int
    rule_id: int
    sdr_count: int
    energy_wh: int
    base_minor: int
    vat_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document without its number; participants are our numbers for them."""

    kind: DocumentKind
    seller_id: int
    buyer_id: int
    currency: str
    lines: tuple[DocumentLine, ...]
    vat: tuple[VatTotal, ...]

    @property
    def net_minor(self) -> int:
        """Sum of the lines (BR-CO-10)."""
        return sum(total.base_minor for total in self.vat)

    @property
    def vat_minor(self) -> int:
        """Sum of the VAT of all categories and rates (BR-CO-14)."""
        return sum(total.vat_minor for total in self.vat)

    @property
    def gross_minor(self) -> int:
        """Net and VAT (BR-CO-15)."""
        return self.net_minor + self.vat_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Seller or buyer as the document was made: name and seat, and profile if any."""

    party_id: str
    name: str
    country: str
    profile: BillingProfile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why there is no VAT: a code of the VATEX list, and its words."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A booked document, all that a rendering needs.

    ``reasons`` go with ``vat``, place by place; ``None`` where VAT is charged.
    ``preceding`` are the invoices that a credit note corrects (BT-25). Days are of the
    calendar of UTC, ``period_until`` is the last one. ``run_id`` is the settlement run
    of an invoice of the house for its fees; its window is the last that the run took.
    """

    number: str
    kind: DocumentKind
    window_id: int
    window_label: str
    seller: Party
    buyer: Party
    currency: str
    net_minor: int
    vat_minor: int
    gross_minor: int
    issued_at: datetime
    due_on: date
    period_from: date
    period_until: date
    lines: tuple[DocumentLine, ...]
    vat: tuple[VatTotal, ...]
    reasons: tuple[Reason | None, ...]
    preceding: tuple[str, ...] = ()
    run_id: int | None = None


def drafts_of(charges: Iterable[PairTotal]) -> tuple[Draft, ...]:
    """Return the documents of a window in a fixed order: seller, buyer, kind.

    A category and rate whose charges of this window come to less than nothing goes to
    the credit note, so that no document has a negative sum. What comes to nothing in
    every line is no document, and takes no number.
    """
    groups: dict[tuple[int, int, str, VatCategory, int], list[PairTotal]] = defaultdict(
        list
    )
    for charge in charges:
        key = (
            charge.creditor_id,
            charge.debtor_id,
            charge.currency,
            charge.vat_category,
            charge.vat_rate_bp,
        )
        groups[key].append(charge)
    lines: dict[_Place, list[DocumentLine]] = defaultdict(list)
    for (seller_id, buyer_id, currency, category, _), group in groups.items():
        for kind, found in _by_kind(group):
            is_outside = category is VatCategory.OUTSIDE
            place = _Place(currency, seller_id, buyer_id, kind, is_outside)
            lines[place] += [_line(charge, kind.sign) for charge in found]
    return tuple(_draft(place, lines[place]) for place in sorted(lines))


def reason_of(total: VatTotal, rules: Mapping[int, VatRule]) -> Reason | None:
    """Return why there is no VAT; ``None`` where the category needs no reason."""
    if total.category not in REASONED:
        return None
    rule = rules.get(total.rule_id)
    if rule is None:
        return Reason(code=UNTAXED.reason_code, text=UNTAXED.reason)
    return Reason(code=rule.reason_code, text=rule.reason)


def vat_by_pair(drafts: Iterable[Draft]) -> dict[tuple[str, int, int], int]:
    """Return the VAT by currency, debtor and creditor; credits take theirs back."""
    sums: dict[tuple[str, int, int], int] = defaultdict(int)
    for draft in drafts:
        key = (draft.currency, draft.buyer_id, draft.seller_id)
        sums[key] += draft.kind.sign * draft.vat_minor
    return dict(sums)


def violations(draft: Draft) -> tuple[str, ...]:
    """Return which rules of EN 16931 on amounts a draft breaks, exactly; none prove it.

    Each group's base is the sum of its lines, its VAT the rate on it, rounded once.
    """
    broken = []
    for total in draft.vat:
        group = [
            line
            for line in draft.lines
            if (line.category, line.rate_bp) == (total.category, total.rate_bp)
        ]
        name = f"{total.category} {total.rate_bp}"
        if total.base_minor != sum(line.net_minor for line in group):
            broken.append(f"{name}: the base is not the sum of its lines")
        if total.vat_minor != vat_of(total.base_minor, total.rate_bp):
            broken.append(f"{name}: VAT is not the rate on the base")
        if total.base_minor < 0:
            broken.append(f"{name}: the base is negative")
        if (total.category is VatCategory.STANDARD) != (total.rate_bp > 0):
            broken.append(f"{name}: a rate that the category has not")
    if draft.net_minor != sum(line.net_minor for line in draft.lines):
        broken.append("net is not the sum of the lines")
    return tuple(broken)


class _Place(NamedTuple):
    """Which document a line belongs to; the order is that of the numbers."""

    currency: str
    seller_id: int
    buyer_id: int
    kind: DocumentKind
    is_outside: bool


def _by_kind(
    group: Sequence[PairTotal],
) -> Iterable[tuple[DocumentKind, list[PairTotal]]]:
    """Split charges of one category and rate into those charged and those credited."""
    charged = [one for one in group if one.kind is DocumentKind.INVOICE]
    credited = [one for one in group if one.kind is DocumentKind.CREDIT_NOTE]
    if sum(one.net_minor for one in charged) < 0:
        charged, credited = [], [*charged, *credited]
    if sum(one.net_minor for one in credited) > 0:
        charged, credited = [*charged, *credited], []
    for kind, found in (
        (DocumentKind.INVOICE, charged),
        (DocumentKind.CREDIT_NOTE, credited),
    ):
        if any(one.net_minor for one in found):
            yield kind, found


def _line(charge: PairTotal, sign: int) -> DocumentLine:
    return DocumentLine(
        charge.vat_category,
        charge.vat_rate_bp,
        charge.place,
        charge.vat_rule_id,
        charge.sdr_count,
        charge.energy_wh,
        sign * charge.net_minor,
    )


def _draft(place: _Place, lines: list[DocumentLine]) -> Draft:
    lines.sort()
    groups: dict[tuple[VatCategory, int], list[DocumentLine]] = defaultdict(list)
    for line in lines:
        groups[line.category, line.rate_bp].append(line)
    return Draft(
        kind=place.kind,
        seller_id=place.seller_id,
        buyer_id=place.buyer_id,
        currency=place.currency,
        lines=tuple(lines),
        vat=tuple(
            _total(category, rate_bp, group)
            for (category, rate_bp), group in groups.items()
        ),
    )


def _total(
    category: VatCategory, rate_bp: int, group: Sequence[DocumentLine]
) -> VatTotal:
    base_minor = sum(line.net_minor for line in group)
    # Rules of one category and rate may give several reasons; a document gives one.
    rules = [line.rule_id for line in group if line.rule_id]
    return VatTotal(
        category,
        rate_bp,
        min(rules, default=0),
        sum(line.sdr_count for line in group),
        sum(line.energy_wh for line in group),
        base_minor,
        vat_of(base_minor, rate_bp),
    )
