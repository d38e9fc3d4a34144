"""An SDR with what we found, as the home CSP gets it: pushed and pulled alike."""

from __future__ import annotations

from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    SdrKind,
    ServiceDetailRecord,
)
from clearinghouse.facades.iec63119.results import result_item
from clearinghouse.facades.iec63119.vocabulary import (
    CREDENTIAL_KIND,
    SDR_KIND,
    SIGNED_ENCODING,
    SIGNED_FORMAT,
)
from clearinghouse.services.ports import DeliveredSdr
from clearinghouse.soap.binding import Bindings, Record

#: What the wire need not say: it is so unless something else is said.
_ORIGINAL = SdrKind.ORIGINAL


def delivered_sdr(bindings: Bindings, delivered: DeliveredSdr) -> Record:
    """Return the record of type ``sdr:DeliveredSdr``."""
    record = delivered.record
    currency = currency_of(record.currency)
    return bindings.new(
        "sdr:DeliveredSdr",
        submitter_id=delivered.submitter_party,
        csp_id=delivered.csp_party,
        received_at=delivered.received_at,
        status=delivered.status,
        window_id=delivered.window_id,
        window_label=delivered.window_label,
        rated_net=minor_to_decimal(delivered.rated_net_minor, currency),
        rule_hit=[result_item(bindings, item) for item in delivered.remarks],
        service_detail_record=_record(bindings, record),
    )


def _record(bindings: Bindings, record: ServiceDetailRecord) -> Record:
    return bindings.new(
        "sdr:ServiceDetailRecord",
        sdr_id=record.sdr_id,
        service_session=_service_session(bindings, record),
        tariff_id=record.tariff_id,
        currency=record.currency,
        claimed_net=record.claimed_net,
        kind=None if record.kind is _ORIGINAL else SDR_KIND.write(record.kind),
        ref_sdr_id=record.ref_sdr_id,
    )


def _service_session(bindings: Bindings, record: ServiceDetailRecord) -> Record:
    return bindings.new(
        "sdr:ServiceSession",
        session_id=record.session_id,
        partner_session_id=record.partner_session_id,
        csp_id=record.csp_id,
        cso_id=record.cso_id,
        evse_id=record.evse_id,
        credential=_credential(bindings, record),
        contract_id=record.contract_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        charging_session=[
            _charging_session(bindings, session) for session in record.charging_sessions
        ],
        parking_seconds=record.parking_seconds or None,
        idle_seconds=record.idle_seconds or None,
    )


def _credential(bindings: Bindings, record: ServiceDetailRecord) -> Record | None:
    if record.credential_kind is None or record.credential_value is None:
        return None
    return bindings.new(
        "common:Credential",
        kind=CREDENTIAL_KIND.write(record.credential_kind),
        value=record.credential_value,
    )


def _charging_session(bindings: Bindings, session: ChargingSession) -> Record:
    return bindings.new(
        "sdr:ChargingSession",
        charging_session_id=session.charging_session_id,
        started_at=session.started_at,
        ended_at=session.ended_at,
        charging_transaction=[
            _transaction(bindings, transaction) for transaction in session.transactions
        ],
    )


def _transaction(bindings: Bindings, transaction: ChargingTransaction) -> Record:
    return bindings.new(
        "sdr:ChargingTransaction",
        charging_transaction_id=transaction.charging_transaction_id,
        started_at=transaction.started_at,
        ended_at=transaction.ended_at,
        energy_wh=transaction.energy_wh,
        meter_start_wh=transaction.meter_start_wh,
        meter_stop_wh=transaction.meter_stop_wh,
        meter_reading=[
            bindings.new("sdr:MeterReading", at=one.at, register_wh=one.register_wh)
            for one in transaction.readings
        ],
        signed_meter_value=[
            bindings.new(
                "sdr:SignedMeterValue",
                format=SIGNED_FORMAT.write(one.format),
                encoding=SIGNED_ENCODING.write(one.encoding),
                data=one.data,
                public_key=one.public_key,
            )
            for one in transaction.signed_values
        ],
    )
