"""Disputes: begun by the home CSP, answered, decided, or ended by the clock (2.7).

Each step is one transaction under the lock of the CSP's decisions: the state moves,
what was said is kept, the outcome is booked, and the submitter is told. Both sides see
the whole file, and nobody else sees that there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain import disputes as rules
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.approvals import Approval, Operator, Wanted
from clearinghouse.domain.disputes import (
    Act,
    Case,
    Days,
    Disputed,
    DisputeReason,
    DisputeState,
    Party,
)
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.money import currency_of, minor_or_none
from clearinghouse.domain.sdrs import SdrStatus, uid_hash
from clearinghouse.domain.settlement import WindowState
from clearinghouse.domain.suspense import Held
from clearinghouse.services import (
    approvals,
    dispute_faults,
    dispute_outcomes,
    sdr_delivery,
    settlement_notices,
    suspense,
)
from clearinghouse.services.environment import Environment
from clearinghouse.storage import (
    agreements,
    corrections,
    debit_caps,
    messages,
    participants,
    sdr_decisions,
    sdrs,
    settlement,
)
from clearinghouse.storage import disputes as rows
from clearinghouse.storage.disputes import Dispute, Evidence, NewDispute, Said
from clearinghouse.storage.feeds import Page, bounded, parse_cursor
from clearinghouse.storage.sdrs import StoredSdr

#: The act of the operators that ends a dispute.
DECIDE = "decide dispute"

#: Disputes that one round of the clock looks at.
DUE_MAX = 200

#: Disputes of one page; each is a file of some ten kilobytes.
PAGE_MAX = 20

_VERDICTS = {
    DisputeState.UPHELD_CSP: Act.UPHOLD_CSP,
    DisputeState.UPHELD_CSO: Act.UPHOLD_CSO,
    DisputeState.SPLIT: Act.DIVIDE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """An SDR that its home CSP disputes; ``accepted``: what it would pay, if anything.

    ``words`` and ``evidence`` are for the other side and the operator.
    """

    submitter_party: str
    sdr_id: str
    reason: DisputeReason
    accepted: Decimal | None = None
    words: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a side says in a dispute; ``amount`` with an offer only."""

    dispute_id: UUID
    act: Act
    amount: Decimal | None = None
    words: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """The file of a dispute after a step, as the answer tells it."""

    dispute: Dispute
    code: Code = codes.OK
    items: tuple[Item, ...] = ()


Render = Callable[[Filed], bytes]


def dispute_sdr(
    env: Environment, exchange: Exchange, complaint: Complaint, render: Render
) -> bytes:
    """Begin a dispute about an SDR that the sender has to pay.

    By the agreement the SDR leaves the open window, or stays in it under reserve.
    Raises :class:`ClearingHouseError` with all that speaks against it: ``SDR_UNKNOWN``
    for one that is not the sender's to pay; ``DISPUTE_RUNS``, ``DISPUTE_LATE``,
    ``DISPUTE_FINAL``, ``DISPUTE_AMOUNT``, ``SDR_DECIDED``.
    """
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        csp_id = exchange.sender.participant_id
        sdr_decisions.lock_decisions(tx, csp_id)
        settlement.hold_windows(tx)
        found = _payable(tx, csp_id, complaint)
        terms = _terms(tx, found)
        asked_minor = _require_disputable(tx, found, terms, complaint, now=now)
        new = _new_dispute(found, terms, complaint, asked_minor, now=now)
        rows.insert_dispute(tx, new, at=now)
        if new.carried:
            dispute_outcomes.carry_away(tx, found, at=now)
        if found.window_state is WindowState.OPEN:
            suspense.hold(tx, _held(found, new), at=now)
        said = Said(
            party=Party.CSP,
            act=Act.DISPUTE,
            amount_minor=asked_minor,
            words=complaint.words,
            evidence=complaint.evidence,
        )
        row = rows.add_step(tx, new.dispute_id, said, DisputeState.OPEN, at=now)
        _tell(tx, new, Party.CSP, row, at=now)
        answer = render(Filed(dispute=_dispute(tx, new.dispute_id)))
        messages.remember(tx, exchange, answer, at=now)
    return answer


def answer_dispute(
    env: Environment, exchange: Exchange, reply: Reply, render: Render
) -> bytes:
    """Book what a side says in a dispute, and what comes of it.

    Raises :class:`ClearingHouseError`: ``DISPUTE_UNKNOWN`` for one that the sender is
    no side of; the code of the state when it has no such step; ``DISPUTE_AMOUNT``.
    """
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        found = _locked(tx, reply.dispute_id)
        party = _side_of(found, exchange.sender)
        said = Said(
            party=party,
            act=reply.act,
            amount_minor=_minor(reply.amount, found),
            words=reply.words,
            evidence=reply.evidence,
        )
        now = env.clock.now()
        _take(tx, found, said, at=now)
        answer = render(Filed(dispute=_dispute(tx, reply.dispute_id)))
        messages.remember(tx, exchange, answer, at=now)
    return answer


