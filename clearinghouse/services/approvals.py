"""Four eyes: ask, approve, withdraw; the approving transaction does the act.

A use case that needs two operators calls :func:`request` in its transaction, after it
has checked that the act is possible. The function that does the act stands in
:data:`clearinghouse.services.approved_actions.EXECUTORS`; it must check again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.approvals import (
    APPROVAL_KEPT,
    PAYLOAD_BYTES_MAX,
    Approval,
    ApprovalState,
    Operator,
    OperatorStatus,
    Wanted,
    canonical,
    state_of,
    why_not_approved,
    why_not_withdrawn,
)
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note
from clearinghouse.storage import approvals as rows
from clearinghouse.storage import operators

Executor = Callable[[Connection, Environment, Approval], str]
"""Does an act in the approving transaction and says what it came to, in one line.

It raises :class:`ClearingHouseError` when the act is not possible any more: then
nothing is approved and nothing done.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request with where it is now."""

    approval: Approval
    state: ApprovalState


def request(tx: Connection, env: Environment, by: Operator, wanted: Wanted) -> Approval:
    """Ask for an act that needs a second operator; return what waits for him.

    The same request of the same operator is made once. Raises
    :class:`ClearingHouseError` (``CH.SEMANTIC``) for a payload that is too long.
    """
    if len(canonical(wanted.payload).encode()) > PAYLOAD_BYTES_MAX:
        raise ClearingHouseError(codes.SEMANTIC, "the payload is too long")
    now = env.clock.now()
    waiting = rows.same_request(tx, wanted, by=by.name, now=now)
    if waiting is not None:
        return waiting
    asked = rows.add_approval(
        tx, wanted, by=by.name, at=now, expires_at=now + APPROVAL_KEPT
    )
    subject = f"{asked.approval_id} {wanted.object}"
    note(tx, env, f"request {wanted.action}", subject, actor=actor_named(by.name))
    return asked


def approve(
    env: Environment,
    by: Operator,
    approval_id: int,
    executors: Mapping[str, Executor],
) -> Approval:
    """Give the second word and do the act, both or neither; return the approval.

    Raises :class:`ClearingHouseError`: ``APPROVAL_UNKNOWN``; ``APPROVAL_STATE`` when it
    waits no more; ``APPROVAL_SAME`` for the one who asked; ``APPROVAL_EARLY``;
    ``APPROVAL_DIGEST``; and whatever the act itself raises.
    """
    with env.database.begin() as tx:
        asked = _waiting(tx, approval_id)
        now = env.clock.now()
        # As he is now: he may have been shut out since he said who he is.
        stored = operators.operator_named(tx, by.name)
        if stored is None or stored.operator.status is not OperatorStatus.ACTIVE:
            raise ClearingHouseError(codes.LOGIN_FAILED)
        refused = why_not_approved(asked, stored.operator, now)
        if refused is not None:
            raise ClearingHouseError(refused)
        outcome = executors[asked.wanted.action](tx, env, asked)
        rows.set_approved(tx, approval_id, by=by.name, at=now, outcome=outcome)
        subject = f"{approval_id} {asked.wanted.object}"
        note(tx, env, asked.wanted.action, subject, actor=actor_named(by.name))
        return _waiting(tx, approval_id)


def withdraw(env: Environment, by: Operator, approval_id: int) -> Approval:
    """Take a request back; any operator may stop one. Returns what was withdrawn.

    Raises :class:`ClearingHouseError`: ``APPROVAL_UNKNOWN``, ``APPROVAL_STATE``.
    """
    with env.database.begin() as tx:
        asked = _waiting(tx, approval_id)
        now = env.clock.now()
        refused = why_not_withdrawn(asked, now)
        if refused is not None:
            raise ClearingHouseError(refused)
        rows.set_withdrawn(tx, approval_id, by=by.name, at=now)
        subject = f"{approval_id} {asked.wanted.object}"
        action = f"withdraw {asked.wanted.action}"
        note(tx, env, action, subject, actor=actor_named(by.name))
        return _waiting(tx, approval_id)


def newest(env: Environment) -> tuple[Shown, ...]:
    """Return the newest requests and where they are, newest first."""
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        found = rows.newest_approvals(tx)
    return tuple(Shown(approval=one, state=state_of(one, now)) for one in found)


def actor_named(name: str) -> str:
    """Return how the audit trail names an operator."""
    return f"operator {name}"


def _waiting(tx: Connection, approval_id: int) -> Approval:
    found = rows.approval_for_word(tx, approval_id)
    if found is None:
        raise ClearingHouseError(
            codes.APPROVAL_UNKNOWN, "see: clearinghouse approval list"
        )
    return found
