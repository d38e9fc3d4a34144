"""Participants: who is connected, in which roles, and how their link stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from clearinghouse.domain.clock import milliseconds_between, seconds_between
from clearinghouse.domain.exchange import Role

#: Heartbeats a participant may miss before it counts as offline.
HEARTBEATS_MISSED_MAX = 3

#: Difference of clocks that is told to the partner as a warning, in milliseconds.
SKEW_WARNING_MILLISECONDS = 5_000


class ParticipantStatus(StrEnum):
    """Whether a participant may take part."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class Connection(StrEnum):
    """What the heartbeat tells of a participant's roaming endpoint."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    UNKNOWN = "UNKNOWN"


class EndpointService(StrEnum):
    """The services that a participant may offer to the clearing house."""

    CSP_ENDPOINT = "csp-endpoint"
    CSO_ENDPOINT = "cso-endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A charge service provider, a charging station operator, or both.

    ``aliases`` are the operator and provider ids (five characters, as ``CHABC``) that
    may stand in its EVSE and contract ids; its own party id is always among them.
    """

    participant_id: int
    party_id: str
    name: str
    roles: frozenset[Role]
    country: str
    status: ParticipantStatus = ParticipantStatus.ACTIVE
    aliases: frozenset[str] = frozenset()
    last_heartbeat_at: datetime | None = None
    skew_ms: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether the participant may take part."""
        return self.status is ParticipantStatus.ACTIVE

    def owns(self, alias: str) -> bool:
        """Say whether an operator or provider id is this participant's."""
        return alias == self.party_id or alias in self.aliases


def connection(
    last_heartbeat_at: datetime | None, *, now: datetime, period_seconds: int
) -> Connection:
    """Judge a link by its last heartbeat: three missed periods are offline."""
    if last_heartbeat_at is None:
        return Connection.UNKNOWN
    silence_seconds = seconds_between(last_heartbeat_at, now)
    if silence_seconds <= HEARTBEATS_MISSED_MAX * period_seconds:
        return Connection.ONLINE
    return Connection.OFFLINE


def skew_milliseconds(sent_at: datetime, received_at: datetime) -> int:
    """Return how far the partner's clock runs ahead of ours (negative: behind).

    The way of the message is part of the figure; it is a few milliseconds.
    """
    return milliseconds_between(received_at, sent_at)


def is_skewed(skew_ms: int) -> bool:
    """Say whether the partner should be told of its clock."""
    return abs(skew_ms) > SKEW_WARNING_MILLISECONDS
