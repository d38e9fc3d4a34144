"""Approvals: what one operator asked for, and the word of another one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from clearinghouse.domain.approvals import Approval, Wanted, canonical, digest_of
from clearinghouse.storage.tables.operators import approval

#: Requests of one list, the newest.
APPROVALS_MAX = 1_000


def add_approval(
    tx: Connection, wanted: Wanted, *, by: str, at: datetime, expires_at: datetime
) -> Approval:
    """Store a request and return it."""
    row = tx.execute(
        insert(approval)
        .values(
            action=wanted.action,
            object=wanted.object,
            payload=canonical(wanted.payload),
            payload_digest=digest_of(wanted),
            requested_by=by,
            requested_at=at,
            expires_at=expires_at,
        )
        .returning(approval)
    ).one()
    return _approval(row)


def same_request(
    tx: Connection, wanted: Wanted, *, by: str, now: datetime
) -> Approval | None:
    """Return the operator's own request of the same act that still waits."""
    query = (
        select(approval)
        .where(
            approval.c.approved_at.is_(None),
            approval.c.withdrawn_at.is_(None),
            approval.c.expires_at > now,
            approval.c.requested_by == by,
            approval.c.payload_digest == digest_of(wanted),
        )
        .order_by(approval.c.approval_id)
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _approval(row)


def approval_for_word(tx: Connection, approval_id: int) -> Approval | None:
    """Return a request; nobody else gives his word on it meanwhile."""
    query = select(approval).where(approval.c.approval_id == approval_id)
    row = tx.execute(query.with_for_update()).one_or_none()
    return None if row is None else _approval(row)


def newest_approvals(tx: Connection) -> tuple[Approval, ...]:
    """Return the newest requests, newest first."""
    query = select(approval).order_by(approval.c.approval_id.desc())
    return tuple(_approval(row) for row in tx.execute(query.limit(APPROVALS_MAX)))


def set_approved(
    tx: Connection, approval_id: int, *, by: str, at: datetime, outcome: str
) -> None:
    """Record the second operator's word and what the act came to."""
    tx.execute(
        update(approval)
        .where(approval.c.approval_id == approval_id)
        .values(approved_by=by, approved_at=at, outcome=outcome)
    )


def set_withdrawn(tx: Connection, approval_id: int, *, by: str, at: datetime) -> None:
    """Record that a request was taken back."""
    tx.execute(
        update(approval)
        .where(approval.c.approval_id == approval_id)
        .values(withdrawn_by=by, withdrawn_at=at)
    )


def _approval(row: Row[*tuple[Any, ...]]) -> Approval:
    return Approval(
        approval_id=row.approval_id,
        wanted=Wanted(
            action=row.action, object=row.object, payload=json.loads(row.payload)
        ),
        digest=bytes(row.payload_digest),
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        withdrawn_by=row.withdrawn_by,
        withdrawn_at=row.withdrawn_at,
        outcome=row.outcome,
    )
