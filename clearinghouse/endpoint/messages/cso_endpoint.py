"""Messages of the service that a CSO offers; the clearing house calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from clearinghouse.endpoint.messages.common import Result

Outcome = Literal["ACCEPTED", "REFUSED"]
News = Literal["ACCEPTED", "CONFIRMED", "REJECTED", "DISPUTED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSessionRequest:
    """Start charging at this EVSE."""

    session_id: UUID
    evse_id: str
    csp_id: str
    contract_alias: str | None = None
    partner_session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSessionResponse:
    """Whether the station takes the start; STARTED is reported when it did."""

    result: Result
    outcome: Outcome | None = None
    partner_session_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSessionRequest:
    """Stop this session."""

    session_id: UUID
    partner_session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSessionResponse:
    """Whether the station takes the stop."""

    result: Result
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SdrNotice:
    """What was decided of one of our SDRs."""

    sdr_id: str
    status: News
    reason: str | None = None
    dispute_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySdrsRequest:
    """What was decided; the ``delivery_id`` is the same at each repeat."""

    delivery_id: UUID
    notice: tuple[SdrNotice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySdrsResponse:
    """It is stored."""

    result: Result