def get_disputes(
    env: Environment, sender: Sender, *, cursor: str | None, limit: int
) -> Page[Dispute]:
    """Return the disputes of a sender that changed since the cursor, on either side.

    Raises :class:`ClearingHouseError` (``CH.CURSOR``) for a cursor that is not ours.
    """
    size = min(bounded(limit), PAGE_MAX)
    with env.database.begin_read_only() as tx:
        place = parse_cursor(cursor)
        return rows.disputes_of(tx, sender.participant_id, cursor=place, limit=size)


def all_disputes(env: Environment, *, running: bool) -> tuple[Dispute, ...]:
    """Return disputes for the operator; those whose term ends next come first."""
    with env.database.begin_read_only() as tx:
        return rows.all_disputes(tx, running=running)


def dispute_named(env: Environment, dispute_id: UUID) -> Dispute:
    """Return a dispute for the operator.

    Raises :class:`ClearingHouseError` (``DISPUTE_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        return _dispute(tx, dispute_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an operator would decide: a final state, an amount with SPLIT, and why."""

    dispute_id: UUID
    state: DisputeState
    amount: Decimal | None
    words: str


def decide(env: Environment, by: Operator, decision: Decision) -> Approval:
    """Ask for the house's decision of a dispute; another operator approves it.

    Raises :class:`ClearingHouseError`: ``DISPUTE_UNKNOWN``; the code of the state when
    it is not for the house to decide; ``DISPUTE_AMOUNT``; ``CH.SEMANTIC`` for a state
    that is no decision.
    """
    act = _VERDICTS.get(decision.state)
    if act is None:
        raise ClearingHouseError(codes.SEMANTIC, f"{decision.state} is no decision")
    with env.database.begin() as tx:
        found = _locked(tx, decision.dispute_id)
        amount_minor = _minor(decision.amount, found)
        _require_step(
            found, Said(party=Party.HOUSE, act=act, amount_minor=amount_minor)
        )
        payload = {
            "act": act.value,
            "amount_minor": amount_minor,
            "currency": found.currency,
            "words": decision.words,
        }
        wanted = Wanted(action=DECIDE, object=str(found.dispute_id), payload=payload)
        return approvals.request(tx, env, by, wanted)


def decide_approved(tx: Connection, env: Environment, approval: Approval) -> str:
    """Decide a dispute as two operators want it: what the second word does."""
    payload = approval.wanted.payload
    found = _locked(tx, UUID(approval.wanted.object))
    amount = payload["amount_minor"]
    said = Said(
        party=Party.HOUSE,
        act=Act(str(payload["act"])),
        amount_minor=None if amount is None else int(amount),
        words=str(payload["words"]),
    )
    state = _take(tx, found, said, at=env.clock.now())
    return f"{found.sdr_uid} of {found.submitter_party}: {state.value}"


def end_due(env: Environment) -> int:
    """Do what the clock says: silence has an outcome. Returns how many moved."""
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        due = rows.due_disputes(tx, now, limit=DUE_MAX)
    return sum(_lapse(env, dispute_id) for dispute_id in due)


def _lapse(env: Environment, dispute_id: UUID) -> bool:
    with env.database.begin() as tx:
        found = _locked(tx, dispute_id)
        now = env.clock.now()
        if found.due_at is None:
            return False  # somebody was quicker
        act = rules.timed_act(
            found.state, now=now, due=found.due_at, hard_stop_at=found.hard_stop_at
        )
        if act is None:
            return False
        _take(tx, found, Said(party=Party.TIMER, act=act), at=now)
    return True


def _take(tx: Connection, found: Dispute, said: Said, *, at: datetime) -> DisputeState:
    """Take a step, and book what it comes to."""
    if len(found.steps) >= rules.STEPS_MAX:
        raise ClearingHouseError(codes.DISPUTE_STEPS)
    if said.party is not Party.TIMER:
        dispute_faults.require_in_time(found, now=at)
    result = _require_step(found, said)
    due_at = rules.due_at(
        result.state, found.days, now=at, hard_stop_at=found.hard_stop_at
    )
    rows.set_state(tx, found.dispute_id, result, due_at=due_at, at=at)
    row = rows.add_step(tx, found.dispute_id, said, result.state, at=at)
    if result.agreed_minor is not None:
        suspense.release_ended(tx, found.dispute_id, found.place.window_id, at=at)
        dispute_outcomes.book(tx, found, result.agreed_minor, at=at)
    _tell(tx, found, said.party, row, at=at)
    return result.state


def _require_step(found: Dispute, said: Said) -> rules.Result:
    case = Case(
        state=found.state,
        net_minor=found.net_minor,
        asked_minor=found.asked_minor,
        offered_minor=found.offered_minor,
    )
    result = rules.step(case, said.party, said.act, said.amount_minor)
    if isinstance(result, Code):
        item = dispute_faults.of_step(result, found, said)
        raise ClearingHouseError(result, items=(item,))
    return result


