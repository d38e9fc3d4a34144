"""Intermediate SDRs: as a CSO reports them, and as they are delivered and shown."""

from __future__ import annotations

from clearinghouse.domain.intermediate_sdrs import Claim, IntermediateSdr, Told
from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.soap.binding import Bindings, Record


def told(record: Record | None) -> Told | None:
    """Return what a report of progress adds, ``None`` where it is a mere report."""
    if record is None:
        return None
    claim = record.claimed_net
    return Told(
        sequence_no=record.sequence_no,
        meter_wh=record.meter_wh,
        tariff_id=record.tariff_id,
        claim=(
            None
            if claim is None
            else Claim(currency=claim.currency, amount=claim.amount)
        ),
    )


def view(bindings: Bindings, one: IntermediateSdr | None) -> Record | None:
    """Return one as the partners of the session see it."""
    if one is None:
        return None
    return bindings.new(
        "common:IntermediateSdrView",
        sequence_no=one.sequence_no,
        occurred_at=one.occurred_at,
        energy_wh=one.energy_wh,
        meter_wh=one.meter_wh,
        claimed_net=_amount(bindings, one.claimed_minor, one.claimed_currency),
        tariff_id=one.tariff_id,
        estimated_net=_amount(bindings, one.estimated_minor, one.estimated_currency),
    )


def _amount(
    bindings: Bindings, amount_minor: int | None, currency: str | None
) -> Record | None:
    if amount_minor is None or currency is None:
        return None
    return bindings.new(
        "common:CurrencyAmount",
        currency=currency,
        amount=minor_to_decimal(amount_minor, currency_of(currency)),
    )
