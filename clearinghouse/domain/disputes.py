"""Disputes: who may say what in which state, by when, and what comes of it (2.7).

One state machine and one transition table. A dispute is about one version of an SDR: it
stands, it is credited, or it is credited and replaced by an agreed amount. The outcome
falls into the window that is open then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.business_days import term_end
from clearinghouse.domain.sdrs import SdrKind, SdrStatus

#: Steps of one dispute: the longest way through the table has six; the rest is room.
STEPS_MAX = 20


class DisputeReason(StrEnum):
    """Why the home CSP disputes an SDR."""

    NOT_OUR_CUSTOMER = "NOT_OUR_CUSTOMER"
    DUPLICATE = "DUPLICATE"
    ENERGY = "ENERGY"
    DURATION = "DURATION"
    TARIFF = "TARIFF"
    TAX = "TAX"
    NOT_AUTHORIZED = "NOT_AUTHORIZED"
    OTHER = "OTHER"


class EvidenceFormat(StrEnum):
    """What kind of document a piece of evidence is."""

    PDF = "PDF"
    PNG = "PNG"
    JPEG = "JPEG"
    TEXT = "TEXT"
    CSV = "CSV"
    XML = "XML"


class DisputeState(StrEnum):
    """Where a dispute stands; those from UPHELD_CSP on are final."""

    OPEN = "OPEN"  #: the submitter must answer
    OFFERED = "OFFERED"  #: the submitter offered an amount; the CSP must answer
    ANSWERED = "ANSWERED"  #: the submitter refused; the CSP gives evidence or ends it
    EVIDENCE = "EVIDENCE"  #: the CSP gave evidence; the submitter must answer
    ESCALATED = "ESCALATED"  #: the clearing house decides
    UPHELD_CSP = "UPHELD_CSP"
    UPHELD_CSO = "UPHELD_CSO"
    SPLIT = "SPLIT"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


FINAL = frozenset(
    {
        DisputeState.UPHELD_CSP,
        DisputeState.UPHELD_CSO,
        DisputeState.SPLIT,
        DisputeState.WITHDRAWN,
        DisputeState.EXPIRED,
    }
)


class Party(StrEnum):
    """Who takes a step."""

    CSP = "CSP"
    SUBMITTER = "SUBMITTER"
    HOUSE = "HOUSE"
    TIMER = "TIMER"


class Act(StrEnum):
    """What is done in a step."""

    DISPUTE = "DISPUTE"
    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    OFFER = "OFFER"
    ESCALATE = "ESCALATE"
    WITHDRAW = "WITHDRAW"
    UPHOLD_CSP = "UPHOLD_CSP"
    UPHOLD_CSO = "UPHOLD_CSO"
    DIVIDE = "DIVIDE"
    LAPSE = "LAPSE"
    STOP = "STOP"


class Term(StrEnum):
    """Which term of the agreement a state runs by."""

    ANSWER = "ANSWER"
    EVIDENCE = "EVIDENCE"
    DECISION = "DECISION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The terms of one dispute, fixed when it began: days for each kind of state."""

    answer: int
    evidence: int
    decision: int


class Step(NamedTuple):
    """What comes of an act: the state, or ``None`` for what was asked for."""

    state: DisputeState | None


_ASKED = Step(None)  #: full credit, or the amount that the CSP offered

_S, _P, _A = DisputeState, Party, Act

