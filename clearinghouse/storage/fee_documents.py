"""Invoices of the house for its fees, read back whole, and proved (settlement 2.9)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, or_, select, text

from clearinghouse.domain import numbering
from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.documents import Document, Party, reason_of
from clearinghouse.domain.fee_documents import fee_lines, fee_vat
from clearinghouse.domain.fees import PAYMENT_DAYS
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.vat import VatCategory, VatTreatment
from clearinghouse.storage import billing, fees, participants, vat
from clearinghouse.storage.tables.participants import participant
from clearinghouse.storage.tables.run_terms import fee_document, fee_plan
from clearinghouse.storage.tables.runs import run_window
from clearinghouse.storage.tables.sdrs import settlement_window

# What the run charges, what its documents say and what the ledger holds are three
# records of one fee; and the series has given out as many numbers as there are
# documents. A reversal has no fees of its own: its documents give back those of the
# run that it reverses.
_FAULTS = text("""
    WITH booked AS (
        SELECT party_id, sum(net_minor)::bigint AS net, sum(vat_minor)::bigint AS vat
        FROM clearing.fee_document WHERE run_id = :run_id GROUP BY 1
    ), charged AS (
        SELECT f.party_id, f.net_minor AS net, f.vat_minor AS vat
        FROM clearing.settlement_run AS r
        JOIN clearing.run_fee AS f ON f.run_id = coalesce(r.reverses_run_id, r.run_id)
        WHERE r.run_id = :run_id
    ), posted AS (
        SELECT split_part(o.debit_account, ':', 2) AS party_id,
               sum(o.amount_minor) FILTER (WHERE o.code = 'FEE')::bigint AS net,
               sum(o.amount_minor) FILTER (WHERE o.code = 'FEE-VAT')::bigint AS vat
        FROM clearing.settlement_run AS r
        JOIN clearing.posting AS o ON o.run_id = coalesce(r.reverses_run_id, r.run_id)
        WHERE r.run_id = :run_id AND o.code IN ('FEE', 'FEE-VAT') AND (
            r.reverses_run_id IS NULL OR EXISTS (
                SELECT FROM clearing.posting AS m
                WHERE m.posting_key = 'R' || r.run_id || ':' || o.posting_key
                                      || ':' || 'MIRROR'
                  AND m.debit_account = o.credit_account
                  AND m.credit_account = o.debit_account
                  AND m.amount_minor = o.amount_minor))
        GROUP BY 1
    )
    SELECT format(
        'fee of %s with VAT: charged %s + %s, invoiced %s + %s, posted %s + %s',
        party_id, coalesce(charged.net, 0), coalesce(charged.vat, 0),
        coalesce(booked.net, 0), coalesce(booked.vat, 0),
        coalesce(posted.net, 0), coalesce(posted.vat, 0))
    FROM booked FULL JOIN charged USING (party_id) FULL JOIN posted USING (party_id)
    WHERE (coalesce(booked.net, 0), coalesce(booked.vat, 0))
              <> (coalesce(charged.net, 0), coalesce(charged.vat, 0))
       OR (coalesce(booked.net, 0), coalesce(booked.vat, 0))
              <> (coalesce(posted.net, 0), coalesce(posted.vat, 0))
    UNION ALL
    SELECT 'numbers of ' || s.series FROM clearing.document_series AS s
    WHERE s.series IN (
        SELECT substring(number FROM '^(.*)-[0-9]+$') FROM clearing.fee_document
        WHERE run_id = :run_id)
      AND s.last <> (
        SELECT count(*) FROM clearing.fee_document AS d
        WHERE d.number LIKE s.series || '-%')
    ORDER BY 1
