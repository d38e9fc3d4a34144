"""Booking invoices and credit notes inside the closing transaction (4.3-I3, 2.9).

Numbers are drawn here and nowhere else, a block for each series in a fixed order; a
closing that fails gives them back. A billing profile that is missing stops nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.billing import profile_in_force
from clearinghouse.domain.documents import Draft, Party, reason_of
from clearinghouse.domain.numbering import DocumentKind, series_key, series_of
from clearinghouse.domain.vat import VatCategory, VatRule
from clearinghouse.storage import agreements, billing, documents, participants, vat
from clearinghouse.storage.documents import NewDocument, Side
from clearinghouse.storage.statements import draw_numbers

_PAYMENT_DAYS = Terms().payment_days


@dataclass(frozen=True, slots=True)
class _Around:
    """What documents name besides their figures."""

    parties: Mapping[int, Party]
    days: Mapping[tuple[int, int, str], int]
    rules: Mapping[int, VatRule]
    preceding: Mapping[Side, Sequence[str]]


def book(
    tx: Connection, window_id: int, drafts: Sequence[Draft], *, at: datetime
) -> int:
    """Book the documents of a closing window under new numbers; return how many."""
    if not drafts:
        return 0
    around = _around(tx, window_id, drafts, at)
    by_series: dict[str, list[Draft]] = defaultdict(list)
    for draft in sorted(drafts, key=lambda one: _order(one, around.parties)):
        seller = around.parties[draft.seller_id].party_id
        by_series[series_of(draft.kind, seller)].append(draft)
    made: list[NewDocument] = []
    for series, found in sorted(by_series.items()):
        numbers = draw_numbers(tx, series=series, year=at.year, count=len(found))
        key = series_key(series, at.year)
        made += [
            _new(str(number), key, draft, around, at)
            for number, draft in zip(numbers, found, strict=True)
        ]
    documents.insert_documents(tx, made, window_id, at=at)
    return len(made)


def _around(
    tx: Connection, window_id: int, drafts: Iterable[Draft], at: datetime
) -> _Around:
    people = {side for one in drafts for side in (one.seller_id, one.buyer_id)}
    found = participants.participants_by_id(tx, people)
    profiles = billing.versions_by_party(tx, [one.party_id for one in found.values()])
    rules = {total.rule_id for one in drafts for total in one.vat}
    return _Around(
        parties={
            number: Party(
                party_id=one.party_id,
                name=one.name,
                country=one.country,
                profile=profile_in_force(profiles.get(one.party_id, ()), at.date()),
            )
            for number, one in found.items()
        },
        days=agreements.payment_days(tx, at=at),
        rules=vat.rules_by_id(tx, rules - {0}),
        preceding=documents.preceding_invoices(tx, window_id)
        if any(one.kind is DocumentKind.CREDIT_NOTE for one in drafts)
        else {},
    )


def _order(draft: Draft, parties: Mapping[int, Party]) -> tuple[str, ...]:
    """Return the place of a document among those of its series."""
    categories = "".join(total.category for total in draft.vat)
    return draft.currency, parties[draft.buyer_id].party_id, categories


def _new(
    number: str, series: str, draft: Draft, around: _Around, at: datetime
) -> NewDocument:
    pair = (draft.seller_id, draft.buyer_id, draft.currency)
    days = around.days.get(pair, _PAYMENT_DAYS)
    return NewDocument(
        number=number,
        series=series,
        draft=draft,
        seller=around.parties[draft.seller_id],
        buyer=around.parties[draft.buyer_id],
        due_on=at.date() + timedelta(days=days),
        reasons=tuple(reason_of(total, around.rules) for total in draft.vat),
        preceding=tuple(_preceding(draft, around.preceding)),
    )


def _preceding(draft: Draft, known: Mapping[Side, Sequence[str]]) -> Sequence[str]:
    if draft.kind is DocumentKind.INVOICE:
        return ()
    is_outside = any(one.category is VatCategory.OUTSIDE for one in draft.vat)
    side = (draft.seller_id, draft.buyer_id, draft.currency, is_outside)
    return known.get(side, ())
