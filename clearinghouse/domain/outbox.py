"""Deliveries to partners: kinds, states, backoff, and which outcomes are tried again.

At least once, with a delivery id that never changes: the partner drops what it has. A
time-out is unknown, so that the same delivery goes out again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.participants import EndpointService

#: First wait and longest wait between attempts; the wait doubles from one to the other.
BACKOFF_FIRST_MILLISECONDS = 1_000
BACKOFF_MAX_MILLISECONDS = 600_000

#: Age at which a delivery stops being tried and waits for a person.
DEAD_AFTER = timedelta(hours=24)

#: Wait before a delivery that could not be sent for our own reasons is looked at again.
NOT_SENT_MILLISECONDS = 5_000


class DeliveryKind(StrEnum):
    """What is delivered."""

    NOTIFY_SESSION = "NOTIFY_SESSION"
    DELIVER_SDRS = "DELIVER_SDRS"
    NOTIFY_SDRS = "NOTIFY_SDRS"
    NOTIFY_SETTLEMENT = "NOTIFY_SETTLEMENT"


#: The service of the partner that takes each kind.
SERVICE_OF = MappingProxyType(
    {
        DeliveryKind.NOTIFY_SESSION: EndpointService.CSP_ENDPOINT,
        DeliveryKind.DELIVER_SDRS: EndpointService.CSP_ENDPOINT,
        DeliveryKind.NOTIFY_SDRS: EndpointService.CSO_ENDPOINT,
        DeliveryKind.NOTIFY_SETTLEMENT: EndpointService.CSP_ENDPOINT,
    }
)


class DeliveryState(StrEnum):
    """Where a delivery stands; DEAD waits for the operator's replay."""

    READY = "READY"
    RUNNING = "RUNNING"
    DONE = "DONE"
    DEAD = "DEAD"


class Attempt(StrEnum):
    """How one attempt ended."""

    TAKEN = "TAKEN"  #: the partner answered with code 0 or a warning
    REFUSED = "REFUSED"  #: the partner refused for good
    REFUSED_FOR_NOW = "REFUSED_FOR_NOW"  #: the partner refused, marked retryable
    TIMED_OUT = "TIMED_OUT"  #: no answer in time: unknown
    UNREACHABLE = "UNREACHABLE"  #: no connection
    FAULTED = "FAULTED"  #: a SOAP fault or an answer that is none
    NOT_SENT = "NOT_SENT"  #: breaker open or no free slot: costs no attempt
    NO_ENDPOINT = "NO_ENDPOINT"  #: no address registered yet
    MOOT = "MOOT"  #: there is nothing to tell any more


_ERROR = {
    Attempt.TAKEN: None,
    Attempt.MOOT: None,
    Attempt.REFUSED: codes.PARTNER_REFUSED,
    Attempt.REFUSED_FOR_NOW: codes.PARTNER_REFUSED,
    Attempt.TIMED_OUT: codes.PARTNER_SILENT,
    Attempt.UNREACHABLE: codes.PARTNER_UNREACHABLE,
    Attempt.FAULTED: codes.PARTNER_FAULT,
    Attempt.NOT_SENT: codes.PARTNER_BUSY,
    Attempt.NO_ENDPOINT: codes.PARTNER_NO_ENDPOINT,
}


#: Errors of deliveries that wait for the partner itself: nobody was there, or only
#: something in front of it. When the partner shows that it is back, they need not wait
#: any longer; those that it refused for now do.
AWAY = frozenset(
    {
        codes.PARTNER_SILENT.number,
        codes.PARTNER_UNREACHABLE.number,
        codes.PARTNER_FAULT.number,
        codes.PARTNER_BUSY.number,
        codes.PARTNER_NO_ENDPOINT.number,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the rule needs of a delivery; ``attempts`` counts those that are over."""

    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What becomes of a delivery after an attempt; ``run_at`` only when READY.

    ``reached``: the partner took it, so the partner is there.
    """

    state: DeliveryState
    attempts: int
    run_at: datetime | None = None
    error: Code | None = None
    reached: bool = False


def backoff_milliseconds(attempts: int, randbelow: Callable[[int], int]) -> int:
    """Return the wait after so many failed attempts: full jitter, 1 s to 10 min.

    ``randbelow(n)`` gives a number from 0 to n - 1. A draw from the whole span keeps
    partners that failed together from being called together.
    """
    doublings = min(max(attempts, 1) - 1, _DOUBLINGS_MAX)
    span = min(BACKOFF_FIRST_MILLISECONDS << doublings, BACKOFF_MAX_MILLISECONDS)
    return randbelow(span + 1)


_DOUBLINGS_MAX = 10


def next_step(
    outcome: Attempt,
    delivery: Delivery,
    *,
    now: datetime,
    randbelow: Callable[[int], int],
) -> NextStep:
    """Return what to do after an attempt.

    Taken and moot are done. A refusal for good is dead at once: repeating it would only
    repeat the answer. All else is tried again until the delivery is a day old.
    """
    sent = outcome is not Attempt.NOT_SENT
    attempts = delivery.attempts + sent
    error = _ERROR[outcome]
    if error is None:
        reached = outcome is Attempt.TAKEN
        return NextStep(state=DeliveryState.DONE, attempts=attempts, reached=reached)
    is_old = now - delivery.created_at >= DEAD_AFTER
    if outcome is Attempt.REFUSED or is_old:
        return NextStep(state=DeliveryState.DEAD, attempts=attempts, error=error)
    wait = backoff_milliseconds(attempts, randbelow) if sent else NOT_SENT_MILLISECONDS
    return NextStep(
        state=DeliveryState.READY,
        attempts=attempts,
        run_at=now + timedelta(milliseconds=wait),
        error=error,
    )
