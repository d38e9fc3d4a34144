"""The house's fees: tiers, a share of the turnover, bounds; the worked case V5."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import fees
from clearinghouse.domain.fees import FeePlan, FeeSide, Tier, Usage
from clearinghouse.domain.vat import vat_of

SINCE = date(2026, 1, 1)

TIERS = (Tier(1_000, 20_000), Tier(5_000, 15_000), Tier(None, 10_000))


def plan(**given: Any) -> FeePlan:  # noqa: ANN401 - as in the builders
    values: dict[str, Any] = {
        "party_id": "DEABC",
        "currency": "EUR",
        "valid_from": SINCE,
    }
    return FeePlan(**values | given)


def test_v5_tiers_are_charged_one_after_the_other_and_vat_comes_on_top() -> None:
    fee = fees.fee_of(plan(tiers=TIERS), Usage(received=6_250))

    assert fee.net_minor == 92_50
    assert vat_of(fee.net_minor, 1900) == 17_58
    assert fee.net_minor + vat_of(fee.net_minor, 1900) == 110_08


def test_v5_share_of_the_turnover_is_rounded_once() -> None:
    fee = fees.fee_of(plan(share_ppm=3_500), Usage(owed_minor=12_345_67))

    assert fee.net_minor == 43_21


@pytest.mark.parametrize(
    ("count", "net_minor"),
    [(0, 0), (1, 2), (1_000, 20_00), (1_001, 20_02), (5_000, 80_00), (5_001, 80_01)],
)
def test_tier_ends_with_its_last_sdr(count: int, net_minor: int) -> None:
    assert fees.fee_of(plan(tiers=TIERS), Usage(submitted=count)).net_minor == net_minor


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (FeeSide.RECEIVED, (10, 700)),
        (FeeSide.SUBMITTED, (4, 300)),
        (FeeSide.BOTH, (14, 1000)),
    ],
)
def test_plan_counts_one_side_or_both(side: FeeSide, expected: tuple[int, int]) -> None:
    usage = Usage(received=10, submitted=4, owed_minor=700, paid_minor=300)

    fee = fees.fee_of(plan(side=side), usage)

    assert (fee.sdr_count, fee.turnover_minor) == expected


def test_minimum_and_maximum_bound_the_sum_of_both_lines() -> None:
    bounded = plan(
        tiers=(Tier(None, 20_000),),
        share_ppm=1_000,
        minimum_minor=5_00,
        maximum_minor=9_00,
    )

    assert fees.fee_of(bounded, Usage()).net_minor == 5_00
    assert fees.fee_of(bounded, Usage(received=300)).net_minor == 6_00
    assert fees.fee_of(bounded, Usage(received=10**6)).net_minor == 9_00


@given(count=st.integers(0, 10**7), split=st.integers(0, 10**7))
def test_more_sdrs_never_cost_less(count: int, split: int) -> None:
    charged = plan(tiers=TIERS)
    less = fees.fee_of(charged, Usage(received=min(count, split)))
    more = fees.fee_of(charged, Usage(received=max(count, split)))

    assert less.net_minor <= more.net_minor


def test_plan_in_force_is_the_one_begun_last() -> None:
    old = plan(plan_id=1, minimum_minor=1)
    later = plan(plan_id=2, minimum_minor=2, valid_from=date(2026, 6, 1))
    corrected = plan(plan_id=3, minimum_minor=3)

    known = [old, later, corrected]

    assert fees.plan_in_force(known, date(2025, 12, 31)) is None
    assert fees.plan_in_force(known, date(2026, 5, 31)) == corrected
    assert fees.plan_in_force(known, date(2026, 6, 1)) == later


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"payment_days": -1}, "payment days"),
        ({"payment_days": 366}, "payment days"),
        ({"currency": "XXX"}, "currency"),
        ({"share_ppm": -1}, "share"),
        ({"share_ppm": 100_001}, "share"),
        ({"tiers": (Tier(10, 1),)}, "tiers"),
        ({"tiers": (Tier(None, 1), Tier(None, 1))}, "tiers"),
        ({"tiers": (Tier(10, 1), Tier(10, 1), Tier(None, 1))}, "tiers"),
        ({"tiers": (Tier(None, -1),)}, "tiers"),
        ({"minimum_minor": -1}, "minimum"),
        ({"minimum_minor": 2, "maximum_minor": 1}, "maximum"),
    ],
)
def test_wrong_plan_is_refused_with_the_place(
    given: dict[str, object], path: str
) -> None:
    wrong = dataclasses.replace(plan(), **given)  # type: ignore[arg-type]  # the cases

    assert [item.path for item in fees.problems(wrong)] == [path]
    assert fees.problems(plan(tiers=TIERS)) == ()