#: All steps there are; what is not here is refused with the state's name.
STEPS: Mapping[tuple[DisputeState, Party, Act], Step] = MappingProxyType(
    {
        (_S.OPEN, _P.SUBMITTER, _A.ACCEPT): _ASKED,
        (_S.OPEN, _P.SUBMITTER, _A.REJECT): Step(_S.ANSWERED),
        (_S.OPEN, _P.SUBMITTER, _A.OFFER): Step(_S.OFFERED),
        (_S.OPEN, _P.CSP, _A.WITHDRAW): Step(_S.WITHDRAWN),
        # Silence of the submitter grants what was asked for.
        (_S.OPEN, _P.TIMER, _A.LAPSE): _ASKED,
        (_S.OFFERED, _P.CSP, _A.ACCEPT): Step(_S.SPLIT),
        (_S.OFFERED, _P.CSP, _A.REJECT): Step(_S.ESCALATED),
        (_S.OFFERED, _P.CSP, _A.ESCALATE): Step(_S.ESCALATED),
        (_S.OFFERED, _P.CSP, _A.WITHDRAW): Step(_S.WITHDRAWN),
        # Silence of the CSP takes the offer: it is better than nothing.
        (_S.OFFERED, _P.TIMER, _A.LAPSE): Step(_S.SPLIT),
        (_S.ANSWERED, _P.CSP, _A.ACCEPT): Step(_S.UPHELD_CSO),
        (_S.ANSWERED, _P.CSP, _A.REJECT): Step(_S.EVIDENCE),
        (_S.ANSWERED, _P.CSP, _A.ESCALATE): Step(_S.ESCALATED),
        (_S.ANSWERED, _P.CSP, _A.WITHDRAW): Step(_S.WITHDRAWN),
        (_S.ANSWERED, _P.TIMER, _A.LAPSE): Step(_S.EXPIRED),
        (_S.EVIDENCE, _P.SUBMITTER, _A.ACCEPT): _ASKED,
        (_S.EVIDENCE, _P.SUBMITTER, _A.OFFER): Step(_S.OFFERED),
        (_S.EVIDENCE, _P.SUBMITTER, _A.REJECT): Step(_S.ESCALATED),
        (_S.EVIDENCE, _P.CSP, _A.WITHDRAW): Step(_S.WITHDRAWN),
        # Both have spoken: the house decides.
        (_S.EVIDENCE, _P.TIMER, _A.LAPSE): Step(_S.ESCALATED),
        (_S.ESCALATED, _P.HOUSE, _A.UPHOLD_CSP): Step(_S.UPHELD_CSP),
        (_S.ESCALATED, _P.HOUSE, _A.UPHOLD_CSO): Step(_S.UPHELD_CSO),
        (_S.ESCALATED, _P.HOUSE, _A.DIVIDE): Step(_S.SPLIT),
        (_S.ESCALATED, _P.SUBMITTER, _A.ACCEPT): _ASKED,
        (_S.ESCALATED, _P.CSP, _A.WITHDRAW): Step(_S.WITHDRAWN),
        **{
            (state, _P.TIMER, _A.STOP): Step(_S.EXPIRED)
            for state in _S
            if state not in FINAL
        },
    }
)

_TERM_OF = MappingProxyType(
    {
        _S.OPEN: Term.ANSWER,
        _S.OFFERED: Term.EVIDENCE,
        _S.ANSWERED: Term.EVIDENCE,
        _S.EVIDENCE: Term.EVIDENCE,
        _S.ESCALATED: Term.DECISION,
    }
)

#: Who has to act in each state that is not final.
TURN_OF: Mapping[DisputeState, Party] = MappingProxyType(
    {
        _S.OPEN: _P.SUBMITTER,
        _S.OFFERED: _P.CSP,
        _S.ANSWERED: _P.CSP,
        _S.EVIDENCE: _P.SUBMITTER,
        _S.ESCALATED: _P.HOUSE,
    }
)

_CODE_OF = MappingProxyType(
    {
        _S.OPEN: codes.DISPUTE_IS_OPEN,
        _S.OFFERED: codes.DISPUTE_IS_OFFERED,
        _S.ANSWERED: codes.DISPUTE_IS_ANSWERED,
        _S.EVIDENCE: codes.DISPUTE_IS_EVIDENCE,
        _S.ESCALATED: codes.DISPUTE_IS_ESCALATED,
    }
)

#: The acts that a side may answer with.
ANSWERS = frozenset({_A.ACCEPT, _A.REJECT, _A.OFFER, _A.ESCALATE, _A.WITHDRAW})

