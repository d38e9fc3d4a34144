"""SDRs as a partner writes them, and what it reads back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.services.sdr_world import totals_of

if TYPE_CHECKING:
    from datetime import datetime

    from clearinghouse.domain.sdrs import (
        ChargingSession,
        ChargingTransaction,
        ControlTotals,
        ServiceDetailRecord,
    )


def batch(
    sequence: int,
    records: Sequence[ServiceDetailRecord],
    *,
    control: ControlTotals | None = None,
    more: str = "",
) -> str:
    """Return the content of a SubmitSdrs request; ``more`` are further records."""
    totals = control or totals_of(records)
    net = "".join(
        f"<net><c:currency>{currency}</c:currency><c:amount>{amount}</c:amount></net>"
        for currency, amount in totals.net.items()
    )
    return (
        f"<batchSequence>{sequence}</batchSequence><control>"
        f"<count>{totals.count}</count><energyWh>{totals.energy_wh}</energyWh>{net}"
        f"{_maybe('firstEndedAt', _instant(totals.first_ended_at))}"
        f"{_maybe('lastEndedAt', _instant(totals.last_ended_at))}</control>"
        + "".join(sdr(record) for record in records)
        + more
    )


def sdr(record: ServiceDetailRecord) -> str:
    """Return one record."""
    card = ""
    if record.credential_kind is not None:
        card = (
            f"<credential><c:kind>{record.credential_kind.value}</c:kind>"
            f"<c:value>{record.credential_value}</c:value></credential>"
        )
    return (
        f"<serviceDetailRecord><sdrId>{record.sdr_id}</sdrId><serviceSession>"
        f"{_maybe('sessionId', record.session_id)}"
        f"{_maybe('partnerSessionId', record.partner_session_id)}"
        f"<cspId>{record.csp_id}</cspId>{_maybe('csoId', record.cso_id)}"
        f"<evseId>{record.evse_id}</evseId>{card}"
        f"{_maybe('contractId', record.contract_id)}"
        f"{_span(record.started_at, record.ended_at)}"
        + "".join(_charging(session) for session in record.charging_sessions)
        + f"{_maybe('parkingSeconds', record.parking_seconds or None)}"
        f"{_maybe('idleSeconds', record.idle_seconds or None)}</serviceSession>"
        f"<tariffId>{record.tariff_id}</tariffId><currency>{record.currency}</currency>"
        f"<claimedNet>{record.claimed_net}</claimedNet>"
        f"{_maybe('kind', None if record.ref_sdr_id is None else record.kind.value)}"
        f"{_maybe('refSdrId', record.ref_sdr_id)}</serviceDetailRecord>"
    )


def _charging(session: ChargingSession) -> str:
    return (
        f"<chargingSession><chargingSessionId>{session.charging_session_id}"
        f"</chargingSessionId>{_span(session.started_at, session.ended_at)}"
        + "".join(
            "<chargingTransaction><chargingTransactionId>"
            f"{one.charging_transaction_id}</chargingTransactionId>"
            f"{_span(one.started_at, one.ended_at)}<energyWh>{one.energy_wh}</energyWh>"
            f"{_maybe('meterStartWh', one.meter_start_wh)}"
            f"{_maybe('meterStopWh', one.meter_stop_wh)}{_metered(one)}"
            "</chargingTransaction>"
            for one in session.transactions
        )
        + "</chargingSession>"
    )


def _metered(transaction: ChargingTransaction) -> str:
    readings = "".join(
        f"<meterReading><at>{_instant(one.at)}</at>"
        f"<registerWh>{one.register_wh}</registerWh></meterReading>"
        for one in transaction.readings
    )
    signed = "".join(
        f"<signedMeterValue><format>{one.format.value}</format>"
        f"<encoding>{one.encoding.value}</encoding><data>{escape(one.data)}</data>"
        f"{_maybe('publicKey', one.public_key)}</signedMeterValue>"
        for one in transaction.signed_values
    )
    return readings + signed


def _span(started_at: datetime, ended_at: datetime) -> str:
    return (
        f"<startedAt>{_instant(started_at)}</startedAt>"
        f"<endedAt>{_instant(ended_at)}</endedAt>"
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _maybe(name: str, value: object) -> str:
    return "" if value is None else f"<{name}>{value}</{name}>"
