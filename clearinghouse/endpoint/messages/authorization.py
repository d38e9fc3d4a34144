"""Answers of the authorization service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from clearinghouse.endpoint.messages.common import Decision, Result

DecisionSource = Literal["CLEARING_HOUSE", "LIST", "LIVE", "OFFLINE_LIST"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeStartResponse:
    """Whether the EV user may charge, who said so, and within which limits."""

    result: Result
    decision: Decision | None = None
    reason: str | None = None
    session_id: UUID | None = None
    csp_id: str | None = None
    decision_source: DecisionSource | None = None
    list_version: int | None = None
    valid_until: datetime | None = None
    max_energy_wh: int | None = None
    max_duration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeStopResponse:
    """Whether the medium may stop the session."""

    result: Result
    decision: Decision | None = None
    reason: str | None = None
    decision_source: DecisionSource | None = None
