"""What the reference CSO operates: its EVSEs, their power and their price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from clearinghouse.endpoint.journal import Entry
from clearinghouse.endpoint.messages.sdr import (
    ChargingSession,
    ChargingTransaction,
    ServiceDetailRecord,
    ServiceSession,
)

_WH_PER_KWH = 1_000


def net(
    per_kwh: Decimal, energy_wh: int, *, more: Decimal | int = 0, minor_digits: int = 2
) -> Decimal:
    """Return the price of an energy and of what is more, rounded half away from 0."""
    exact = per_kwh * energy_wh / _WH_PER_KWH + more
    return exact.quantize(Decimal(1).scaleb(-minor_digits), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """EVSEs of one power and one energy price.

    ``price_per_kwh`` is in the currency, ``minor_digits`` are its decimals;
    ``progress_seconds`` from one intermediate SDR to the next, 60 at least.
    """

    party_id: str
    evse_ids: frozenset[str]
    tariff_id: str
    currency: str
    price_per_kwh: Decimal
    minor_digits: int = 2
    power_w: int = 11_000
    charge_seconds: int = 5
    progress_seconds: int = 300

    def energy_wh(self, length: timedelta) -> int:
        """Return the energy of a charge at full power, in Wh."""
        seconds = length // timedelta(seconds=1)
        return self.power_w * seconds // 3_600

    def net(self, energy_wh: int) -> Decimal:
        """Return the price of an energy."""
        return net(self.price_per_kwh, energy_wh, minor_digits=self.minor_digits)

    def record(self, start: Entry, end: Entry) -> ServiceDetailRecord:
        """Return the SDR of a charge; the same one at each call."""
        started_at = datetime.fromisoformat(start["started_at"])
        ended_at = datetime.fromisoformat(end["ended_at"])
        energy_wh = int(end["energy_wh"])
        transaction = ChargingTransaction(
            charging_transaction_id="1",
            started_at=started_at,
            ended_at=ended_at,
            energy_wh=energy_wh,
            meter_start_wh=0,
            meter_stop_wh=energy_wh,
        )
        session = ServiceSession(
            session_id=UUID(start["id"]),
            partner_session_id=start["partner_session_id"],
            csp_id=start["csp_id"],
            cso_id=self.party_id,
            evse_id=start["evse_id"],
            started_at=started_at,
            ended_at=ended_at,
            charging_session=(
                ChargingSession(
                    charging_session_id="1",
                    started_at=started_at,
                    ended_at=ended_at,
                    charging_transaction=(transaction,),
                ),
            ),
        )
        return ServiceDetailRecord(
            sdr_id=f"{self.party_id}-{start['id']}",
            service_session=session,
            tariff_id=self.tariff_id,
            currency=self.currency,
            claimed_net=self.net(energy_wh),
        )
