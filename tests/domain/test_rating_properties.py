"""Rating: random tariffs and usages, against decimals and against the first rules."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from clearinghouse.domain.rating import compile_tariff, rate
from clearinghouse.domain.tariffs import Component, ComponentType, PricedBy, Tariff
from tests.domain.rating_cases import Case, cases
from tests.domain.rating_engine_one import rate_one
from tests.domain.rating_oracle import oracle


@settings(max_examples=300)
@given(case=cases())
def test_rating_agrees_with_a_decimal_oracle(case: Case) -> None:
    tariff, vat_rate_bp = case.tariff, case.vat_rate_bp
    rated = rate(
        tariff,
        case.usage,
        case.zone,
        connectors=case.connectors,
        vat_rate_bp=vat_rate_bp,
    )
    compiled = compile_tariff(tariff, case.zone, case.connectors)

    assert case.sign * rated.net_minor == oracle(case)
    assert compiled(case.usage, vat_rate_bp) == rated.net_minor
    assert (rated.gross_minor is not None) == tariff.vat_included


@settings(max_examples=200)
@given(case=cases())
def test_what_the_first_rules_could_say_is_rated_as_by_them(case: Case) -> None:
    tariff = _first(case.tariff)

    compiled = compile_tariff(tariff, case.zone, case.connectors)

    assert compiled(case.usage, 1900) == rate_one(tariff, case.usage, case.zone)


def _first(tariff: Tariff) -> Tariff:
    """Return a tariff with only what it could say when the rules had number 1."""
    components = tuple(
        Component(
            type=one.type,
            price_u=one.price_u,
            step=one.step,
            tier_from=one.tier_from,
            tier_up_to=one.tier_up_to,
            grace_seconds=one.grace_seconds if one.type is ComponentType.IDLE else 0,
            local_from=one.local_from,
            local_until=one.local_until,
            weekdays=one.weekdays,
        )
        for one in tariff.components
    )
    return replace(
        tariff,
        components=components,
        discount_ppm=0,
        vat_included=False,
        priced_by=PricedBy.INTERVAL,
    )


@given(case=cases())
def test_lines_explain_the_whole_amount(case: Case) -> None:
    tariff = replace(
        case.tariff,
        minimum_u=None,
        maximum_u=None,
        discount_ppm=0,
        vat_included=False,
        currency="EUR",
    )

    rated = rate(tariff, case.usage, case.zone, connectors=case.connectors)

    parts = sum(line.amount_parts for line in rated.lines)
    assert abs(rated.net_minor * 600_000_000 - parts) * 2 <= 600_000_000
    assert [line.component for line in rated.lines] == list(tariff.components)
    assert all(
        line.quantity <= line.billed < line.quantity + line.component.effective_step
        for line in rated.lines
    )