""")


class _Period(NamedTuple):
    """The windows that a run took something of: the last one, and their days."""

    window_id: int
    label: str
    begins: date
    until: date


def fee_document_facts(tx: Connection, number: str) -> Document | None:
    """Return an invoice of the house whole, ``None`` when there is no such number."""
    row = tx.execute(
        select(fee_document).where(fee_document.c.number == number)
    ).one_or_none()
    return None if row is None else _document(tx, row)


def buyer_of(tx: Connection, number: str) -> int | None:
    """Return our number for whom an invoice of the house charges: who may read it."""
    query = (
        select(participant.c.participant_id)
        .join(fee_document, fee_document.c.party_id == participant.c.party_id)
        .where(fee_document.c.number == number)
    )
    return tx.execute(query).scalar_one_or_none()


def is_anything_charged(tx: Connection) -> bool:
    """Say whether the house charges fees: there is a plan, or was an invoice."""
    plan, invoice = select(fee_plan.c.plan_id), select(fee_document.c.number)
    return bool(tx.execute(select(or_(plan.exists(), invoice.exists()))).scalar_one())


def faults(tx: Connection, run_id: int) -> list[str]:
    """Return where fees, documents, postings and numbers of a run differ."""
    return list(tx.execute(_FAULTS, {"run_id": run_id}).scalars())


def _document(tx: Connection, row: Row[Any]) -> Document:
    kind, refers_to = DocumentKind(row.kind), row.refers_to
    charged_by = _run_of(tx, row.run_id if refers_to is None else refers_to)
    (charged,) = (
        one for one in fees.fees_of(tx, charged_by) if one.party_id == row.party_id
    )
    plan = fees.plan_by_id(tx, charged.plan_id)
    treatment = _treatment(charged)
    total = fee_vat(charged.fee, treatment)
    period, issued_at = _period(tx, row.run_id), row.issued_at
    return Document(
        number=row.number,
        kind=kind,
        window_id=period.window_id,
        window_label=period.label,
        seller=_seller(tx, row),
        buyer=_buyer(tx, row),
        currency=row.currency,
        net_minor=row.net_minor,
        vat_minor=row.vat_minor,
        gross_minor=row.net_minor + row.vat_minor,
        issued_at=issued_at,
        due_on=_due_on(row.due_on, issued_at),
        period_from=period.begins,
        period_until=period.until,
        lines=fee_lines(charged.fee, plan, treatment),
        vat=(total,),
        reasons=(reason_of(total, vat.rules_by_id(tx, {total.rule_id} - {0})),),
        preceding=() if refers_to is None else (refers_to,),
        run_id=row.run_id,
    )


def _run_of(tx: Connection, found: int | str) -> int:
    """Return a run, or the one that booked an invoice."""
    if isinstance(found, int):
        return found
    query = select(fee_document.c.run_id).where(fee_document.c.number == found)
    return int(tx.execute(query).scalar_one())


def _treatment(charged: fees.RunFee) -> VatTreatment:
    return VatTreatment(
        VatCategory(charged.vat_category),
        charged.vat_rate_bp,
        reason_code="",
        reason="",
        rule_id=charged.vat_rule_id,
    )


def _due_on(known: date | None, issued_at: datetime) -> date:
    return known or issued_at.date() + timedelta(days=PAYMENT_DAYS)


def _seller(tx: Connection, row: Row[Any]) -> Party:
    """Return the house as its number names it, whatever it is called today."""
    number = numbering.parse(row.number)
    party_id = "" if number is None else number.series.partition("-")[2]
    profile = _profile(tx, party_id, row.seller_version)
    return Party(
        party_id=party_id,
        name=party_id if profile is None else profile.legal_name,
        country=party_id[:2] if profile is None else profile.country,
        profile=profile,
    )


def _buyer(tx: Connection, row: Row[Any]) -> Party:
    found = participants.participant_by_party_id(tx, row.party_id)
    return Party(
        party_id=row.party_id,
        name="" if found is None else found.name,
        country="" if found is None else found.country,
        profile=_profile(tx, row.party_id, row.buyer_version),
    )


def _profile(
    tx: Connection, party_id: str, version: int | None
) -> BillingProfile | None:
    if version is None:
        return None
    return billing.profile_version(tx, party_id, version)


def _period(tx: Connection, run_id: int) -> _Period:
    window = settlement_window.c
    rows = tx.execute(
        select(window.window_id, window.label, window.opened_at, window.cutover_at)
        .join(run_window, run_window.c.window_id == window.window_id)
        .where(run_window.c.run_id == run_id)
        .order_by(window.window_id)
    ).all()
    last = rows[-1]
    return _Period(
        window_id=last.window_id,
        label=last.label,
        begins=rows[0].opened_at.date(),
        until=last.cutover_at.date(),
    )