#: The acts that name an amount, and no other does.
WITH_AMOUNT = frozenset({Act.OFFER, Act.DIVIDE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a step is judged by; amounts are minor units of the SDR's currency.

    ``net_minor``: what the SDR counts; ``asked_minor``: what the CSP is ready to pay,
    ``None`` for nothing; ``offered_minor``: what the submitter offered last.
    """

    state: DisputeState
    net_minor: int
    asked_minor: int | None
    offered_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Where a step leads; ``agreed_minor`` is what is to be paid in the end, if final.

    ``offered_minor``: the offer that stands now.
    """

    state: DisputeState
    offered_minor: int | None
    agreed_minor: int | None


def step(
    case: Case, party: Party, act: Act, amount_minor: int | None = None
) -> Result | Code:
    """Return what comes of an act, or the code why it has no effect.

    An amount lies between nothing and what the SDR counts, both excluded: all or
    nothing is accepted or rejected. A step that the table does not have is refused with
    the code of the state.
    """
    found = STEPS.get((case.state, party, act))
    if found is None:
        return _CODE_OF.get(case.state, codes.DISPUTE_ENDED)
    if (act in WITH_AMOUNT) != (amount_minor is not None):
        return codes.DISPUTE_AMOUNT
    if amount_minor is not None and not is_between(amount_minor, case.net_minor):
        return codes.DISPUTE_AMOUNT
    state, offered_minor = found.state, case.offered_minor
    if state is None:
        state = _S.UPHELD_CSP if case.asked_minor is None else _S.SPLIT
        offered_minor = case.asked_minor
    elif amount_minor is not None:
        offered_minor = amount_minor
    agreed_minor = _agreed(state, case.net_minor, offered_minor)
    return Result(state=state, offered_minor=offered_minor, agreed_minor=agreed_minor)


def is_between(amount_minor: int, net_minor: int) -> bool:
    """Say whether an amount is a part of what an SDR counts."""
    return 0 < amount_minor < net_minor


def _agreed(
    state: DisputeState, net_minor: int, offered_minor: int | None
) -> int | None:
    if state not in FINAL:
        return None
    if state is _S.UPHELD_CSP:
        return 0
    return offered_minor if state is _S.SPLIT else net_minor


def due_at(
    state: DisputeState, days: Days, *, now: datetime, hard_stop_at: datetime
) -> datetime | None:
    """Return when a state lapses: by its term, at the hard stop at the latest.

    The house's own term ends nothing: what it did not decide waits for the hard stop.
    """
    match _TERM_OF.get(state):
        case Term.ANSWER:
            return min(term_end(now, days.answer), hard_stop_at)
        case Term.EVIDENCE:
            return min(term_end(now, days.evidence), hard_stop_at)
        case Term.DECISION:
            return min(term_end(now, days.decision), hard_stop_at)
        case None:
            return None


def timed_act(
    state: DisputeState, *, now: datetime, due: datetime, hard_stop_at: datetime
) -> Act | None:
    """Return what the clock does to a dispute now, ``None`` for nothing."""
    if state in FINAL:
        return None
    if now >= hard_stop_at:
        return Act.STOP
    if now >= due and (state, Party.TIMER, Act.LAPSE) in STEPS:
        return Act.LAPSE
    return None


class Disputed(NamedTuple):
    """What the SDR to be disputed is like."""

    kind: SdrKind
    status: SdrStatus
    net_minor: int
    window_closed_at: datetime | None
    is_outcome: bool


def why_not_disputed(
    found: Disputed, terms: Terms, *, asked_minor: int | None, now: datetime
) -> tuple[Code, ...]:
    """Return all that speaks against a dispute; empty when it may begin.

    What came of a dispute is final; a credit is what its receiver wants. After the
    close there are ``dispute_days`` of the agreement.
    """
    faults = []
    if found.kind is SdrKind.CREDIT or found.is_outcome:
        faults.append(codes.DISPUTE_FINAL)
    elif found.status is SdrStatus.DISPUTED:
        faults.append(codes.DISPUTE_RUNS)
    elif found.status in (SdrStatus.REJECTED, SdrStatus.CORRECTED):
        faults.append(codes.SDR_DECIDED)
    closed_at = found.window_closed_at
    if closed_at is not None and now >= term_end(closed_at, terms.dispute_days):
        faults.append(codes.DISPUTE_LATE)
    if asked_minor is not None and not is_between(asked_minor, found.net_minor):
        faults.append(codes.DISPUTE_AMOUNT)
    return tuple(faults)
