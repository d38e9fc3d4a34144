"""Types of the SDR service that are about disputes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from clearinghouse.endpoint.messages.common import Result

DisputeReason = Literal[
    "NOT_OUR_CUSTOMER",
    "DUPLICATE",
    "ENERGY",
    "DURATION",
    "TARIFF",
    "TAX",
    "NOT_AUTHORIZED",
    "OTHER",
]
DisputeState = Literal[
    "OPEN",
    "OFFERED",
    "ANSWERED",
    "EVIDENCE",
    "ESCALATED",
    "UPHELD_CSP",
    "UPHELD_CSO",
    "SPLIT",
    "WITHDRAWN",
    "EXPIRED",
]
DisputeParty = Literal["CSP", "SUBMITTER", "HOUSE", "TIMER"]
EvidenceFormat = Literal["PDF", "PNG", "JPEG", "TEXT", "CSV", "XML"]
DisputeAnswer = Literal["ACCEPT", "REJECT", "OFFER", "ESCALATE", "WITHDRAW"]
DisputeAct = Literal[
    "DISPUTE",
    "ACCEPT",
    "REJECT",
    "OFFER",
    "ESCALATE",
    "WITHDRAW",
    "UPHOLD_CSP",
    "UPHOLD_CSO",
    "DIVIDE",
    "LAPSE",
    "STOP",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A document that a side names, with its SHA-256 in hexadecimal."""

    reference: str
    digest: str
    format: EvidenceFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeStep:
    """One step of a dispute."""

    at: datetime
    party: DisputeParty
    act: DisputeAct
    state: DisputeState
    amount: Decimal | None = None
    text: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The file of a dispute, the same for both sides."""

    dispute_id: UUID
    csp_id: str
    submitter_id: str
    sdr_id: str
    window_id: int
    window_label: str
    reason: DisputeReason
    state: DisputeState
    currency: str
    disputed_net: Decimal
    accepted_net: Decimal | None = None
    offered_net: Decimal | None = None
    agreed_net: Decimal | None = None
    carried: bool
    opened_at: datetime
    due_at: datetime | None = None
    hard_stop_at: datetime
    ended_at: datetime | None = None
    correction_sdr_id: tuple[str, ...] = ()
    step: tuple[DisputeStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """An SDR that we dispute; ``accepted_net`` is what we would pay, if anything."""

    submitter_id: str
    sdr_id: str
    reason: DisputeReason
    accepted_net: Decimal | None = None
    text: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What we say in a dispute; ``amount`` with an offer only."""

    dispute_id: UUID
    answer: DisputeAnswer
    amount: Decimal | None = None
    text: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeSdrResponse:
    """The file of the dispute that began."""

    result: Result
    dispute: Dispute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDisputeResponse:
    """The file of the dispute after what was said."""

    result: Result
    dispute: Dispute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDisputesResponse:
    """One page of disputes."""

    result: Result
    dispute: tuple[Dispute, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None
