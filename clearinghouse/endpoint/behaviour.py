"""What a partner implements: one protocol for a CSP, one for a CSO.

The server has checked schema, size and access token before it calls a behaviour,
and wraps the answer. A behaviour must be idempotent: the clearing house repeats a
message with the same ids until it gets an answer. It stores first and returns then,
raises :class:`~clearinghouse.endpoint.refusal.NotTakenError` to answer with another
result than 0, and answers within the time that the operation's documentation names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from clearinghouse.endpoint.messages import cso_endpoint, csp_endpoint
from clearinghouse.endpoint.messages.common import Decision
from clearinghouse.endpoint.messages.cso_endpoint import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A CSP's decision on one credential; ``reason`` is one word."""

    decision: Decision
    reason: str | None = None
    contract_id: str | None = None
    valid_until: datetime | None = None
    max_energy_wh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStart:
    """A CSO's answer to a remote start; ``partner_session_id`` is its own id."""

    outcome: Outcome
    partner_session_id: str | None = None
    reason: str | None = None


class CspBehaviour(Protocol):
    """What a CSP does with the calls of the clearing house."""

    def authorize(self, request: csp_endpoint.AuthorizeRequest) -> Authorization:
        """Decide on a credential, within 1.4 s."""

    def notify_session(self, request: csp_endpoint.NotifySessionRequest) -> None:
        """Take note of an event; the same ``event_id`` may come again."""

    def deliver_sdrs(self, request: csp_endpoint.DeliverSdrsRequest) -> None:
        """Store SDRs; the same ``delivery_id`` and the same SDR may come again."""

    def notify_settlement(self, request: csp_endpoint.NotifySettlementRequest) -> None:
        """Take note of news; the same ``delivery_id`` may come again."""


class CsoBehaviour(Protocol):
    """What a CSO does with the calls of the clearing house."""

    def start_session(self, request: cso_endpoint.StartSessionRequest) -> RemoteStart:
        """Take or refuse a remote start, within 10 s."""

    def stop_session(self, request: cso_endpoint.StopSessionRequest) -> Outcome:
        """Take or refuse a remote stop, within 10 s."""

    def notify_sdrs(self, request: cso_endpoint.NotifySdrsRequest) -> None:
        """Store verdicts; the same ``delivery_id`` may come again."""
