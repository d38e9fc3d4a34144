"""Messages of the service that a CSP offers; the clearing house calls it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from clearinghouse.endpoint.messages.common import (
    Credential,
    Decision,
    IntermediateSdrView,
    Result,
    SessionEvent,
    SessionState,
)
from clearinghouse.endpoint.messages.dispute import DisputeParty, DisputeState
from clearinghouse.endpoint.messages.sdr import DeliveredSdr

SettlementNews = Literal[
    "WINDOW_CLOSED",
    "STATEMENT_READY",
    "INVOICE_READY",
    "RUN_SETTLED",
    "DISPUTE_MOVED",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeRequest:
    """The question whether the holder of a credential may charge at an EVSE."""

    session_id: UUID
    evse_id: str
    cso_id: str
    credential: Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeResponse:
    """The home CSP's decision and its limits."""

    result: Result
    decision: Decision | None = None
    reason: str | None = None
    contract_id: str | None = None
    valid_until: datetime | None = None
    max_energy_wh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySessionRequest:
    """Something happened in a session of one of our EV users."""

    session_id: UUID
    partner_session_id: str | None = None
    event: SessionEvent
    event_id: UUID
    occurred_at: datetime
    energy_wh: int | None = None
    state: SessionState
    cso_id: str
    evse_id: str
    intermediate_sdr: IntermediateSdrView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySessionResponse:
    """The notice was taken."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSdrsRequest:
    """SDRs for us to bill; the ``delivery_id`` is the same at each repeat."""

    delivery_id: UUID
    sdr: tuple[DeliveredSdr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSdrsResponse:
    """The SDRs are stored; the verdict follows with ConfirmSdrs."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementNotice:
    """What happened, and the names of what it happened to."""

    news: SettlementNews
    occurred_at: datetime
    window_id: int | None = None
    window_label: str | None = None
    currency: str | None = None
    statement_id: str | None = None
    document_number: str | None = None
    run_id: int | None = None
    dispute_id: UUID | None = None
    sdr_id: str | None = None
    dispute_state: DisputeState | None = None
    turn_of: DisputeParty | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettlementRequest:
    """News of the settlement; the ``delivery_id`` is the same at each repeat."""

    delivery_id: UUID
    notice: tuple[SettlementNotice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettlementResponse:
    """The news was taken."""

    result: Result
