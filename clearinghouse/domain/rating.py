"""Rating: from a tariff and what was used to the net amount, in pure integers.

Order: quantities (:mod:`clearinghouse.domain.quantities`); step (started units); price
per component, exact; sum; minimum and maximum; discount; VAT out of it where the prices
include VAT; one rounding, half away from zero. Elapsed time is a difference in UTC. An
intermediate amount is in 1/60 nano-units, which makes every product of a quantity and a
price a whole number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from clearinghouse.domain.money import (
    BASIS_POINTS,
    NANO_PER_MICRO,
    NANO_PER_UNIT,
    currency_of,
    divide_half_away,
)
from clearinghouse.domain.quantities import meters_of
from clearinghouse.domain.tariffs import (
    DISCOUNT_PPM_MAX,
    SECONDS_PER_MINUTE,
    Component,
    ComponentType,
    PricePer,
    Tariff,
)
from clearinghouse.domain.usage import Usage

#: Written into each SDR: a rule that rates differently gets a new number. Version 2
#: knows more restrictions, priorities, prices per step, discounts and prices with VAT;
#: what version 1 could rate it rates the same, so that both are re-rated by this file.
ENGINE_VERSION = 2

_PARTS_PER_NANO = SECONDS_PER_MINUTE
_PARTS_PER_MICRO = NANO_PER_MICRO * _PARTS_PER_NANO

#: Parts (1/60 nano-unit) for one of the quantity at a price of one micro-unit: a Wh is
#: a thousandth of a kWh, a second a sixtieth of a minute.
_PARTS = {
    ComponentType.ENERGY: _PARTS_PER_NANO,
    ComponentType.TIME: NANO_PER_MICRO,
    ComponentType.PARKING: NANO_PER_MICRO,
    ComponentType.IDLE: NANO_PER_MICRO,
    ComponentType.FLAT: _PARTS_PER_MICRO,
}

_NO_CONNECTORS: frozenset[str] = frozenset()


class Clamp(StrEnum):
    """Which bound of the tariff replaced the sum."""

    MINIMUM = "MINIMUM"
    MAXIMUM = "MAXIMUM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One component's share of a rated amount, before bounds, discount and VAT.

    ``quantity`` is what was used where the component applies, ``billed`` the same in
    started steps (Wh, seconds, or 1 for FLAT); ``amount_parts`` is exact, in 1/60
    nano-units.
    """

    component: Component
    quantity: int
    billed: int
    amount_parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """A net amount in minor units with the lines it came from.

    ``gross_minor``: where the prices include VAT, what they come to; VAT is the
    difference to the net amount.
    """

    net_minor: int
    lines: tuple[Line, ...]
    clamp: Clamp | None = None
    gross_minor: int | None = None
    engine_version: int = ENGINE_VERSION


class Rater(Protocol):
    """A compiled tariff."""

    def __call__(self, usage: Usage, vat_rate_bp: int = 0) -> int:
        """Return the net minor units of a usage.

        ``vat_rate_bp``: the rate of VAT in hundredths of a percent, taken out where the
        prices include it.
        """
        ...


def compile_tariff(
    tariff: Tariff, zone: ZoneInfo, connectors: frozenset[str] = _NO_CONNECTORS
) -> Rater:
    """Return a function from usage to net minor units, for the bulk path.

    Keep it per tariff version, zone and, where the tariff asks for them, kinds of
    connectors of the EVSE. Raises :class:`~clearinghouse.domain.money.AmountError` for
    an unknown currency.
    """
    meters = meters_of(tariff, zone, connectors)
    terms = [
        (meter, component.effective_step, _parts_per_step(component))
        for meter, component in zip(meters, tariff.components, strict=True)
    ]
    low, high = _bound(tariff.minimum_u), _bound(tariff.maximum_u)
    divisor = _divisor(tariff)
    is_plain = not tariff.discount_ppm and not tariff.vat_included

    def rater(usage: Usage, vat_rate_bp: int = 0) -> int:
        parts = 0
        for meter, step, parts_per_step in terms:
            parts += -(-meter(usage) // step) * parts_per_step
        if low is not None and parts < low:
            parts = low
        if high is not None and parts > high:
            parts = high
        if is_plain:
            return divide_half_away(parts, divisor)
        return _net_minor(tariff, parts, vat_rate_bp)

    return rater


def rate(
    tariff: Tariff,
    usage: Usage,
    zone: ZoneInfo,
    *,
    connectors: frozenset[str] = _NO_CONNECTORS,
    vat_rate_bp: int = 0,
) -> Rated:
    """Return the net amount with its lines: explains what the compiled tariff gives.

    Raises :class:`~clearinghouse.domain.money.AmountError` for an unknown currency.
    """
    meters = meters_of(tariff, zone, connectors)
    lines = tuple(
        _line(component, meter(usage))
        for meter, component in zip(meters, tariff.components, strict=True)
    )
    parts = sum(line.amount_parts for line in lines)
    low, high = _bound(tariff.minimum_u), _bound(tariff.maximum_u)
    clamp = None
    if low is not None and parts < low:
        parts, clamp = low, Clamp.MINIMUM
    if high is not None and parts > high:
        parts, clamp = high, Clamp.MAXIMUM
    return Rated(
        net_minor=_net_minor(tariff, parts, vat_rate_bp),
        lines=lines,
        clamp=clamp,
        gross_minor=_net_minor(tariff, parts, 0) if tariff.vat_included else None,
    )


def _line(component: Component, quantity: int) -> Line:
    step = component.effective_step
    steps = -(-quantity // step)
    return Line(
        component=component,
        quantity=quantity,
        billed=steps * step,
        amount_parts=steps * _parts_per_step(component),
    )


def _net_minor(tariff: Tariff, parts: int, vat_rate_bp: int) -> int:
    """Take off discount and VAT, and round: the only rounding there is."""
    parts *= DISCOUNT_PPM_MAX - tariff.discount_ppm
    divisor = _divisor(tariff) * DISCOUNT_PPM_MAX
    if tariff.vat_included:
        parts *= BASIS_POINTS
        divisor *= BASIS_POINTS + vat_rate_bp
    return divide_half_away(parts, divisor)


def _divisor(tariff: Tariff) -> int:
    nano_per_minor = NANO_PER_UNIT // currency_of(tariff.currency).minor_per_unit
    return nano_per_minor * _PARTS_PER_NANO


def _parts_per_step(component: Component) -> int:
    if component.price_per is PricePer.STEP:
        return component.price_u * _PARTS_PER_MICRO
    return component.effective_step * component.price_u * _PARTS[component.type]


def _bound(amount_u: int | None) -> int | None:
    return None if amount_u is None else amount_u * _PARTS_PER_MICRO
