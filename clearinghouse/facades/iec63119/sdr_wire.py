"""SDRs between wire and domain: records of a batch, control totals, records refused.

Fifty thousand records pass here in one call: plain assignments, one look at each field.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from clearinghouse import codes
from clearinghouse.domain.errors import Item
from clearinghouse.domain.meters import MeterReading, SignedMeterValue
from clearinghouse.domain.sdrs import (
    RULE_VERSION,
    ChargingSession,
    ChargingTransaction,
    ControlTotals,
    SdrKind,
    ServiceDetailRecord,
)
from clearinghouse.facades.iec63119.batch_faults import SCHEMA_RULE
from clearinghouse.facades.iec63119.vocabulary import (
    CREDENTIAL_KIND,
    SDR_KIND,
    SIGNED_ENCODING,
    SIGNED_FORMAT,
)
from clearinghouse.services.sdr_batch import Unreadable
from clearinghouse.soap.binding import Record
from clearinghouse.soap.bulk import BulkStream, RecordFault

#: In front of the path of an element: the record itself, which the index names.
_RECORD = "serviceDetailRecord"

_ORIGINAL = SdrKind.ORIGINAL


def records_of(stream: BulkStream) -> Iterator[ServiceDetailRecord | Unreadable]:
    """Give the records of a batch as they arrive, each once.

    Raises :class:`~clearinghouse.soap.faults.SoapFault` when the message turns out to
    be broken.
    """
    for entry in stream.records():
        if isinstance(entry, RecordFault):
            yield unreadable(entry)
        else:
            yield sdr_of(entry)


def sdr_of(record: Record) -> ServiceDetailRecord:
    """Return a record of the wire as the domain knows it."""
    session = record.service_session
    credential = session.credential
    return ServiceDetailRecord(
        sdr_id=record.sdr_id,
        csp_id=session.csp_id,
        cso_id=session.cso_id,
        evse_id=session.evse_id,
        started_at=session.started_at,
        ended_at=session.ended_at,
        charging_sessions=[_charging_session(one) for one in session.charging_session],
        tariff_id=record.tariff_id,
        currency=record.currency,
        claimed_net=record.claimed_net,
        session_id=None if session.session_id is None else UUID(session.session_id),
        partner_session_id=session.partner_session_id,
        credential_kind=(
            None if credential is None else CREDENTIAL_KIND.read(credential.kind)
        ),
        credential_value=None if credential is None else credential.value,
        contract_id=session.contract_id,
        parking_seconds=session.parking_seconds or 0,
        idle_seconds=session.idle_seconds or 0,
        kind=_ORIGINAL if record.kind is None else SDR_KIND.read(record.kind),
        ref_sdr_id=record.ref_sdr_id,
    )


def _charging_session(record: Record) -> ChargingSession:
    return ChargingSession(
        charging_session_id=record.charging_session_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        transactions=[
            ChargingTransaction(
                charging_transaction_id=one.charging_transaction_id,
                started_at=one.started_at,
                ended_at=one.ended_at,
                energy_wh=one.energy_wh,
                meter_start_wh=one.meter_start_wh,
                meter_stop_wh=one.meter_stop_wh,
                readings=_readings(one.meter_reading),
                signed_values=_signed_values(one.signed_meter_value),
            )
            for one in record.charging_transaction
        ],
    )


def _readings(records: list[Record]) -> tuple[MeterReading, ...]:
    if not records:
        return ()
    return tuple([MeterReading(one.at, one.register_wh) for one in records])


def _signed_values(records: list[Record]) -> tuple[SignedMeterValue, ...]:
    if not records:
        return ()
    return tuple(
        SignedMeterValue(
            format=SIGNED_FORMAT.read(one.format),
            encoding=SIGNED_ENCODING.read(one.encoding),
            data=one.data,
            public_key=one.public_key,
        )
        for one in records
    )


def unreadable(fault: RecordFault) -> Unreadable:
    """Return what the schema says against a record."""
    return Unreadable(
        sdr_id=fault.key,
        items=tuple(
            Item(
                code=codes.SDR_FIELD,
                rule=SCHEMA_RULE,
                rule_version=RULE_VERSION,
                path=_below_record(item.path),
                expected=item.expected or "",
                found=item.found or "",
            )
            for item in fault.items
        ),
    )


def control_of(record: Record) -> ControlTotals:
    """Return the control totals that a sender declares."""
    net: dict[str, Decimal] = {}
    for entry in record.net:
        net[entry.currency] = net.get(entry.currency, Decimal(0)) + entry.amount
    return ControlTotals(
        count=record.count,
        energy_wh=record.energy_wh,
        net=net,
        first_ended_at=record.first_ended_at,
        last_ended_at=record.last_ended_at,
    )


def _below_record(path: str) -> str:
    _, _, below = path.partition(f"{_RECORD}/")
    return below or path
