"""Invoices of the house for its fees: what stands on one (settlement 2.9).

The seller is the house itself. A line for each part of the plan, rounded when the fee
was computed; what minimum or cap changes is a line of its own, so that the lines sum to
the fee.
"""

from __future__ import annotations

from clearinghouse.domain.documents import DocumentLine, LineItem, VatTotal
from clearinghouse.domain.fees import Fee, FeePlan
from clearinghouse.domain.money import currency_of, minor_text
from clearinghouse.domain.vat import VatTreatment, vat_of

_PPM_DIGITS = 10_000


def fee_lines(
    fee: Fee, plan: FeePlan, treatment: VatTreatment
) -> tuple[DocumentLine, ...]:
    """Return the lines of a fee; a part that comes to nothing has none."""
    rest_minor = fee.net_minor - fee.sdr_minor - fee.share_minor
    bound = LineItem.FEE_MINIMUM if rest_minor > 0 else LineItem.FEE_MAXIMUM
    bound_minor = plan.minimum_minor if rest_minor > 0 else plan.maximum_minor or 0
    parts = (
        (LineItem.FEE_PER_SDR, fee.sdr_count, fee.sdr_minor, ""),
        (LineItem.FEE_SHARE, 0, fee.share_minor, _share(fee, plan)),
        (bound, 0, rest_minor, _money(bound_minor, plan.currency)),
    )
    return tuple(
        DocumentLine(
            treatment.category,
            treatment.rate_bp,
            "",
            treatment.rule_id,
            sdr_count,
            0,
            net_minor,
            item,
            detail,
        )
        for item, sdr_count, net_minor, detail in parts
        if net_minor
    )


def fee_vat(fee: Fee, treatment: VatTreatment) -> VatTotal:
    """Return the one VAT total of a fee: its rate on the whole, rounded once."""
    return VatTotal(
        treatment.category,
        treatment.rate_bp,
        treatment.rule_id,
        fee.sdr_count,
        0,
        fee.net_minor,
        vat_of(fee.net_minor, treatment.rate_bp),
    )


def percent_of_ppm(share_ppm: int) -> str:
    """Return parts per million in percent, without zeros at the end.

    >>> percent_of_ppm(3500), percent_of_ppm(10_000), percent_of_ppm(1)
    ('0.35', '1', '0.0001')
    """
    whole, rest = divmod(share_ppm, _PPM_DIGITS)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def _share(fee: Fee, plan: FeePlan) -> str:
    share = percent_of_ppm(plan.share_ppm)
    return f"{share} % of {_money(fee.turnover_minor, plan.currency)}"


def _money(amount_minor: int, currency: str) -> str:
    return f"{minor_text(amount_minor, currency_of(currency))} {currency}"
