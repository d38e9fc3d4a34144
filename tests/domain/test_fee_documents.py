"""Lines of the house's invoices: they sum to the fee, whatever its plan."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.documents import LineItem
from clearinghouse.domain.fee_documents import fee_lines, fee_vat
from clearinghouse.domain.fees import FeePlan, Tier, Usage, fee_of
from clearinghouse.domain.vat import VatCategory, VatTreatment, vat_of

GERMAN = VatTreatment(VatCategory.STANDARD, 1900, "", "", rule_id=3)


def make_plan(**given_terms: object) -> FeePlan:
    terms = {"party_id": "DEABC", "currency": "EUR", "valid_from": date(2026, 1, 1)}
    return FeePlan(**(terms | given_terms))  # type: ignore[arg-type]  # by the tests


def test_part_that_a_minimum_or_a_cap_changes_is_a_line_of_its_own() -> None:
    usage = Usage(received=10, owed_minor=10_000)
    tiers = (Tier(None, 20_000),)

    lifted = make_plan(tiers=tiers, share_ppm=3_500, minimum_minor=100)
    capped = make_plan(tiers=tiers, share_ppm=3_500, maximum_minor=50)

    for plan, item, rest_minor, detail in (
        (lifted, LineItem.FEE_MINIMUM, 45, "1.00 EUR"),
        (capped, LineItem.FEE_MAXIMUM, -5, "0.50 EUR"),
    ):
        per_sdr, share, bound = fee_lines(fee_of(plan, usage), plan, GERMAN)
        assert (per_sdr.sdr_count, per_sdr.net_minor) == (10, 20)
        assert (share.net_minor, share.detail) == (35, "0.35 % of 100.00 EUR")
        assert (bound.item, bound.net_minor, bound.detail) == (item, rest_minor, detail)


@given(
    usage=st.builds(
        Usage,
        received=st.integers(0, 10**6),
        submitted=st.integers(0, 10**6),
        owed_minor=st.integers(-(10**9), 10**12),
        paid_minor=st.integers(-(10**9), 10**12),
    ),
    price_u=st.integers(0, 10**6),
    share_ppm=st.integers(0, 100_000),
    minimum_minor=st.integers(0, 10**6),
    above_minor=st.none() | st.integers(0, 10**6),
)
def test_lines_sum_to_the_fee_and_vat_is_rounded_once(
    usage: Usage,
    price_u: int,
    share_ppm: int,
    minimum_minor: int,
    above_minor: int | None,
) -> None:
    plan = make_plan(
        tiers=(Tier(None, price_u),),
        share_ppm=share_ppm,
        minimum_minor=minimum_minor,
        maximum_minor=None if above_minor is None else minimum_minor + above_minor,
    )
    fee = fee_of(plan, usage)

    lines = fee_lines(fee, plan, GERMAN)
    total = fee_vat(fee, GERMAN)

    assert sum(line.net_minor for line in lines) == fee.net_minor == total.base_minor
    assert all(line.net_minor for line in lines)
    assert total.vat_minor == vat_of(fee.net_minor, 1900)
