"""What a notice of the settlement says, read when it is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from clearinghouse.domain.disputes import TURN_OF, DisputeState
from clearinghouse.domain.settlement_notices import News, Notice
from clearinghouse.storage.tables.disputes import dispute, dispute_step
from clearinghouse.storage.tables.documents import document
from clearinghouse.storage.tables.run_terms import fee_document
from clearinghouse.storage.tables.runs import settlement_run
from clearinghouse.storage.tables.sdrs import sdr, settlement_window
from clearinghouse.storage.tables.settlement import statement


def of_window(tx: Connection, window_id: int, at: datetime) -> Notice | None:
    """Return the notice of a closed window."""
    query = select(settlement_window.c.label).where(
        settlement_window.c.window_id == window_id
    )
    label = tx.execute(query).scalar_one_or_none()
    if label is None:
        return None
    return Notice(
        news=News.WINDOW_CLOSED,
        occurred_at=at,
        window_id=window_id,
        window_label=label,
    )


def of_statement(tx: Connection, statement_id: str, at: datetime) -> Notice | None:
    """Return the notice of an issued statement."""
    query = (
        select(statement.c.window_id, statement.c.currency, settlement_window.c.label)
        .join(settlement_window, settlement_window.c.window_id == statement.c.window_id)
        .where(statement.c.statement_id == statement_id)
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return Notice(
        news=News.STATEMENT_READY,
        occurred_at=at,
        window_id=row.window_id,
        window_label=row.label,
        currency=row.currency,
        statement_id=statement_id,
    )


def of_invoice(tx: Connection, number: str, at: datetime) -> Notice | None:
    """Return the notice of an issued invoice or credit note, the house's included."""
    query = (
        select(document.c.window_id, document.c.currency, settlement_window.c.label)
        .join(settlement_window, settlement_window.c.window_id == document.c.window_id)
        .where(document.c.number == number)
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return _of_fee(tx, number, at)
    return Notice(
        news=News.INVOICE_READY,
        occurred_at=at,
        window_id=row.window_id,
        window_label=row.label,
        currency=row.currency,
        document_number=number,
    )


def _of_fee(tx: Connection, number: str, at: datetime) -> Notice | None:
    """Return the notice of an invoice for fees: it belongs to a run."""
    query = (
        select(settlement_run.c.run_id, settlement_run.c.currency)
        .join(fee_document, fee_document.c.run_id == settlement_run.c.run_id)
        .where(fee_document.c.number == number)
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return Notice(
        news=News.INVOICE_READY,
        occurred_at=at,
        run_id=row.run_id,
        currency=row.currency,
        document_number=number,
    )


def of_run(tx: Connection, run_id: int, at: datetime) -> Notice | None:
    """Return the notice of a settled run."""
    query = select(settlement_run.c.currency).where(settlement_run.c.run_id == run_id)
    currency = tx.execute(query).scalar_one_or_none()
    if currency is None:
        return None
    return Notice(
        news=News.RUN_SETTLED, occurred_at=at, run_id=run_id, currency=currency
    )


def of_step(tx: Connection, step_row: int) -> Notice | None:
    """Return the notice of a step in a dispute; a term only while it still runs."""
    query = (
        select(
            dispute.c.dispute_id,
            dispute.c.state.label("state_now"),
            dispute.c.due_at,
            dispute_step.c.state,
            dispute_step.c.at,
            sdr.c.sdr_uid,
        )
        .join(dispute, dispute.c.dispute_id == dispute_step.c.dispute_id)
        .join(
            sdr,
            (sdr.c.window_id == dispute.c.window_id)
            & (sdr.c.sdr_no == dispute.c.sdr_no),
        )
        .where(dispute_step.c.step_row == step_row)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _step(row)


def _step(row: Any) -> Notice:  # noqa: ANN401 - a row of the query
    state = DisputeState(row.state)
    return Notice(
        news=News.DISPUTE_MOVED,
        occurred_at=row.at,
        dispute_id=row.dispute_id,
        sdr_id=row.sdr_uid,
        dispute_state=state,
        turn_of=TURN_OF.get(state),
        due_at=row.due_at if row.state_now == state else None,
    )
