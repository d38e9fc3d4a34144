"""Invoices and credit notes: booked by a closing, read back whole, and proved.

Nothing here changes a document: a wrong one is taken back by a credit note.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text

from clearinghouse.domain.documents import (
    Document,
    DocumentLine,
    Draft,
    Party,
    Reason,
    VatTotal,
)
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.vat import VatCategory
from clearinghouse.storage import billing
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.documents import (
    document,
    document_line,
    document_reference,
    document_vat,
)
from clearinghouse.storage.tables.sdrs import settlement_window

# The claim and the documents are two computations of one net, positions and documents
# of one gross; and each document has to add up by itself, with VAT rounded once. The
# last part proves the numbers: as many documents as the series has given out.
_FAULTS = text("""
    WITH mine AS (
        SELECT *, CASE kind WHEN '380' THEN 1 ELSE -1 END AS sign
        FROM clearing.document WHERE window_id = :window_id
    ), booked AS (
        SELECT settlement_id, currency, documents FROM clearing.settlement
        WHERE window_id = :window_id AND documents IS NOT NULL
    ), claim AS (
        SELECT currency, csp_id AS buyer_id, submitter_id AS seller_id,
               sum(net_minor)::bigint AS net
        FROM clearing.batch_total JOIN booked USING (currency)
        WHERE window_id = :window_id GROUP BY 1, 2, 3
    ), charged AS (
        SELECT currency, buyer_id, seller_id, sum(sign * net_minor)::bigint AS net
        FROM mine GROUP BY 1, 2, 3
    ), owed AS (
        SELECT currency, side.participant_id, sum(side.amount)::bigint AS gross
        FROM mine CROSS JOIN LATERAL (
            VALUES (buyer_id, -sign * gross_minor), (seller_id, sign * gross_minor)
        ) AS side (participant_id, amount)
        GROUP BY 1, 2
    ), position AS (
        SELECT currency, participant_id, q.net_minor AS gross
        FROM booked JOIN clearing.settlement_position AS q USING (settlement_id)
    ), part AS (
        SELECT d.number, d.net_minor, d.vat_minor,
               (SELECT sum(l.net_minor) FROM clearing.document_line AS l
                WHERE l.number = d.number) AS lines,
               (SELECT sum(v.base_minor) FROM clearing.document_vat AS v
                WHERE v.number = d.number) AS bases,
               (SELECT sum(v.vat_minor) FROM clearing.document_vat AS v
                WHERE v.number = d.number) AS vats
        FROM mine AS d
    )
    SELECT 'net of ' || seller_id || ' to ' || buyer_id || ' in ' || currency
    FROM claim FULL JOIN charged USING (currency, buyer_id, seller_id)
    WHERE coalesce(claim.net, 0) <> coalesce(charged.net, 0)
    UNION ALL
    SELECT 'gross of ' || participant_id || ' in ' || currency
    FROM position FULL JOIN owed USING (currency, participant_id)
    WHERE coalesce(position.gross, 0) <> coalesce(owed.gross, 0)
    UNION ALL
    SELECT 'number of documents in ' || currency FROM booked
    WHERE documents <> (SELECT count(*) FROM mine WHERE mine.currency = booked.currency)
    UNION ALL
    SELECT number || ' does not add up' FROM part
    WHERE net_minor IS DISTINCT FROM lines OR net_minor IS DISTINCT FROM bases
       OR vat_minor IS DISTINCT FROM vats
    UNION ALL
    SELECT v.number || ' VAT of ' || v.category || ' ' || v.rate_bp
    FROM clearing.document_vat AS v JOIN mine USING (number)
    WHERE v.vat_minor <> (2 * v.base_minor * v.rate_bp + 10000) / 20000
       OR v.base_minor <> (
            SELECT sum(l.net_minor) FROM clearing.document_line AS l
            WHERE l.number = v.number AND l.category = v.category
              AND l.rate_bp = v.rate_bp)
    UNION ALL
    SELECT 'numbers of ' || s.series FROM clearing.document_series AS s
    WHERE s.series IN (SELECT series FROM mine) AND s.last <> (
        SELECT count(*) FROM clearing.document AS d WHERE d.series = s.series)
    ORDER BY 1
