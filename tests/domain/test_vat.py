"""VAT: which rule counts, what it gives, and the one rounding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.vat import (
    UNTAXED,
    ServiceClass,
    Supply,
    VatCategory,
    VatRule,
    doubt_of,
    fitting,
    problems,
    resolve,
    vat_of,
)

DAY = date(2026, 11, 22)
ENERGY = ServiceClass.ENERGY


def rule(rule_id: int, **override: Any) -> VatRule:  # noqa: ANN401
    values: dict[str, Any] = {
        "service": ServiceClass.ENERGY,
        "seller": "*",
        "buyer": "*",
        "place": "*",
        "dealer": None,
        "valid_from": date(2024, 1, 1),
        "category": VatCategory.STANDARD,
        "rate_bp": 1900,
        "rule_id": rule_id,
    } | override
    return VatRule(**values)


def supply(**override: Any) -> Supply:  # noqa: ANN401
    values: dict[str, Any] = {
        "seller": "DE",
        "buyer": "NL",
        "is_dealer": True,
        "place": "DE",
        "service": ServiceClass.ENERGY,
        "on": DAY,
    } | override
    return Supply(**values)


def counts(rules: list[VatRule], asked: Supply) -> int:
    return resolve(rules, asked).rule_id


def test_without_a_rule_nothing_is_taxed() -> None:
    assert resolve([], supply()) == UNTAXED
    assert (UNTAXED.category, UNTAXED.rate_bp) == (VatCategory.OUTSIDE, 0)


def test_seller_without_vat_id_shows_no_vat_whatever_the_table_says() -> None:
    assert resolve([rule(1)], supply(seller=None)) == UNTAXED


#: Rules that all fit, from the one that says least to the one that says most.
LADDER = [
    rule(9),
    rule(8, valid_from=date(2025, 1, 1)),
    rule(7, buyer="EU"),
    rule(6, seller="EU", buyer="EU"),
    rule(5, seller="EU", buyer="EU", dealer=True),
    rule(4, seller="DE", buyer="NL"),
    rule(3, seller="DE", buyer="NL", dealer=True),
    rule(2, seller="DE", buyer="NL", place="DE"),
    rule(1, priority=1),
]


def test_rule_that_says_most_counts_and_priority_before_it() -> None:
    order = [one.rule_id for one in fitting(LADDER, supply())]

    assert order == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_order_of_the_rows_changes_nothing() -> None:
    some = LADDER[3:8]

    found = {counts(list(rows), supply()) for rows in permutations(some)}

    assert found == {2}


def test_of_two_that_say_the_same_the_later_row_counts() -> None:
    assert counts([rule(1), rule(2)], supply()) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"service": ServiceClass.FEE},
        {"seller": "FR"},
        {"buyer": "OTHER"},
        {"place": "NL"},
        {"dealer": False},
        {"valid_from": date(2026, 11, 23)},
        {"valid_until": DAY},
    ],
)
def test_rule_for_something_else_does_not_fit(other: dict[str, Any]) -> None:
    assert fitting([rule(1, **other)], supply()) == []


def test_rate_changes_on_its_day() -> None:
    rules = [
        rule(1, rate_bp=2200, valid_until=date(2025, 7, 1)),
        rule(2, rate_bp=2400, valid_from=date(2025, 7, 1)),
    ]

    before = resolve(rules, supply(on=date(2025, 6, 30)))
    after = resolve(rules, supply(on=date(2025, 7, 1)))

    assert (before.rate_bp, after.rate_bp) == (2200, 2400)


def test_groups_hold_members_and_all_others() -> None:
    rules = [rule(1, buyer="EU"), rule(2, buyer="OTHER")]

    assert counts(rules, supply(buyer="GR")) == 1
    assert counts(rules, supply(buyer="CH")) == 2
    assert counts(rules, supply(buyer="GB")) == 2


@pytest.mark.parametrize(
    ("base_minor", "rate_bp", "vat_minor"),
    [
        (2_53, 1900, 48),  # V1: per line it would be 46
        (481_00, 1900, 91_39),
        (1000_05, 1900, 190_01),  # V2
        (500_03, 2100, 105_01),
        (50, 1900, 10),  # R6: 0.095
        (-50, 1900, -10),
        (1_00, 0, 0),
        (100, 2550, 26),
    ],
)
def test_vat_is_rounded_half_away_from_zero(
    base_minor: int, rate_bp: int, vat_minor: int
) -> None:
    assert vat_of(base_minor, rate_bp) == vat_minor


@given(st.integers(-(10**15), 10**15), st.integers(0, 5000))
def test_vat_of_a_credit_mirrors_the_charge(base_minor: int, rate_bp: int) -> None:
    assert vat_of(-base_minor, rate_bp) == -vat_of(base_minor, rate_bp)


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ({"seller": "XX"}, "seller"),
        ({"buyer": "de"}, "buyer"),
        ({"place": ""}, "place"),
        ({"rate_bp": 0}, "rate"),
        ({"rate_bp": 5001}, "rate"),
        ({"rate_bp": -1}, "rate"),
        ({"category": VatCategory.EXEMPT, "reason": "Exempt"}, "rate"),
        ({"category": VatCategory.EXEMPT, "rate_bp": 0}, "reason"),
        ({"reason": "why"}, "reason"),
        (
            {
                "category": VatCategory.OUTSIDE,
                "rate_bp": 0,
                "reason_code": "EU-O",
            },
            "reasonCode",
        ),
        ({"valid_until": date(2024, 1, 1)}, "validUntil"),
        ({"priority": -1}, "priority"),
    ],
)
def test_wrong_rule_is_refused_with_what_it_should_be(
    override: dict[str, Any], path: str
) -> None:
    (problem,) = problems(rule(0, **override))

    assert problem.path == path
    assert problems(replace(rule(0))) == ()


@pytest.mark.parametrize(
    ("way", "category", "named", "buyer_has_id", "doubted"),
    [
        (("DE", "DE"), "S", True, False, False),
        (("DE", "NL"), "S", True, False, False),  # one union of VAT
        (("CH", "LI"), "S", True, False, False),
        (("CH", "DE"), "S", True, True, True),
        (("DE", "CH"), "S", True, True, True),
        (("CH", "DE"), "S", False, False, False),  # it is not the VAT of the place
        (("DE", "DE"), "AE", False, True, False),
        (("DE", "DE"), "AE", False, False, True),
        (("DE", "FR"), "K", False, False, True),
        (("DE", "US"), None, False, True, True),
        ((None, "US"), None, False, False, False),
    ],
)
def test_place_and_profiles_that_do_not_fit_the_tax_are_doubted(
    way: tuple[str | None, str],
    category: str | None,
    named: bool,  # noqa: FBT001 - a column of the table
    buyer_has_id: bool,  # noqa: FBT001 - a column of the table
    doubted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    seller, place = way
    supply = Supply(seller, "DE", is_dealer=True, place=place, on=DAY, service=ENERGY)
    found = None
    if category is not None:
        where = {"place": place if named else "*"}
        found = rule(1, category=VatCategory(category), **where)

    doubt = doubt_of(supply, found, buyer_has_id=buyer_has_id)

    assert (doubt is not None) is doubted
