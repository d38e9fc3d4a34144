"""Rating in decimals, from the rules for auditors, sharing nothing with the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clearinghouse.domain.tariffs import Component, Tariff
    from tests.domain.rating_cases import Case

DECIMALS = {"JPY": 0, "EUR": 2, "KWD": 3, "CLF": 4}
DIGITS = 80
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a quantity's line with all that a restriction may ask."""

    begin: int
    end: int
    at: datetime
    power_w: Decimal
    duration: int
    connectors: frozenset[str]


def oracle(case: Case) -> int:
    """Return the net amount of a case in minor units, negative for a credit."""
    tariff = case.tariff
    with localcontext() as context:
        context.prec = DIGITS
        amount = sum(
            (_priced(one, _quantity(one, case)) for one in tariff.components),
            Decimal(0),
        )
        amount = _bounded(tariff, amount)
        amount *= 1 - tariff.discount_ppm / MILLION
        if tariff.vat_included:
            amount /= 1 + Decimal(case.vat_rate_bp) / 10_000
        places = DECIMALS[tariff.currency]
        minor = (amount * case.sign).scaleb(places)
        return int(minor.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _bounded(tariff: Tariff, amount: Decimal) -> Decimal:
    if tariff.minimum_u is not None:
        amount = max(amount, tariff.minimum_u / MILLION)
    if tariff.maximum_u is not None:
        amount = min(amount, tariff.maximum_u / MILLION)
    return amount


def _priced(part: Component, quantity: int) -> Decimal:
    price = part.price_u / MILLION
    usual = {"ENERGY": 1, "FLAT": 1}.get(part.type, 60)
    step = part.step or usual
    steps = (Decimal(quantity) / step).to_integral_value(ROUND_CEILING)
    if part.price_per == "STEP" or part.type == "FLAT":
        return steps * price
    per = 1000 if part.type == "ENERGY" else 60
    return steps * step * price / per


def _quantity(part: Component, case: Case) -> int:
    """Add up the pieces in which the component is the one, or one of those, to pay."""
    same = [one for one in case.tariff.components if one.type == part.type]
    marks = {mark for one in same for mark in _tier(one) if mark is not None}
    total = 0
    for stretch in _stretches(part.type.value, case):
        inner = {mark for mark in marks if stretch.begin < mark < stretch.end}
        for begin, end in pairwise(sorted({stretch.begin, stretch.end} | inner)):
            paying = [
                one
                for one in same
                if _covers(one, begin) and _applies(one, stretch, case)
            ]
            top = max((one.priority or 0 for one in paying), default=0)
            if any(one is part for one in paying) and part.priority in (None, top):
                total += end - begin
    return total


def _tier(part: Component) -> tuple[int, int | None]:
    begin = part.grace_seconds + part.tier_from
    return begin, part.tier_up_to and part.grace_seconds + part.tier_up_to


def _covers(part: Component, place: int) -> bool:
    begin, end = _tier(part)
    return begin <= place and (end is None or place < end)


def _stretches(kind: str, case: Case) -> list[Stretch]:
    usage = case.usage
    duration = (usage.ended_at - usage.started_at) // timedelta(seconds=1)
    if kind in ("ENERGY", "TIME"):
        found, begin = [], 0
        for number, interval in zip(case.transactions, usage.intervals, strict=True):
            end = begin + (interval.energy_wh if kind == "ENERGY" else interval.seconds)
            power_w = _power(case, {number})
            at = interval.started_at
            found.append(Stretch(begin, end, at, power_w, duration, case.connectors))
            begin = end
        return found
    at = usage.started_at
    length = 1
    if kind == "PARKING":
        length = usage.parking_seconds
    elif kind == "IDLE":
        length = usage.idle_seconds
        at = usage.ended_at - timedelta(seconds=length)
    power_w = _power(case, set(case.transactions))
    return [Stretch(0, length, at, power_w, duration, case.connectors)]


def _power(case: Case, numbers: set[int]) -> Decimal:
    of = [
        interval
        for number, interval in zip(
            case.transactions, case.usage.intervals, strict=True
        )
        if number in numbers
    ]
    seconds = sum(one.seconds for one in of)
    if not seconds:
        return Decimal(0)
    return Decimal(sum(one.energy_wh for one in of)) * 3600 / seconds


def _applies(part: Component, stretch: Stretch, case: Case) -> bool:
    at = case.usage.started_at if case.tariff.priced_by == "START" else stretch.at
    local = at.astimezone(case.zone)
    minute = local.hour * 60 + local.minute
    kinds = {kind.lower() for kind in stretch.connectors}
    return (
        _within_day(part, minute)
        and (not part.weekdays or local.weekday() in part.weekdays)
        and (part.date_from is None or part.date_from <= local.date())
        and (part.date_until is None or local.date() < part.date_until)
        and _within(stretch.power_w, part.power_from_w, part.power_up_to_w)
        and _within(
            Decimal(stretch.duration),
            part.duration_from_seconds,
            part.duration_up_to_seconds,
        )
        and (part.connector is None or part.connector.lower() in kinds)
    )


def _within(value: Decimal, begin: int | None, end: int | None) -> bool:
    return (begin or 0) <= value and (end is None or value < end)


def _within_day(part: Component, minute: int) -> bool:
    if part.local_from is None or part.local_until is None:
        return True
    length = (part.local_until - part.local_from) % 1440 or 1440
    return (minute - part.local_from) % 1440 < length