""")

# The invoices of the SDRs that a window gives back; of a window that was closed before
# there were documents, none.
_PRECEDING = text("""
    SELECT DISTINCT s.submitter_id, s.csp_id, s.currency, s.vat_category = 'O', d.number
    FROM clearing.sdr AS s JOIN clearing.document AS d
      ON d.window_id = s.ref_window_id AND d.seller_id = s.submitter_id
     AND d.buyer_id = s.csp_id AND d.currency = s.currency AND d.kind = '380'
    JOIN clearing.document_vat AS v ON v.number = d.number
     AND v.category = s.vat_category AND v.rate_bp = s.vat_rate_bp
    WHERE s.window_id = :window_id AND s.status = 'ACCEPTED' AND s.kind = 'CREDIT'
      AND s.ref_window_id <> s.window_id AND NOT EXISTS (
        SELECT FROM clearing.sdr_exclusion AS e
        WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
    ORDER BY 5
""")

#: Seller, buyer, currency, and whether what is outside of VAT is meant.
Side = tuple[int, int, str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document that a closing books: its number, and whom it names.

    ``reasons`` go with the draft's VAT totals. Versions are those of the billing
    profiles, ``None`` where a party has none.
    """

    number: str
    series: str
    draft: Draft
    seller: Party
    buyer: Party
    due_on: date
    reasons: tuple[Reason | None, ...]
    preceding: tuple[str, ...] = ()


def insert_documents(
    tx: Connection, documents: Sequence[NewDocument], window_id: int, *, at: datetime
) -> None:
    """Book the documents of a closing, with their lines, VAT and references."""
    Database.copy(
        tx,
        document,
        tuple(column.name for column in document.columns),
        (_row(one, window_id, at) for one in documents),
    )
    Database.copy(
        tx,
        document_line,
        tuple(column.name for column in document_line.columns),
        (
            (one.number, line_no, *_values(line))
            for one in documents
            for line_no, line in enumerate(one.draft.lines, 1)
        ),
    )
    Database.copy(
        tx,
        document_vat,
        tuple(column.name for column in document_vat.columns),
        (
            _vat_row(one.number, total, reason)
            for one in documents
            for total, reason in zip(one.draft.vat, one.reasons, strict=True)
        ),
    )
    Database.copy(
        tx,
        document_reference,
        ("number", "preceding"),
        ((one.number, preceding) for one in documents for preceding in one.preceding),
    )


def document_facts(tx: Connection, number: str) -> Document | None:
    """Return a booked document whole, ``None`` when there is no such number."""
    query = (
        select(
            document,
            settlement_window.c.label,
            settlement_window.c.opened_at,
            settlement_window.c.cutover_at,
        )
        .join(settlement_window, settlement_window.c.window_id == document.c.window_id)
        .where(document.c.number == number)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _document(tx, row)


def preceding_invoices(tx: Connection, window_id: int) -> dict[Side, list[str]]:
    """Return the invoices that the credit notes of a window correct, in order."""
    found: dict[Side, list[str]] = defaultdict(list)
    for *side, number in tx.execute(_PRECEDING, {"window_id": window_id}):
        seller_id, buyer_id, currency, is_outside = side
        found[seller_id, buyer_id, currency, is_outside].append(number)
    return dict(found)


def numbers_of_window(tx: Connection, window_id: int) -> list[str]:
    """Return the numbers of a window's documents in order."""
    query = (
        select(document.c.number)
        .where(document.c.window_id == window_id)
        .order_by(document.c.number.collate("C"))
    )
    return list(tx.execute(query).scalars())


def sides_of(tx: Connection, number: str) -> tuple[int, int] | None:
    """Return our numbers for seller and buyer of a document: who may read it."""
    query = select(document.c.seller_id, document.c.buyer_id).where(
        document.c.number == number
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else (row.seller_id, row.buyer_id)


def faults(tx: Connection, window_id: int) -> list[str]:
    """Return what does not agree about a window's documents; empty proves them."""
    return [
        f"documents: {fault}"
        for fault in tx.execute(_FAULTS, {"window_id": window_id}).scalars()
    ]


def _row(new: NewDocument, window_id: int, at: datetime) -> tuple[object, ...]:
    draft = new.draft
    return (
        new.number,
        new.series,
        draft.kind.value,
        window_id,
        draft.seller_id,
        *_party_row(new.seller),
        draft.buyer_id,
        *_party_row(new.buyer),
        draft.currency,
        draft.net_minor,
        draft.vat_minor,
        draft.gross_minor,
        at,
        new.due_on,
    )


def _party_row(party: Party) -> tuple[object, ...]:
    profile = party.profile
    version = None if profile is None else profile.version
    return party.party_id, party.name, party.country, version


def _values(line: DocumentLine) -> Iterable[object]:
    return (
        line.category.value,
        line.rate_bp,
        line.place,
        line.rule_id,
        line.sdr_count,
        line.energy_wh,
        line.net_minor,
    )


def _vat_row(number: str, total: VatTotal, reason: Reason | None) -> tuple[object, ...]:
    code, words = ("", "") if reason is None else (reason.code, reason.text)
    return (
        number,
        total.category.value,
        total.rate_bp,
        total.rule_id,
        code,
        words,
        total.sdr_count,
        total.energy_wh,
        total.base_minor,
        total.vat_minor,
    )


def _document(tx: Connection, row: Row[Any]) -> Document:
    number = row.number
    lines = tx.execute(
        select(document_line)
        .where(document_line.c.number == number)
        .order_by(document_line.c.line_no)
    )
    vat = tx.execute(
        select(document_vat)
        .where(document_vat.c.number == number)
        .order_by(document_vat.c.category.collate("C"), document_vat.c.rate_bp)
    ).all()
    preceding = tx.execute(
        select(document_reference.c.preceding)
        .where(document_reference.c.number == number)
        .order_by(document_reference.c.preceding.collate("C"))
    )
    return Document(
        number=number,
        kind=DocumentKind(row.kind),
        window_id=row.window_id,
        window_label=row.label,
        seller=_party(tx, row, "seller"),
        buyer=_party(tx, row, "buyer"),
        currency=row.currency,
        net_minor=row.net_minor,
        vat_minor=row.vat_minor,
        gross_minor=row.gross_minor,
        issued_at=row.issued_at,
        due_on=row.due_on,
        period_from=row.opened_at.date(),
        period_until=row.cutover_at.date(),
        lines=tuple(_line(one) for one in lines),
        vat=tuple(_total(one) for one in vat),
        reasons=tuple(_reason(one) for one in vat),
        preceding=tuple(preceding.scalars()),
    )


def _party(tx: Connection, row: Row[Any], side: str) -> Party:
    party_id = getattr(row, f"{side}_party")
    version = getattr(row, f"{side}_version")
    return Party(
        party_id=party_id,
        name=getattr(row, f"{side}_name"),
        country=getattr(row, f"{side}_country"),
        profile=None
        if version is None
        else billing.profile_version(tx, party_id, version),
    )


def _line(row: Row[Any]) -> DocumentLine:
    return DocumentLine(
        VatCategory(row.category),
        row.rate_bp,
        row.place_country,
        row.rule_id,
        row.sdr_count,
        row.energy_wh,
        row.net_minor,
    )


def _total(row: Row[Any]) -> VatTotal:
    return VatTotal(
        VatCategory(row.category),
        row.rate_bp,
        row.rule_id,
        row.sdr_count,
        row.energy_wh,
        row.base_minor,
        row.vat_minor,
    )


def _reason(row: Row[Any]) -> Reason | None:
    if not row.reason_code and not row.reason:
        return None
    return Reason(code=row.reason_code, text=row.reason)
