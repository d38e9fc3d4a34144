"""Runs that are taken back: given up before they are booked, reversed afterwards.

Either needs two operators. What a run took is free again for the next one; the old run
stays in history with its reason. Who is left out of a rerun is part of what the two
approve: nothing unwinds a participant by itself (settlement 2.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import run_postings
from clearinghouse.domain import runs as rules
from clearinghouse.domain.approvals import Approval, Operator, Payload, Wanted
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import FeeMode, Plan, RunState
from clearinghouse.services import (
    approvals,
    fee_documents,
    run_payments,
    settlement_runs,
)
from clearinghouse.services.approvals import actor_named
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import participant_named
from clearinghouse.services.settlement_runs import Wish, locked, store_plan
from clearinghouse.storage import ledger, settlement
from clearinghouse.storage import runs as store
from clearinghouse.storage.run_payments import lacking_in, payments_of
from clearinghouse.storage.runs import WHOLE, Cause, NewRun, Run

#: The actions as an approval names them.
ABORT = "abort run"
REVERSE = "reverse run"


def ask_abort(
    env: Environment,
    by: Operator,
    run_id: int,
    *,
    reason: str,
    exclude: Sequence[str] | None = None,
) -> Approval:
    """Ask to give up a run that is not recorded yet.

    ``exclude``: run again at once, without these participants; ``()`` leaves nobody
    out, ``None`` does not run again. Raises :class:`ClearingHouseError`:
    ``RUN_UNKNOWN``; ``RUN_STATE`` from RECORDED on; ``UNKNOWN_PARTICIPANT``.
    """
    with env.database.begin() as tx:
        _require(locked(tx, run_id), rules.ABORTABLE)
        named = None
        if exclude is not None:
            found = {participant_named(tx, one).party_id for one in exclude}
            named = " ".join(sorted(found))
        payload: Payload = {"run": run_id, "reason": reason, "exclude": named}
        wanted = Wanted(action=ABORT, object=f"run {run_id}", payload=payload)
        return approvals.request(tx, env, by, wanted)


def abort_approved(tx: Connection, env: Environment, approval: Approval) -> str:
    """Give up a run, and run again when that was asked for; say what it came to."""
    payload, run_id = approval.wanted.payload, int(approval.wanted.payload["run"] or 0)
    reason = str(payload["reason"])
    actor = actor_named(approval.requested_by)
    store.lock_runs(tx)
    run = locked(tx, run_id)
    _require(run, rules.ABORTABLE)
    _abort(tx, run_id, Cause(reason, actor, env.clock.now()))
    said = f"run {run_id} is aborted"
    if payload["exclude"] is None:
        return said
    excluded = str(payload["exclude"]).split()
    again = settlement_runs.propose_in(
        tx,
        env,
        actor,
        Wish(
            currency=run.currency,
            model=run.model,
            fees=run.fees,
            window_labels=_labels(tx, run_id),
            exclusions=dict.fromkeys(excluded, reason),
            reason=f"instead of run {run_id}",
        ),
    )
    return f"{said}; run {again.run_id} instead"


def ask_reverse(
    env: Environment, by: Operator, run_id: int, *, reason: str
) -> Approval:
    """Ask to take back a run that is recorded, with whatever was paid in it.

    Raises :class:`ClearingHouseError`: ``RUN_UNKNOWN``; ``RUN_STATE`` for a run that
    is not recorded, was reversed before, is a reversal itself, or lacks money that came
    back after its end: a reversal would pay it back once more.
    """
    with env.database.begin() as tx:
        _require_reversible(tx, locked(tx, run_id))
        payload: Payload = {"run": run_id, "reason": reason}
        wanted = Wanted(action=REVERSE, object=f"run {run_id}", payload=payload)
        return approvals.request(tx, env, by, wanted)


def reverse_approved(tx: Connection, env: Environment, approval: Approval) -> str:
    """Book the reversal of a run; say what it came to.

    Fees and conversions are posted the other way round, and each payment is due back as
    far as it was made. A run in which no money moved is reversed with that; else the
    reversal is a run of its own, and ends when the money is back.
    """
    payload, run_id = approval.wanted.payload, int(approval.wanted.payload["run"] or 0)
    store.lock_runs(tx)
    run = locked(tx, run_id)
    _require_reversible(tx, run)
    now = env.clock.now()
    cause = Cause(str(payload["reason"]), actor_named(approval.requested_by), now)
    reversal_id, made = _book_reversal(tx, env, run, at=now)
    if run.state is not RunState.SETTLED:
        _abort(tx, run_id, cause)
    owners = [WHOLE, *(account.owner for account in made.accounts)]
    store.move(tx, reversal_id, owners, RunState.PENDING_SETTLEMENT, cause)
    store.move(tx, reversal_id, owners, RunState.RECORDED, cause)
    if made.transfers:
        return f"run {reversal_id} reverses run {run_id}: money is to go back"
    for state in (RunState.RESERVED, RunState.COMMITTED, RunState.SETTLING):
        store.move(tx, reversal_id, owners, state, cause)
    run_payments.end(tx, reversal_id, cause)
    return f"run {reversal_id} reverses run {run_id}"


def _book_reversal(
    tx: Connection, env: Environment, run: Run, *, at: datetime
) -> tuple[int, Plan]:
    paid = [(one.transfer, one.paid_minor) for one in payments_of(tx, run.run_id)]
    new = NewRun(
        currency=run.currency,
        model=run.model,
        fees=FeeMode.NONE,
        window_ids=store.windows_of(tx, run.run_id),
        exclusions={},
        reverses_run_id=run.run_id,
    )
    reversal_id = store.insert_run(tx, new, rules.plan_reversal(0, paid), at=at)
    made = rules.plan_reversal(reversal_id, paid)
    store_plan(tx, reversal_id, made)
    recorded = ledger.postings_of_run(tx, run.run_id)
    ledger.append(tx, run_postings.mirror_postings(reversal_id, recorded), at=at)
    fee_documents.credit(tx, env, run, reversal_id)
    return reversal_id, made


def _abort(tx: Connection, run_id: int, cause: Cause) -> None:
    """Give up a run and its accounts; those that were paid go back from there."""
    standing = store.standings(tx, run_id)
    paid = [one for one, now in standing.items() if now.state is RunState.SETTLED]
    store.move(tx, run_id, paid, RunState.SETTLING, cause)
    store.move(tx, run_id, standing, RunState.ABORTED, cause)


def _labels(tx: Connection, run_id: int) -> tuple[str, ...]:
    windows = (
        settlement.window_by_id(tx, number) for number in store.windows_of(tx, run_id)
    )
    return tuple(window.label for window in windows if window is not None)


def _require_reversible(tx: Connection, run: Run) -> None:
    _require(run, rules.REVERSIBLE)
    if run.reverses_run_id is not None:
        raise ClearingHouseError(codes.RUN_STATE, "it is a reversal itself")
    if run.reversed_by is not None:
        raise ClearingHouseError(
            codes.RUN_STATE, f"run {run.reversed_by} reverses it already"
        )
    lacking = lacking_in(tx, run.run_id)
    if lacking:
        raise ClearingHouseError(codes.RUN_STATE, f"came back: {' '.join(lacking)}")


def _require(run: Run, states: frozenset[RunState]) -> None:
    if run.state not in states:
        raise ClearingHouseError(
            codes.RUN_STATE, f"run {run.run_id} is {run.state.value}"
        )
