"""The first version of the rating rules as it was released, kept to compare with.

SDRs that were rated by it say ``engineVersion`` 1 for ever. It is not to be changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clearinghouse.domain.money import CURRENCIES
from clearinghouse.domain.tariffs import Component, ComponentType, Tariff

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from clearinghouse.domain.usage import Usage

_PARTS = {
    ComponentType.ENERGY: 60,
    ComponentType.TIME: 1000,
    ComponentType.PARKING: 1000,
    ComponentType.IDLE: 1000,
    ComponentType.FLAT: 60_000,
}


def rate_one(tariff: Tariff, usage: Usage, zone: ZoneInfo) -> int:
    """Return the net amount in minor units by version 1."""
    parts = 0
    for part in tariff.components:
        step = part.effective_step
        steps = -(-_quantity(part, usage, zone) // step)
        parts += steps * step * part.price_u * _PARTS[part.type]
    if tariff.minimum_u is not None:
        parts = max(parts, tariff.minimum_u * 60_000)
    if tariff.maximum_u is not None:
        parts = min(parts, tariff.maximum_u * 60_000)
    divisor = 60 * 10**9 // CURRENCIES[tariff.currency].minor_per_unit
    return (2 * parts + divisor) // (2 * divisor)


def _quantity(part: Component, usage: Usage, zone: ZoneInfo) -> int:
    match part.type:
        case ComponentType.ENERGY:
            used = [(one.started_at, one.energy_wh) for one in usage.intervals]
        case ComponentType.TIME:
            used = [(one.started_at, one.seconds) for one in usage.intervals]
        case ComponentType.PARKING:
            used = [(usage.started_at, usage.parking_seconds)]
        case ComponentType.IDLE:
            idle_from = usage.ended_at - timedelta(seconds=usage.idle_seconds)
            used = [(idle_from, max(0, usage.idle_seconds - part.grace_seconds))]
        case ComponentType.FLAT:
            return 1 if _applies(part, usage.started_at, zone) else 0
    quantity = end = 0
    for at, length in used:
        start, end = end, end + length
        if _applies(part, at, zone):
            upper = end if part.tier_up_to is None else min(end, part.tier_up_to)
            quantity += max(0, upper - max(start, part.tier_from))
    return quantity


def _applies(part: Component, at: datetime, zone: ZoneInfo) -> bool:
    local = at.astimezone(zone)
    if part.weekdays and local.weekday() not in part.weekdays:
        return False
    start = part.local_from or 0
    end = 1440 if part.local_until is None else part.local_until
    minute = local.hour * 60 + local.minute
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end
