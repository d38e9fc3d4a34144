"""Fee plans, the fees of runs, and the house's own invoices (settlement 2.9)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from clearinghouse.domain.fees import Fee, FeePlan, FeeSide, Tier
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.run_terms import fee_document, fee_plan, run_fee

#: Plans of one view, the newest.
PLANS_MAX = 10_000


class RunFee(NamedTuple):
    """What a run charges a participant, with its VAT, in minor units."""

    party_id: str
    plan_id: int
    fee: Fee
    vat_category: str
    vat_rate_bp: int
    vat_rule_id: int
    vat_minor: int


class FeeDocument(NamedTuple):
    """An invoice of the house for a fee, or the credit note that takes it back.

    Versions are those of the billing profiles of house and buyer, ``None`` where there
    was none; ``due_on`` is ``None`` for what was booked before it was known.
    """

    number: str
    kind: DocumentKind
    run_id: int
    party_id: str
    currency: str
    net_minor: int
    vat_minor: int
    refers_to: str | None
    seller_version: int | None = None
    buyer_version: int | None = None
    due_on: date | None = None


def add_plan(tx: Connection, plan: FeePlan, *, at: datetime) -> int:
    """Store a plan; return its number."""
    statement = insert(fee_plan).values(
        party_id=plan.party_id,
        currency=plan.currency,
        valid_from=plan.valid_from,
        side=plan.side,
        tiers=json.dumps(plan.tiers, separators=(",", ":")),
        share_ppm=plan.share_ppm,
        minimum_minor=plan.minimum_minor,
        maximum_minor=plan.maximum_minor,
        payment_days=plan.payment_days,
        created_at=at,
    )
    return int(tx.execute(statement.returning(fee_plan.c.plan_id)).scalar_one())


def plans(
    tx: Connection,
    *,
    party_ids: Collection[str] | None = None,
    currency: str | None = None,
) -> list[FeePlan]:
    """Return plans by party and number; of some parties, of one currency."""
    query = select(fee_plan).order_by(fee_plan.c.party_id, fee_plan.c.plan_id)
    if party_ids is not None:
        query = query.where(among(fee_plan.c.party_id, party_ids))
    if currency is not None:
        query = query.where(fee_plan.c.currency == currency)
    return [_plan(row) for row in tx.execute(query.limit(PLANS_MAX))]


def plan_by_id(tx: Connection, plan_id: int) -> FeePlan:
    """Return a plan that was put; it is never changed."""
    row = tx.execute(select(fee_plan).where(fee_plan.c.plan_id == plan_id)).one()
    return _plan(row)


def payment_days(tx: Connection, run_id: int) -> dict[str, int]:
    """Return within how many days each party pays the fee of a run, by its plan."""
    query = (
        select(run_fee.c.party_id, fee_plan.c.payment_days)
        .join(fee_plan, fee_plan.c.plan_id == run_fee.c.plan_id)
        .where(run_fee.c.run_id == run_id)
    )
    return {row.party_id: row.payment_days for row in tx.execute(query)}


def insert_fees(tx: Connection, run_id: int, fees: Iterable[RunFee]) -> None:
    """Store what a run charges."""
    Database.copy(
        tx,
        run_fee,
        [column.name for column in run_fee.columns],
        (
            (
                run_id,
                one.party_id,
                one.plan_id,
                *one.fee,
                one.vat_category,
                one.vat_rate_bp,
                one.vat_rule_id,
                one.vat_minor,
            )
            for one in fees
        ),
    )


def fees_of(tx: Connection, run_id: int) -> list[RunFee]:
    """Return what a run charges, by party id."""
    query = select(run_fee).where(run_fee.c.run_id == run_id)
    return [
        RunFee(
            row.party_id,
            row.plan_id,
            Fee(
                row.sdr_count,
                row.turnover_minor,
                row.sdr_minor,
                row.share_minor,
                row.net_minor,
            ),
            row.vat_category,
            row.vat_rate_bp,
            row.vat_rule_id,
            row.vat_minor,
        )
        for row in tx.execute(query.order_by(run_fee.c.party_id.collate("C")))
    ]


def insert_documents(
    tx: Connection, documents: Iterable[FeeDocument], *, at: datetime
) -> None:
    """Book invoices and credit notes of the house."""
    rows = ((one.number, one.kind.value, *one[2:], at) for one in documents)
    Database.copy(tx, fee_document, (*FeeDocument._fields, "issued_at"), rows)


def documents_of(tx: Connection, run_id: int) -> list[FeeDocument]:
    """Return the house's documents of a run, by party id."""
    query = select(fee_document).where(fee_document.c.run_id == run_id)
    return [
        FeeDocument(
            row.number,
            DocumentKind(row.kind),
            row.run_id,
            row.party_id,
            row.currency,
            row.net_minor,
            row.vat_minor,
            row.refers_to,
            row.seller_version,
            row.buyer_version,
            row.due_on,
        )
        for row in tx.execute(query.order_by(fee_document.c.party_id.collate("C")))
    ]


def _plan(row: Row[Any]) -> FeePlan:
    return FeePlan(
        party_id=row.party_id,
        currency=row.currency,
        valid_from=row.valid_from,
        side=FeeSide(row.side),
        tiers=tuple(Tier(*tier) for tier in json.loads(row.tiers)),
        share_ppm=row.share_ppm,
        minimum_minor=row.minimum_minor,
        maximum_minor=row.maximum_minor,
        payment_days=row.payment_days,
        plan_id=row.plan_id,
    )
