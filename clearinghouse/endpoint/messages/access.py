"""Answers of the access service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clearinghouse.endpoint.messages.common import Result

Role = Literal["CSP", "CSO"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginResponse:
    """A session token and how long it lives (clauses 7.2-token, 7.2-expiry)."""

    result: Result
    session_token: str | None = None
    expires_at: datetime | None = None
    role: tuple[Role, ...] = ()
    heartbeat_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewTokenResponse:
    """A fresh session token; the old one ends."""

    result: Result
    session_token: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutResponse:
    """The token has ended."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatResponse:
    """The clearing house's clock and how far ours is from it."""

    result: Result
    clearing_house_time: datetime | None = None
    period_seconds: int | None = None
    skew_milliseconds: int | None = None
