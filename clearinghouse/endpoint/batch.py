"""Control totals: they prove that a batch of SDRs arrived whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from clearinghouse.endpoint.messages.common import CurrencyAmount
from clearinghouse.endpoint.messages.sdr import BatchControl, ServiceDetailRecord


def energy_wh(record: ServiceDetailRecord) -> int:
    """Return the energy of all charging transactions of a record, in Wh."""
    return sum(
        transaction.energy_wh
        for charging in record.service_session.charging_session
        for transaction in charging.charging_transaction
    )


def control_of(records: Sequence[ServiceDetailRecord]) -> BatchControl:
    """Return the control totals of a batch."""
    ends = [record.service_session.ended_at for record in records]
    return BatchControl(
        count=len(records),
        energy_wh=sum(energy_wh(record) for record in records),
        net=_net(records),
        first_ended_at=min(ends, default=None),
        last_ended_at=max(ends, default=None),
    )


def _net(records: Iterable[ServiceDetailRecord]) -> tuple[CurrencyAmount, ...]:
    totals: dict[str, Decimal] = {}
    for record in records:
        before = totals.get(record.currency, Decimal(0))
        totals[record.currency] = before + record.claimed_net
    return tuple(
        CurrencyAmount(currency=currency, amount=amount)
        for currency, amount in sorted(totals.items())
    )
