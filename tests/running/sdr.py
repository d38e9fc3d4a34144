"""Batches of service detail records as XML text, with right control totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

from tests.running.soap import COMMON, instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdr:
    """One record: one charging session with one charging transaction."""

    sdr_id: str
    csp_id: str
    evse_id: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    tariff_id: str
    currency: str
    claimed: Decimal
    session_id: str | None = None
    cso_id: str | None = None
    uid: str | None = None

    def xml(self) -> str:
        """Return the record as it stands in a batch."""
        times = (
            f"<startedAt>{instant(self.started_at)}</startedAt>"
            f"<endedAt>{instant(self.ended_at)}</endedAt>"
        )
        card = (
            f'<credential><kind xmlns="{COMMON}">RFID</kind>'
            f'<value xmlns="{COMMON}">{self.uid}</value></credential>'
            if self.uid
            else ""
        )
        return (
            f"<serviceDetailRecord><sdrId>{escape(self.sdr_id)}</sdrId><serviceSession>"
            f"{_optional('sessionId', self.session_id)}<cspId>{self.csp_id}</cspId>"
            f"{_optional('csoId', self.cso_id)}<evseId>{self.evse_id}</evseId>{card}"
            f"{times}<chargingSession><chargingSessionId>1</chargingSessionId>{times}"
            "<chargingTransaction><chargingTransactionId>1</chargingTransactionId>"
            f"{times}<energyWh>{self.energy_wh}</energyWh>"
            f"<meterStartWh>0</meterStartWh><meterStopWh>{max(0, self.energy_wh)}"
            "</meterStopWh></chargingTransaction>"
            "</chargingSession></serviceSession>"
            f"<tariffId>{escape(self.tariff_id)}</tariffId>"
            f"<currency>{self.currency}</currency>"
            f"<claimedNet>{self.claimed}</claimedNet></serviceDetailRecord>"
        )


def _optional(name: str, value: str | None) -> str:
    return "" if value is None else f"<{name}>{value}</{name}>"


def batch(sequence: int, sdrs: Sequence[Sdr]) -> str:
    """Return the content of a submitSdrsRequest with these records."""
    net: dict[str, Decimal] = defaultdict(Decimal)
    for sdr in sdrs:
        net[sdr.currency] += sdr.claimed
    ends = [sdr.ended_at.astimezone(UTC) for sdr in sdrs]
    span = (
        f"<firstEndedAt>{instant(min(ends))}</firstEndedAt>"
        f"<lastEndedAt>{instant(max(ends))}</lastEndedAt>"
        if ends
        else ""
    )
    totals = "".join(
        f'<net><currency xmlns="{COMMON}">{currency}</currency>'
        f'<amount xmlns="{COMMON}">{amount}</amount></net>'
        for currency, amount in net.items()
    )
    return (
        f"<batchSequence>{sequence}</batchSequence><control><count>{len(sdrs)}</count>"
        f"<energyWh>{sum(s.energy_wh for s in sdrs)}</energyWh>{totals}{span}</control>"
        + "".join(sdr.xml() for sdr in sdrs)
    )
