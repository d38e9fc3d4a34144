"""The house's fees: plans per participant, and what a run charges by them.

A plan has a price per SDR in tiers, a share of the turnover, or both; each of these
lines is rounded once, then minimum and maximum bound the sum. VAT comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import (
    NANO_PER_MICRO,
    NANO_PER_UNIT,
    AmountError,
    Currency,
    currency_of,
    divide_half_away,
)

#: The whole in parts per million.
WHOLE_PPM = 1_000_000

#: Tiers of one plan, and the highest share of the turnover (10 %): they stop a slip.
TIERS_MAX = 20
SHARE_PPM_MAX = 100_000


#: Days from booking to the day by which a fee is due, as between partners by default,
#: and the most that a plan may give.
PAYMENT_DAYS = 30
PAYMENT_DAYS_MAX = 365


class FeeSide(StrEnum):
    """Which SDRs of a participant count."""

    RECEIVED = "RECEIVED"  #: those that it owes for, as home CSP
    SUBMITTED = "SUBMITTED"  #: those that it is paid for
    BOTH = "BOTH"


class Tier(NamedTuple):
    """The price of each SDR up to a number of them; ``None``: of all the rest.

    ``price_u`` in micro-units of the currency.
    """

    up_to: int | None
    price_u: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePlan:
    """What a participant pays in each run from a day on.

    ``share_ppm`` of the turnover in parts per million: 3500 is 0.35 %. Minimum and
    maximum in minor units, without VAT; a fee is due ``payment_days`` after its
    booking; ``plan_id`` is 0 before it is stored.
    """

    party_id: str
    currency: str
    valid_from: date
    side: FeeSide = FeeSide.BOTH
    tiers: tuple[Tier, ...] = ()
    share_ppm: int = 0
    minimum_minor: int = 0
    maximum_minor: int | None = None
    payment_days: int = PAYMENT_DAYS
    plan_id: int = 0


class Usage(NamedTuple):
    """What a participant did in the windows of a run: SDRs and turnover by side."""

    received: int = 0
    submitted: int = 0
    owed_minor: int = 0
    paid_minor: int = 0


class Fee(NamedTuple):
    """A fee without VAT: its two lines, and the sum within the bounds of the plan."""

    sdr_count: int
    turnover_minor: int
    sdr_minor: int
    share_minor: int
    net_minor: int


def fee_of(plan: FeePlan, usage: Usage) -> Fee:
    """Return what a plan charges.

    >>> plan = FeePlan(
    ...     party_id="DEABC",
    ...     currency="EUR",
    ...     valid_from=date(2026, 1, 1),
    ...     tiers=(Tier(1_000, 20_000), Tier(5_000, 15_000), Tier(None, 10_000)),
    ... )
    >>> fee_of(plan, Usage(received=6_250)).net_minor
    9250
    """
    count, turnover_minor = _counted(plan.side, usage)
    sdr_minor = _per_sdr(plan.tiers, count, currency_of(plan.currency))
    share_minor = divide_half_away(turnover_minor * plan.share_ppm, WHOLE_PPM)
    net_minor = max(sdr_minor + share_minor, plan.minimum_minor)
    if plan.maximum_minor is not None:
        net_minor = min(net_minor, plan.maximum_minor)
    return Fee(count, turnover_minor, sdr_minor, share_minor, net_minor)


def _counted(side: FeeSide, usage: Usage) -> tuple[int, int]:
    match side:
        case FeeSide.RECEIVED:
            return usage.received, usage.owed_minor
        case FeeSide.SUBMITTED:
            return usage.submitted, usage.paid_minor
        case FeeSide.BOTH:
            return (
                usage.received + usage.submitted,
                usage.owed_minor + usage.paid_minor,
            )


def _per_sdr(tiers: Sequence[Tier], count: int, currency: Currency) -> int:
    nano, begin = 0, 0
    for tier in tiers:
        end = count if tier.up_to is None else min(count, tier.up_to)
        nano += max(0, end - begin) * tier.price_u * NANO_PER_MICRO
        begin = max(begin, end)
    return divide_half_away(nano * currency.minor_per_unit, NANO_PER_UNIT)


def plan_in_force(plans: Sequence[FeePlan], on: date) -> FeePlan | None:
    """Return the plan on a day: the one begun last, and of several the last put."""
    begun = [plan for plan in plans if plan.valid_from <= on]
    return max(begun, key=lambda one: (one.valid_from, one.plan_id), default=None)


def problems(plan: FeePlan) -> tuple[Item, ...]:
    """Return all that is wrong with a plan; empty when it may be put."""
    found = []
    try:
        currency_of(plan.currency)
    except AmountError as error:
        found.append(_wrong("currency", str(error)))
    if not 0 <= plan.share_ppm <= SHARE_PPM_MAX:
        found.append(_wrong("share", f"0 to {SHARE_PPM_MAX} parts per million"))
    if not 0 <= plan.payment_days <= PAYMENT_DAYS_MAX:
        found.append(_wrong("payment days", f"0 to {PAYMENT_DAYS_MAX}"))
    bounds = [tier.up_to for tier in plan.tiers]
    steps = [bound for bound in bounds if bound is not None]
    is_open = not bounds or bounds[-1] is None
    if not is_open or len(steps) < len(bounds) - 1 or steps != sorted(set(steps)):
        found.append(_wrong("tiers", "rising numbers of SDRs, the last without one"))
    if len(plan.tiers) > TIERS_MAX or any(tier.price_u < 0 for tier in plan.tiers):
        found.append(_wrong("tiers", f"at most {TIERS_MAX}, with prices from 0"))
    if plan.minimum_minor < 0:
        found.append(_wrong("minimum", "0 or more"))
    if plan.maximum_minor is not None and plan.maximum_minor < plan.minimum_minor:
        found.append(_wrong("maximum", "the minimum or more"))
    return tuple(found)


def _wrong(path: str, expected: str) -> Item:
    return Item(code=SEMANTIC, path=path, expected=expected)
