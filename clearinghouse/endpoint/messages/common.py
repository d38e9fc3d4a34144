"""Types that every service shares (``urn:clearinghouse:iec63119:common:1``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

CredentialKind = Literal[
    "RFID", "STATIC_QR", "DYNAMIC_QR", "USERNAME", "PNC_CERTIFICATE"
]
Decision = Literal["AUTHORIZED", "REFUSED"]
SessionEvent = Literal["STARTED", "PROGRESS", "SUSPENDED", "RESUMED", "ENDED", "FAILED"]
SessionState = Literal[
    "REQUESTED",
    "REFUSED",
    "RESERVED",
    "AUTHORIZED",
    "STARTING",
    "START_UNKNOWN",
    "START_FAILED",
    "ACTIVE",
    "SUSPENDED",
    "STOPPING",
    "ENDED",
    "EXPIRED",
    "CANCELLED",
    "SDR_RECEIVED",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeHeader:
    """Who sends what to whom; the ``message_id`` is kept over all repeats."""

    message_id: UUID
    sender_id: str
    receiver_id: str | None = None
    created_at: datetime
    session_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultItem:
    """What is to be said about one item of a list; ``index`` counts from 0."""

    index: int | None = None
    code: int
    rule: str | None = None
    text: str
    path: str | None = None
    expected: str | None = None
    found: str | None = None
    rule_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The first level of each answer: code, fixed text, whether to repeat."""

    code: int
    text: str
    retryable: bool
    correlation_id: UUID
    item: tuple[ResultItem, ...] = ()
    items_omitted: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The detail of a SOAP fault: trouble with transport, schema or security."""

    code: str
    number: int
    text: str
    retryable: bool
    correlation_id: UUID
    item: tuple[ResultItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What identifies an EV user at an EVSE (clause 3.9)."""

    kind: CredentialKind
    value: str
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyAmount:
    """An amount of one currency."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class IntermediateSdr:
    """What makes a report of progress an intermediate SDR; numbers rise from 1."""

    sequence_no: int
    meter_wh: int | None = None
    claimed_net: CurrencyAmount | None = None
    tariff_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntermediateSdrView:
    """An intermediate SDR with the clearing house's estimate; it counts nothing."""

    sequence_no: int
    occurred_at: datetime
    energy_wh: int
    meter_wh: int | None = None
    claimed_net: CurrencyAmount | None = None
    tariff_id: str | None = None
    estimated_net: CurrencyAmount | None = None
