"""Payments of settlement runs: due, confirmed by the bank, settled (4.3-I3).

Money is posted when the bank says that it moved, and not before. What the bank says is
kept in any case, once for each of its references; the last payment settles the run, and
then nothing may be left on its positions or in transit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import run_postings
from clearinghouse.domain import runs as rules
from clearinghouse.domain.approvals import Operator
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import RunState, TransferKind
from clearinghouse.services import settlement_notices
from clearinghouse.services.approvals import actor_named
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note
from clearinghouse.services.settlement_runs import found, locked, violations
from clearinghouse.storage import ledger, participants, run_payments, run_proof
from clearinghouse.storage import runs as store
from clearinghouse.storage.run_payments import Confirmation, Payment
from clearinghouse.storage.runs import WHOLE, Cause, Run
from clearinghouse.telemetry import logging

#: Who moves a run when the bank's word does.
BANK = "bank"

_log = logging.logger(__name__)


def settle(env: Environment, by: Operator, run_id: int) -> Run:
    """End a run whose payments are all confirmed; what is settled stays so.

    Raises :class:`ClearingHouseError`: ``RUN_UNKNOWN``; ``RUN_STATE`` when a payment is
    open; ``RUN_PROOF`` when anything is left on a position or in transit.
    """
    with env.database.begin("closing") as tx:
        run = locked(tx, run_id)
        if run.state is RunState.SETTLED:
            return run
        cause = Cause("settled", actor_named(by.name), env.clock.now())
        if run.state is RunState.COMMITTED:
            _begin_settling(tx, run_id, cause)
        waiting = [
            one for one in run_payments.payments_of(tx, run_id) if one.open_minor
        ]
        if waiting:
            raise ClearingHouseError(
                codes.RUN_STATE, f"{len(waiting)} payments are not confirmed"
            )
        end(tx, run_id, cause)
        note(tx, env, "settle run", f"run {run_id}", actor=cause.actor)
        return found(tx, run_id)


def confirm(
    env: Environment,
    end_to_end_id: str,
    *,
    amount_minor: int,
    booked_at: datetime,
    reference: str,
) -> Confirmation:
    """Keep what the bank said of a payment, post it, and settle what is complete.

    ``amount_minor`` below zero: it came back. ``reference`` is the bank's own; the same
    one with the same values changes nothing and gets the stored answer. More than is
    open, or money for a run that expects none, is a fact and posted nowhere. The last
    payment settles the run. Raises :class:`ClearingHouseError`: ``TRANSFER_UNKNOWN``;
    ``CONFIRMATION_CONFLICT`` for a known reference with other values; ``CH.SEMANTIC``
    for an amount of zero; ``RUN_PROOF`` as :func:`settle` does.
    """
    if amount_minor == 0:
        raise ClearingHouseError(codes.SEMANTIC, "a confirmation of nothing")
    with env.database.begin("closing") as tx:
        payment = run_payments.payment_named(tx, end_to_end_id)
        if payment is None:
            raise ClearingHouseError(codes.TRANSFER_UNKNOWN, end_to_end_id)
        run = locked(tx, payment.run_id)
        known = run_payments.confirmation(tx, end_to_end_id, reference)
        if known is not None:
            if (known.amount_minor, known.booked_at) != (amount_minor, booked_at):
                raise ClearingHouseError(codes.CONFIRMATION_CONFLICT, reference)
            return known
        said = _judged(tx, run, end_to_end_id, amount_minor, (reference, booked_at))
        now = env.clock.now()
        run_payments.add_confirmation(tx, said, at=now)
        if said.posted_minor:
            _post_confirmed(tx, run, said, at=now)
        _log.info("payment_confirmed", run=run.run_id, outcome=said.outcome.value)
    return said


def currency_of_payment(env: Environment, end_to_end_id: str) -> str:
    """Return the currency of a payment by its end-to-end id.

    Raises :class:`ClearingHouseError` (``TRANSFER_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        payment = run_payments.payment_named(tx, end_to_end_id)
        if payment is None:
            raise ClearingHouseError(codes.TRANSFER_UNKNOWN, end_to_end_id)
        return found(tx, payment.run_id).currency


def due_payments(env: Environment, run_id: int) -> tuple[Payment, ...]:
    """Return the payments of a run that may be ordered now: pay-outs come last.

    None before the run is committed. Raises :class:`ClearingHouseError`
    (``RUN_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        run = found(tx, run_id)
        if run.state not in rules.PAYABLE:
            return ()
        payments = run_payments.payments_of(tx, run_id)
    waiting = Counter(one.transfer.kind for one in payments if one.open_minor)
    collections = waiting[TransferKind.COLLECT]
    return tuple(
        one
        for one in payments
        if one.open_minor and rules.is_due(one.transfer, collections)
    )


def prove(env: Environment, run_id: int) -> tuple[str, ...]:
    """Prove a run again: pairs, debts, accounts, payments, ledger.

    Returns what differs; empty proves it. Raises :class:`ClearingHouseError`
    (``RUN_UNKNOWN``).
    """
    with env.database.begin_read_only("closing") as tx:
        run = found(tx, run_id)
        broken = violations(tx, run_id)
        if run.state is RunState.SETTLED:
            broken += _left(tx, run)
        return tuple(broken)


def _judged(
    tx: Connection,
    run: Run,
    end_to_end_id: str,
    amount_minor: int,
    said: tuple[str, datetime],
) -> Confirmation:
    """Judge a confirmation under the lock of its run: it may have changed before."""
    payment = run_payments.payment_named(tx, end_to_end_id)
    if payment is None:
        raise ClearingHouseError(codes.TRANSFER_UNKNOWN, end_to_end_id)
    applied = rules.apply(
        run.state,
        payment.open_minor,
        payment.paid_minor,
        amount_minor,
        unposted_minor=payment.unposted_minor,
    )
    reference, booked_at = said
    return Confirmation(
        end_to_end_id,
        reference,
        payment.confirmations + 1,
        amount_minor,
        applied.posted_minor,
        applied.outcome,
        booked_at,
    )


def _post_confirmed(
    tx: Connection, run: Run, said: Confirmation, *, at: datetime
) -> None:
    """Post money that moved, and let the states follow."""
    payments = run_payments.payments_of(tx, run.run_id)
    (payment,) = (
        one for one in payments if one.transfer.end_to_end_id == said.end_to_end_id
    )
    ledger.append(
        tx,
        run_postings.confirmation_postings(
            run.run_id,
            run.currency,
            payment.transfer,
            posted_minor=said.posted_minor,
            number=said.number,
        ),
        at=at,
    )
    cause = Cause(f"{said.outcome.value} {said.end_to_end_id}", BANK, at)
    if run.state is RunState.COMMITTED:
        _begin_settling(tx, run.run_id, cause)
    complete = _complete(payments)
    standing = store.standings(tx, run.run_id)
    back = [
        owner
        for owner in rules.owners_of(payment.transfer)
        if owner not in complete and standing[owner].state is RunState.SETTLED
    ]
    store.move(tx, run.run_id, back, RunState.SETTLING, cause)
    done = [
        owner
        for owner in complete
        if owner in standing and standing[owner].state is RunState.SETTLING
    ]
    store.move(tx, run.run_id, done, RunState.SETTLED, cause)
    if not any(one.open_minor for one in payments):
        end(tx, run.run_id, cause)


def _complete(payments: Sequence[Payment]) -> set[str]:
    """Return whose payments are all made."""
    waiting = {
        owner
        for one in payments
        if one.open_minor
        for owner in rules.owners_of(one.transfer)
    }
    owners = {owner for one in payments for owner in rules.owners_of(one.transfer)}
    return owners - waiting


def _begin_settling(tx: Connection, run_id: int, cause: Cause) -> None:
    store.move(tx, run_id, store.standings(tx, run_id), RunState.SETTLING, cause)


def end(tx: Connection, run_id: int, cause: Cause) -> None:
    """Settle a run: nothing may be left on its positions or in transit."""
    standing = store.standings(tx, run_id)
    owners = [
        owner
        for owner, now in standing.items()
        if owner == WHOLE or now.state is not RunState.SETTLED
    ]
    store.move(tx, run_id, owners, RunState.SETTLED, cause)
    broken = _left(tx, found(tx, run_id))
    if broken:
        raise ClearingHouseError(codes.RUN_PROOF, "; ".join(broken))
    settlement_notices.queue_run(tx, run_id, standing, at=cause.at)
    _log.info("run_settled", run=run_id)


def _left(tx: Connection, run: Run) -> list[str]:
    """Return what a settled run left behind, by the postings and by the database."""
    party_ids = participants.party_ids(tx)
    opening = {
        (party_ids[participant_id], currency): minor
        for (participant_id, currency), minor in run_proof.opening_of(
            tx, run.run_id
        ).items()
    }
    postings = ledger.postings_of_run(tx, run.run_id)
    if run.reverses_run_id is not None:
        postings += ledger.postings_of_run(tx, run.reverses_run_id)
    broken = list(run_postings.settled_violations(opening, postings))
    return broken + run_proof.leftovers(tx, run.run_id)
