"""Types of the session service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from clearinghouse.endpoint.messages.common import (
    IntermediateSdr,
    IntermediateSdrView,
    Result,
    SessionEvent,
    SessionState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSessionResponse:
    """What became of a remote start; START_UNKNOWN is neither yes nor no."""

    result: Result
    session_id: UUID | None = None
    state: SessionState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSessionResponse:
    """What became of a remote stop."""

    result: Result
    state: SessionState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSessionRequest:
    """An event of a session; ``event_id`` is kept over all repeats."""

    session_id: UUID
    partner_session_id: str | None = None
    event: SessionEvent
    event_id: UUID
    occurred_at: datetime
    energy_wh: int | None = None
    reason: str | None = None
    intermediate_sdr: IntermediateSdr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSessionResponse:
    """The state after the event."""

    result: Result
    state: SessionState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerSession:
    """The id that one partner gave the session."""

    party_id: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHistory:
    """One event that the clearing house knows."""

    event: SessionEvent
    occurred_at: datetime
    received_at: datetime
    energy_wh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as the clearing house knows it."""

    session_id: UUID
    partner_session_id: tuple[PartnerSession, ...] = ()
    cso_id: str
    csp_id: str | None = None
    evse_id: str
    state: SessionState
    authorized_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy_wh: int | None = None
    event: tuple[SessionHistory, ...] = ()
    intermediate_sdr: IntermediateSdrView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSessionResponse:
    """One session."""

    result: Result
    session: SessionView | None = None
