"""What we may ask of a partner: the one port besides the clock.

Each call has an absolute deadline and ends in a value: an answer, or the reason why
there is none. Whether a call without an answer may have taken effect is part of that
value, because a timeout is unknown, not no (contract: sessions).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

from clearinghouse.domain.authorization import Verdict
from clearinghouse.domain.errors import Item
from clearinghouse.domain.intermediate_sdrs import IntermediateSdr
from clearinghouse.domain.sdrs import News, SdrStatus, ServiceDetailRecord
from clearinghouse.domain.sessions import SessionEventKind, SessionState
from clearinghouse.domain.settlement_notices import Notice
from clearinghouse.identifiers.credential import CredentialKind

_MILLISECOND_NS = 1_000_000

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant of the monotonic clock after which nobody waits any more.

    It covers the whole call, not one read: a partner that sends a byte now and then
    does not move it.
    """

    at_ns: int

    @classmethod
    def after(cls, milliseconds: int) -> Deadline:
        """Return the deadline so many milliseconds from now."""
        return cls(time.monotonic_ns() + milliseconds * _MILLISECOND_NS)

    def remaining_milliseconds(self) -> int:
        """Return what is left, 0 when it has passed."""
        return max(0, self.at_ns - time.monotonic_ns()) // _MILLISECOND_NS


@dataclass(frozen=True, slots=True)
class Answered(Generic[T_co]):
    """The partner took the message (code 0 or a warning) and answered."""

    answer: T_co


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner answered with a refusal of its own: the message had no effect.

    ``code`` is the number in its ``result``.
    """

    code: int
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer within the deadline, or the connection broke: the effect is unknown."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No connection, or the breaker is open: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Busy:
    """All slots of calls to this partner are taken: nothing was sent."""


@dataclass(frozen=True, slots=True)
class NoEndpoint:
    """The partner registered no endpoint for this service: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Faulted:
    """A SOAP fault, or an answer that is none.

    ``took_effect_unknown``: the partner blames itself (a server fault, an unreadable
    answer), so that the message may have been carried out.
    """

    took_effect_unknown: bool


NotAnswered: TypeAlias = Refused | TimedOut | Unreachable | Busy | NoEndpoint | Faulted
Reply: TypeAlias = Answered[T] | NotAnswered


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeQuestion:
    """May the holder of this credential charge (or stop) here? Asked of its home CSP.

    ``value`` and ``secret`` are personal; they are sent and never stored or logged.
    """

    session_id: UUID
    evse_id: str
    cso_party: str
    kind: CredentialKind
    value: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeAnswer:
    """The home CSP's word; ``contract_id`` is personal and goes to the vault only."""

    verdict: Verdict
    reason: str | None = None
    contract_id: str | None = field(default=None, repr=False)
    valid_until: datetime | None = None
    max_energy_wh: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOrder:
    """Start charging for a CSP's user at an EVSE of the CSO that is asked."""

    session_id: UUID
    evse_id: str
    csp_party: str
    partner_session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOrder:
    """Stop a session; ``partner_session_id`` is the CSO's own name for it, if known."""

    session_id: UUID
    partner_session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAnswer:
    """Whether the CSO took the order, and how it names the session."""

    accepted: bool
    partner_session_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotice:
    """An event of a session, for its home CSP.

    ``partner_session_id`` is the CSP's own name for the session, if it gave one;
    ``intermediate``: the intermediate SDR that came with it.
    """

    session_id: UUID
    event: SessionEventKind
    event_id: UUID
    occurred_at: datetime
    state: SessionState
    cso_party: str
    evse_id: str
    energy_wh: int | None = None
    partner_session_id: str | None = None
    intermediate: IntermediateSdr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredSdr:
    """An SDR with what we found, as its home CSP gets it, pushed or pulled.

    ``rated_net_minor`` is our rating in minor units of the record's currency;
    ``remarks`` are the rules it met.
    """

    submitter_party: str
    csp_party: str
    received_at: datetime
    status: SdrStatus
    window_id: int | None
    window_label: str | None
    rated_net_minor: int
    remarks: tuple[Item, ...]
    record: ServiceDetailRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SdrNotice:
    """What was decided of an SDR, for its submitter; or what a dispute came to."""

    sdr_id: str
    news: News
    reason: str | None = None
    dispute_id: UUID | None = None


class Taken(StrEnum):
    """The whole answer to a delivery."""

    TAKEN = "TAKEN"


class PartnerGateway(Protocol):
    """All partners, each behind its own slots and breaker, whatever protocol it speaks.

    ``participant_id`` is whom we ask. No call raises for what a partner does; an
    implementation sends nothing after the deadline and nothing twice.
    """

    def authorize(
        self, participant_id: int, question: AuthorizeQuestion, *, deadline: Deadline
    ) -> Reply[AuthorizeAnswer]:
        """Ask a home CSP about a credential."""
        ...

    def start_session(
        self, participant_id: int, order: StartOrder, *, deadline: Deadline
    ) -> Reply[ControlAnswer]:
        """Ask a CSO to start a session."""
        ...

    def stop_session(
        self, participant_id: int, order: StopOrder, *, deadline: Deadline
    ) -> Reply[ControlAnswer]:
        """Ask a CSO to stop a session."""
        ...

    def notify_session(
        self, participant_id: int, notice: SessionNotice, *, deadline: Deadline
    ) -> Reply[Taken]:
        """Tell a home CSP what happened in a session."""
        ...

    def deliver_sdrs(
        self,
        participant_id: int,
        delivery_id: UUID,
        *,
        sdrs: Sequence[DeliveredSdr],
        deadline: Deadline,
    ) -> Reply[Taken]:
        """Deliver SDRs to a home CSP; the same ``delivery_id`` at each attempt."""
        ...

    def notify_sdrs(
        self,
        participant_id: int,
        delivery_id: UUID,
        *,
        notices: Sequence[SdrNotice],
        deadline: Deadline,
    ) -> Reply[Taken]:
        """Tell a submitter what home CSPs said; the same ``delivery_id`` each time."""
        ...

    def notify_settlement(
        self,
        participant_id: int,
        delivery_id: UUID,
        *,
        notices: Sequence[Notice],
        deadline: Deadline,
    ) -> Reply[Taken]:
        """Tell news of the settlement; the same ``delivery_id`` at each attempt."""
        ...