def _payable(tx: Connection, csp_id: int, complaint: Complaint) -> StoredSdr:
    submitter = participants.participant_by_party_id(tx, complaint.submitter_party)
    if submitter is not None:
        key = (submitter.participant_id, uid_hash(complaint.sdr_id))
        found = sdrs.sdrs_by_hash(tx, [key]).get(key)
        if found is not None and found.csp_id == csp_id:
            if found.status is not SdrStatus.HELD:
                return found
            if debit_caps.capped(tx, [found.place]):
                # It has it, as held: what it disputes must be accepted before.
                raise dispute_faults.not_to_pay(codes.SDR_WAITS, found.status.value)
    raise dispute_faults.not_to_pay(codes.SDR_UNKNOWN)


def _terms(tx: Connection, found: StoredSdr) -> Terms:
    """Return the terms under which the SDR came about."""
    agreement = agreements.agreement_between(
        tx,
        found.submitter_id,
        found.csp_id,
        at=found.started_at,
        currency=found.currency,
    )
    return Terms() if agreement is None else agreement.terms


def _require_disputable(
    tx: Connection,
    found: StoredSdr,
    terms: Terms,
    complaint: Complaint,
    *,
    now: datetime,
) -> int | None:
    """Return what the CSP would pay, or refuse with all that speaks against it."""
    currency = currency_of(found.currency)
    asked_minor = None
    unreadable = False
    if complaint.accepted is not None:
        asked_minor = minor_or_none(complaint.accepted, currency)
        unreadable = asked_minor is None
    window = settlement.window_by_id(tx, found.place.window_id)
    disputed = Disputed(
        kind=found.kind,
        status=found.status,
        net_minor=found.net_minor,
        window_closed_at=None if window is None else window.closed_at,
        is_outcome=corrections.is_of_dispute(tx, found.place),
    )
    faults = list(
        rules.why_not_disputed(disputed, terms, asked_minor=asked_minor, now=now)
    )
    if unreadable:
        faults.append(codes.DISPUTE_AMOUNT)
    if faults:
        asked = complaint.accepted
        items = tuple(dispute_faults.of_sdr(code, found, asked) for code in faults)
        raise ClearingHouseError(faults[0], items=items)
    return asked_minor


def _new_dispute(
    found: StoredSdr,
    terms: Terms,
    complaint: Complaint,
    asked_minor: int | None,
    *,
    now: datetime,
) -> NewDispute:
    days = Days(
        answer=terms.dispute_answer_days,
        evidence=terms.dispute_evidence_days,
        decision=terms.dispute_decision_days,
    )
    hard_stop_at = now + timedelta(days=terms.dispute_stop_days)
    is_open = found.window_state is WindowState.OPEN
    return NewDispute(
        dispute_id=uuid4(),
        place=found.place,
        csp_id=found.csp_id,
        submitter_id=found.submitter_id,
        currency=found.currency,
        net_minor=found.net_minor,
        reason=complaint.reason,
        carried=terms.dispute_carried and is_open,
        days=days,
        asked_minor=asked_minor,
        due_at=rules.due_at(
            DisputeState.OPEN, days, now=now, hard_stop_at=hard_stop_at
        ),
        hard_stop_at=hard_stop_at,
    )


def _held(found: StoredSdr, new: NewDispute) -> Held:
    return Held(
        new.dispute_id,
        found.place.window_id,
        found.submitter_party,
        found.csp_party,
        found.currency,
        new.net_minor,
    )


def _locked(tx: Connection, dispute_id: UUID) -> Dispute:
    """Return a dispute; nothing else happens to it until the transaction ends."""
    csp_id = rows.csp_of(tx, dispute_id)
    if csp_id is None:
        raise dispute_faults.unknown()
    sdr_decisions.lock_decisions(tx, csp_id)
    return _dispute(tx, dispute_id)


def _dispute(tx: Connection, dispute_id: UUID) -> Dispute:
    found = rows.dispute_by_id(tx, dispute_id)
    if found is None:
        raise dispute_faults.unknown()
    return found


def _side_of(found: Dispute, sender: Sender) -> Party:
    """Return as which side a sender speaks; for others there is no such dispute."""
    if sender.participant_id == found.csp_id:
        return Party.CSP
    if sender.participant_id == found.submitter_id:
        return Party.SUBMITTER
    raise dispute_faults.unknown()


def _minor(amount: Decimal | None, found: Dispute) -> int | None:
    if amount is None:
        return None
    minor = minor_or_none(amount, currency_of(found.currency))
    if minor is None:
        item = dispute_faults.of_amount(
            "amount", found.net_minor, found.currency, amount
        )
        raise ClearingHouseError(codes.DISPUTE_AMOUNT, items=(item,))
    return minor


def _tell(
    tx: Connection, found: NewDispute, by: Party, row: int, *, at: datetime
) -> None:
    sdr_delivery.queue_dispute_notice(tx, found.submitter_id, found.csp_id, row, at=at)
    sides = {Party.CSP: found.csp_id, Party.SUBMITTER: found.submitter_id}
    settlement_notices.queue_step(tx, sides, by, row, at=at)
