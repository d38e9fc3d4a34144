"""Types of the EVSE service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from clearinghouse.endpoint.messages.common import Result
from clearinghouse.endpoint.messages.credential import ListState

Availability = Literal["OPERATIVE", "INOPERATIVE", "UNKNOWN"]
Occupancy = Literal["FREE", "OCCUPIED", "RESERVED", "UNKNOWN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One plug or socket of an EVSE."""

    kind: str
    power_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evse:
    """The unit of status, authorization and session (clause 3.3)."""

    evse_id: str
    operator_id: str | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    street: str | None = None
    house_number: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country: str
    time_zone: str
    connector: tuple[Connector, ...] = ()
    open24_hours: bool | None = None
    meter_public_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEvsesResponse:
    """What became of a part of a full list."""

    result: Result
    state: ListState | None = None
    accepted: int | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEvsesResponse:
    """What became of a change to the list."""

    result: Result
    accepted: int | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvse:
    """One EVSE of a CSO."""

    cso_id: str
    evse: Evse
    removed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetEvsesResponse:
    """One page of EVSEs."""

    result: Result
    evse: tuple[ListedEvse, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseStatus:
    """Availability and occupancy of one EVSE at one instant."""

    evse_id: str
    availability: Availability
    occupancy: Occupancy
    occurred_at: datetime
    time_to_live_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutStatusResponse:
    """What became of the statuses."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStatus:
    """The status of one EVSE; a stale one is unknown."""

    cso_id: str
    evse_id: str
    availability: Availability
    occupancy: Occupancy
    occurred_at: datetime
    valid_until: datetime | None = None
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatusResponse:
    """One page of statuses."""

    result: Result
    status: tuple[ListedStatus, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None
