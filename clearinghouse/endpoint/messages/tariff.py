"""Types of the tariff service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from clearinghouse.endpoint.messages.common import Result

ComponentType = Literal["ENERGY", "TIME", "PARKING", "IDLE", "FLAT"]
PricePer = Literal["UNIT", "STEP"]
PricedBy = Literal["INTERVAL", "START"]
Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffComponent:
    """One price per kWh, minute or session, and when it counts.

    ``step`` and the bounds ``from_`` and ``up_to`` are Wh or seconds; dates are texts
    as in 2026-02-28.
    """

    type: ComponentType
    price: Decimal
    step: int | None = None
    from_: int | None = None
    up_to: int | None = None
    grace_seconds: int | None = None
    local_from: str | None = None
    local_until: str | None = None
    weekday: tuple[Weekday, ...] = ()
    price_per: PricePer | None = None
    date_from: str | None = None
    date_until: str | None = None
    power_from_w: int | None = None
    power_up_to_w: int | None = None
    duration_from_seconds: int | None = None
    duration_up_to_seconds: int | None = None
    connector_kind: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices of one CSO for one receiver or, without one, for all."""

    tariff_id: str
    receiver_id: str | None = None
    currency: str
    valid_from: datetime
    valid_until: datetime | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    component: tuple[TariffComponent, ...] = ()
    discount_ppm: int | None = None
    vat_included: bool | None = None
    priced_by: PricedBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffVersion:
    """The version number that a published tariff got."""

    tariff_id: str
    version: int
    receiver_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutTariffsResponse:
    """The versions that the tariffs got."""

    result: Result
    tariff_version: tuple[TariffVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTariff:
    """One version of a tariff of a CSO."""

    cso_id: str
    version: int
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTariffsResponse:
    """One page of tariffs."""

    result: Result
    tariff: tuple[ListedTariff, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None
