"""Types of the SDR service; the data nest as in clause 3.

Service session > charging session > charging transaction; one SDR covers one
service session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from clearinghouse.endpoint.messages.common import (
    Credential,
    CurrencyAmount,
    Result,
    ResultItem,
)

SdrStatus = Literal[
    "ACCEPTED",
    "HELD",
    "REFUSED",
    "DELIVERED",
    "CONFIRMED",
    "AUTO_CONFIRMED",
    "REJECTED",
    "SETTLED",
    "CORRECTED",
    "UNKNOWN",
]
SdrKind = Literal["ORIGINAL", "CREDIT", "REPLACEMENT"]
Verdict = Literal["CONFIRMED", "REJECTED"]
MatchKind = Literal[
    "SESSION_ID", "PARTNER_SESSION_ID", "EVSE_AND_USER", "OFFLINE_LIST", "NONE"
]
SignedMeterFormat = Literal["OCMF", "OTHER"]
SignedMeterEncoding = Literal["PLAIN", "BASE64", "HEX"]
SdrRole = Literal["HOME_CSP", "SUBMITTER"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What the meter's register showed at an instant."""

    at: datetime
    register_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMeterValue:
    """A signed meter value as the meter gave it."""

    format: SignedMeterFormat
    encoding: SignedMeterEncoding
    data: str
    public_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingTransaction:
    """The smallest billable part of a charging session (clause 3.13)."""

    charging_transaction_id: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    meter_start_wh: int | None = None
    meter_stop_wh: int | None = None
    meter_reading: tuple[MeterReading, ...] = ()
    signed_meter_value: tuple[SignedMeterValue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSession:
    """Charging transactions of one customer in one time frame (clause 3.11)."""

    charging_session_id: str
    started_at: datetime
    ended_at: datetime
    charging_transaction: tuple[ChargingTransaction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSession:
    """All services around one charge point for one customer (clause 3.12)."""

    session_id: UUID | None = None
    partner_session_id: str | None = None
    csp_id: str
    cso_id: str | None = None
    evse_id: str
    credential: Credential | None = None
    contract_id: str | None = None
    started_at: datetime
    ended_at: datetime
    charging_session: tuple[ChargingSession, ...] = ()
    parking_seconds: int | None = None
    idle_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDetailRecord:
    """All that is needed to bill one service session (clause 3.10)."""

    sdr_id: str
    service_session: ServiceSession
    tariff_id: str
    currency: str
    claimed_net: Decimal
    kind: SdrKind | None = None
    ref_sdr_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchControl:
    """Totals that prove that a batch arrived whole."""

    count: int
    energy_wh: int
    net: tuple[CurrencyAmount, ...] = ()
    first_ended_at: datetime | None = None
    last_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the clearing house signed for a batch; ``signature`` in DER."""

    text: str
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSdrsResponse:
    """How many records were taken, held, refused or known."""

    result: Result
    batch_id: UUID | None = None
    accepted: int | None = None
    held: int | None = None
    refused: int | None = None
    duplicates: int | None = None
    batch_root: str | None = None
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredSdr:
    """An SDR with what the clearing house says about it."""

    submitter_id: str
    csp_id: str
    received_at: datetime
    status: SdrStatus
    window_id: int | None = None
    window_label: str | None = None
    rated_net: Decimal
    rule_hit: tuple[ResultItem, ...] = ()
    service_detail_record: ServiceDetailRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSdrsResponse:
    """One page of SDRs."""

    result: Result
    sdr: tuple[DeliveredSdr, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SdrDecision:
    """What the home CSP says about one SDR."""

    submitter_id: str
    sdr_id: str
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmSdrsResponse:
    """What became of the decisions."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOfSdr:
    """Where one SDR stands."""

    submitter_id: str
    sdr_id: str
    status: SdrStatus
    window_id: int | None = None
    window_label: str | None = None
    rated_net: Decimal | None = None
    currency: str | None = None
    rule_hit: tuple[ResultItem, ...] = ()
    changed_at: datetime | None = None
    match_kind: MatchKind | None = None
    agreement_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSdrStatusResponse:
    """The statuses of SDRs."""

    result: Result
    status: tuple[StatusOfSdr, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayDigest:
    """What the SDRs of one day, from or for one partner, add up to."""

    day: str
    partner_id: str | None = None
    accepted: int
    held: int
    refused: int
    energy_wh: int
    net: tuple[CurrencyAmount, ...] = ()
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDigestResponse:
    """Digests by day and partner."""

    result: Result
    digest: tuple[DayDigest, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None
