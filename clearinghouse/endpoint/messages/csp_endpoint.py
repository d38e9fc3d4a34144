"""Messages of the service that a CSP offers; the clearing house calls it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clearinghouse.endpoint.messages.common import (
    Credential,
    Decision,
    Result,
    SessionEvent,
    SessionState,
)
from clearinghouse.endpoint.messages.sdr import DeliveredSdr


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
