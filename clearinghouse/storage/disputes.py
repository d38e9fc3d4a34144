"""Disputes: their files, as their two sides and the operator read them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Text,
    func,
    insert,
    or_,
    select,
    update,
)

from clearinghouse.domain.disputes import (
    Act,
    Days,
    DisputeReason,
    DisputeState,
    EvidenceFormat,
    Party,
    Result,
)
from clearinghouse.storage.feeds import Cursor, Page, page_of, paged
from clearinghouse.storage.sdrs import Place
from clearinghouse.storage.tables.columns import touched
from clearinghouse.storage.tables.disputes import dispute, dispute_step
from clearinghouse.storage.tables.participants import participant
from clearinghouse.storage.tables.sdrs import sdr_chain, settlement_window

#: Disputes of one view of the operator.
DISPUTES_SHOWN_MAX = 1_000


class Evidence(NamedTuple):
    """A document that a side names: where it is, and its SHA-256 in hexadecimal."""

    reference: str
    digest: str
    format: EvidenceFormat


class Said(NamedTuple):
    """What somebody does in a dispute; the words hold no personal data."""

    party: Party
    act: Act
    amount_minor: int | None = None
    words: str | None = None
    evidence: tuple[Evidence, ...] = ()


class Step(NamedTuple):
    """A step as stored, with the state it led to."""

    said: Said
    state: DisputeState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDispute:
    """A dispute that begins."""

    dispute_id: UUID
    place: Place
    csp_id: int
    submitter_id: int
    currency: str
    net_minor: int
    reason: DisputeReason
    carried: bool
    days: Days
    asked_minor: int | None
    due_at: datetime | None
    hard_stop_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute(NewDispute):
    """A dispute as it stands; ``due_at`` and ``agreed_minor`` exclude each other.

    ``corrections``: the ids of the SDRs that it came to, credit before replacement.
    """

    csp_party: str
    submitter_party: str
    sdr_uid: str
    window_label: str
    state: DisputeState
    offered_minor: int | None
    agreed_minor: int | None
    opened_at: datetime
    ended_at: datetime | None
    changed_at: datetime
    steps: tuple[Step, ...]
    corrections: tuple[str, ...]


def insert_dispute(tx: Connection, new: NewDispute, *, at: datetime) -> None:
    """Store a dispute that begins.

    Raises :class:`sqlalchemy.exc.IntegrityError` when the SDR is disputed already.
    """
    tx.execute(
        insert(dispute).values(
            dispute_id=new.dispute_id,
            window_id=new.place.window_id,
            sdr_no=new.place.sdr_no,
            csp_id=new.csp_id,
            submitter_id=new.submitter_id,
            currency=new.currency,
            net_minor=new.net_minor,
            reason=new.reason,
            carried=new.carried,
            answer_days=new.days.answer,
            evidence_days=new.days.evidence,
            decision_days=new.days.decision,
            asked_minor=new.asked_minor,
            state=DisputeState.OPEN,
            opened_at=at,
            due_at=new.due_at,
            hard_stop_at=new.hard_stop_at,
        )
    )


def add_step(
    tx: Connection, dispute_id: UUID, said: Said, state: DisputeState, *, at: datetime
) -> int:
    """Add what was said; return the number of its row."""
    row = (
        insert(dispute_step)
        .values(
            dispute_id=dispute_id,
            party=said.party,
            act=said.act,
            state=state,
            amount_minor=said.amount_minor,
            words=said.words,
            evidence=[one._asdict() for one in said.evidence],
            at=at,
        )
        .returning(dispute_step.c.step_row)
    )
    number: int = tx.execute(row).scalar_one()
    return number


def set_state(
    tx: Connection,
    dispute_id: UUID,
    result: Result,
    *,
    due_at: datetime | None,
    at: datetime,
) -> None:
    """Move a dispute on; without ``due_at`` it is over."""
    tx.execute(
        update(dispute)
        .where(dispute.c.dispute_id == dispute_id)
        .values(
            state=result.state,
            offered_minor=result.offered_minor,
            agreed_minor=result.agreed_minor,
            due_at=due_at,
            ended_at=at if due_at is None else None,
            **touched(),
        )
    )


def csp_of(tx: Connection, dispute_id: UUID) -> int | None:
    """Return whose decisions a dispute is among, ``None`` for no dispute."""
    query = select(dispute.c.csp_id).where(dispute.c.dispute_id == dispute_id)
    found: int | None = tx.execute(query).scalar_one_or_none()
    return found


def dispute_by_id(tx: Connection, dispute_id: UUID) -> Dispute | None:
    """Return a dispute with its whole file."""
    row = tx.execute(_query().where(dispute.c.dispute_id == dispute_id)).one_or_none()
    return None if row is None else _with_files(tx, [row])[0]


def disputes_of(
    tx: Connection, participant_id: int, *, cursor: Cursor, limit: int
) -> Page[Dispute]:
    """Return a page of the disputes that a participant is a side of, by last change."""
    mine = or_(
        dispute.c.csp_id == participant_id, dispute.c.submitter_id == participant_id
    )
    rows = tx.execute(paged(_query().where(mine), dispute, cursor, limit)).all()
    files = _with_files(tx, rows[:limit])
    return page_of(rows, files, cursor=cursor, limit=limit)


def all_disputes(tx: Connection, *, running: bool) -> tuple[Dispute, ...]:
    """Return disputes for the operator, by the end of their term; ended ones last."""
    query = _query().order_by(
        dispute.c.due_at.asc().nulls_last(), dispute.c.opened_at.desc()
    )
    if running:
        query = query.where(dispute.c.ended_at.is_(None))
    return tuple(_with_files(tx, tx.execute(query.limit(DISPUTES_SHOWN_MAX)).all()))


def due_disputes(tx: Connection, now: datetime, *, limit: int) -> list[UUID]:
    """Return disputes for the clock.

    One that the house is to decide waits for its hard stop.
    """
    waits = (dispute.c.state == DisputeState.ESCALATED) & (dispute.c.hard_stop_at > now)
    query = (
        select(dispute.c.dispute_id)
        .where(dispute.c.ended_at.is_(None), dispute.c.due_at <= now, ~waits)
        .order_by(dispute.c.due_at)
        .limit(limit)
    )
    return list(tx.execute(query).scalars())


class StepNotice(NamedTuple):
    """A step for a notice: of which SDR, in which dispute, to which state."""

    sdr_uid: str
    dispute_id: UUID
    state: DisputeState


def notices_of(tx: Connection, rows: Collection[int]) -> list[StepNotice]:
    """Return steps by the numbers of their rows, in order."""
    query = (
        select(_uid_at(dispute), dispute_step.c.dispute_id, dispute_step.c.state)
        .join(dispute, dispute.c.dispute_id == dispute_step.c.dispute_id)
        .where(dispute_step.c.step_row.in_(list(rows)))
        .order_by(dispute_step.c.step_row)
    )
    return [
        StepNotice(row.sdr_uid, row.dispute_id, DisputeState(row.state))
        for row in tx.execute(query)
    ]


def _query() -> Select[Any]:
    csp, submitter = participant.alias("csp"), participant.alias("submitter")
    return (
        select(
            dispute,
            csp.c.party_id.label("csp_party"),
            submitter.c.party_id.label("submitter_party"),
            _uid_at(dispute),
            settlement_window.c.label.label("window_label"),
        )
        .join(csp, csp.c.participant_id == dispute.c.csp_id)
        .join(submitter, submitter.c.participant_id == dispute.c.submitter_id)
        .join(settlement_window, settlement_window.c.window_id == dispute.c.window_id)
    )


def _uid_at(table: Table) -> ColumnElement[str]:
    """Return the id of the SDR of a row; a join would be planned for all windows."""
    uid = func.clearing.sdr_uid_at(table.c.window_id, table.c.sdr_no, type_=Text)
    return uid.label("sdr_uid")


def _with_files(tx: Connection, rows: Sequence[Row[Any]]) -> list[Dispute]:
    ids = [row.dispute_id for row in rows]
    steps: dict[UUID, list[Step]] = {one: [] for one in ids}
    query = (
        select(dispute_step)
        .where(dispute_step.c.dispute_id.in_(ids))
        .order_by(dispute_step.c.step_row)
    )
    for row in tx.execute(query) if ids else ():
        steps[row.dispute_id].append(_step(row))
    made: dict[str, list[str]] = {str(one): [] for one in ids}
    came_to = (
        select(sdr_chain.c.dispute_id, _uid_at(sdr_chain))
        .where(sdr_chain.c.dispute_id.in_(list(made)))
        .order_by(sdr_chain.c.sdr_no)
    )
    for row in tx.execute(came_to) if ids else ():
        made[row.dispute_id].append(row.sdr_uid)
    return [
        _dispute(row, steps[row.dispute_id], made[str(row.dispute_id)]) for row in rows
    ]


def _step(row: Row[Any]) -> Step:
    said = Said(
        party=Party(row.party),
        act=Act(row.act),
        amount_minor=row.amount_minor,
        words=row.words,
        evidence=tuple(
            Evidence(
                reference=one["reference"],
                digest=one["digest"],
                format=EvidenceFormat(one["format"]),
            )
            for one in row.evidence
        ),
    )
    return Step(said, DisputeState(row.state), row.at)


def _dispute(row: Row[Any], steps: list[Step], made: list[str]) -> Dispute:
    return Dispute(
        dispute_id=row.dispute_id,
        place=Place(row.window_id, row.sdr_no),
        csp_id=row.csp_id,
        submitter_id=row.submitter_id,
        currency=row.currency,
        net_minor=row.net_minor,
        reason=DisputeReason(row.reason),
        carried=row.carried,
        days=Days(
            answer=row.answer_days,
            evidence=row.evidence_days,
            decision=row.decision_days,
        ),
        asked_minor=row.asked_minor,
        due_at=row.due_at,
        hard_stop_at=row.hard_stop_at,
        csp_party=row.csp_party,
        submitter_party=row.submitter_party,
        sdr_uid=row.sdr_uid,
        window_label=row.window_label,
        state=DisputeState(row.state),
        offered_minor=row.offered_minor,
        agreed_minor=row.agreed_minor,
        opened_at=row.opened_at,
        ended_at=row.ended_at,
        changed_at=steps[-1].at,
        steps=tuple(steps),
        corrections=tuple(made),
    )
