"""Types of the directory service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clearinghouse.endpoint.messages.access import Role
from clearinghouse.endpoint.messages.common import Result

Mode = Literal["A", "B1", "B2", "C1", "C2"]
Connection = Literal["ONLINE", "OFFLINE", "UNKNOWN"]
EndpointService = Literal["csp-endpoint", "cso-endpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A partner with whom an agreement is or was in force."""

    party_id: str
    name: str
    role: tuple[Role, ...] = ()
    country: str
    mode: Mode
    connection: Connection
    changed_at: datetime
    ended: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetParticipantsResponse:
    """One page of partners."""

    result: Result
    participant: tuple[Participant, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the clearing house reaches one of our services, and with which token."""

    service: EndpointService
    url: str
    access_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEndpointsResponse:
    """The addresses are stored."""

    result: Result
