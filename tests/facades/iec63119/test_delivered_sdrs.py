"""SDRs on their way to a partner: a delivery is never longer than a message may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.meter_rules import (
    READINGS_MAX,
    SIGNED_CHARACTERS_MAX,
    SIGNED_VALUES_MAX,
)
from clearinghouse.domain.meters import (
    Encoding,
    MeterReading,
    SignedFormat,
    SignedMeterValue,
)
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    RuleHit,
    SdrStatus,
    ServiceDetailRecord,
    Severity,
    item_of,
)
from clearinghouse.facades.iec63119.partner_requests import deliver_sdrs
from clearinghouse.facades.iec63119.sdrs import status_of_sdr
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import sdr_batch
from clearinghouse.services.ports import DeliveredSdr
from clearinghouse.services.sdr_delivery import (
    DELIVERY_BYTES_MAX,
    DELIVERY_MAX,
    bytes_max,
    hits_bytes_max,
)
from clearinghouse.services.sdrs import (
    PAGE_BYTES_MAX,
    STANDING_BYTES,
    STATUS_PAGE_MAX,
    Standing,
)
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.limits import ORDINARY_BYTES_MAX

#: Written in as many characters as an instant can take.
AT = datetime(
    2026, 3, 14, 18, 2, 11, 123_456, timezone(-timedelta(hours=11, minutes=30))
)
NAME = UUID(int=2**128 - 1)
#: More than envelope, header and the beginning of the body take.
AROUND_BYTES = 8_192


@cache
def _bindings() -> Bindings:
    return Bindings(Contract.load().model)


def _length(record: ServiceDetailRecord, hits: list[RuleHit], times: int = 1) -> int:
    sdr = DeliveredSdr(
        submitter_party="CHREP",
        csp_party="DEABC",
        received_at=AT,
        status=SdrStatus.DELIVERED,
        window_id=2**31 - 1,
        window_label="\N{GRINNING FACE}" * 64,
        rated_net_minor=-(10**15),
        remarks=tuple(item_of(hit, 99_999) for hit in hits),
        record=record,
    )
    return len(_bindings().write(deliver_sdrs(_bindings(), NAME, [sdr] * times)))


def _sdr(
    *, text: str, sessions: int, transactions: int, credential: str
) -> ServiceDetailRecord:
    """Make an SDR with all there can be in it, each value as long as it can be."""
    transaction = ChargingTransaction(
        charging_transaction_id=text,
        started_at=AT,
        ended_at=AT,
        energy_wh=-1_000_000_000,
        meter_start_wh=10**12,
        meter_stop_wh=10**12,
    )
    session = ChargingSession(
        charging_session_id=text,
        started_at=AT,
        ended_at=AT,
        transactions=[transaction] * transactions,
    )
    record = ServiceDetailRecord(
        sdr_id="S" * 64,
        csp_id="DEABC",
        cso_id="CHREP",
        evse_id=text,
        session_id=NAME,
        partner_session_id=text,
        started_at=AT,
        ended_at=AT,
        charging_sessions=[session] * sessions,
        tariff_id="T" * 36,
        currency="EUR",
        claimed_net=Decimal("-123456789012.123456"),
        parking_seconds=31_622_400,
        idle_seconds=31_622_400,
    )
    record.contract_id = "C" * 32
    record.credential_kind = max(CredentialKind, key=len)
    record.credential_value = credential
    return record


def _metered(
    record: ServiceDetailRecord, text: str, *, readings: int, values: int
) -> ServiceDetailRecord:
    """Give readings and signed values to the first transaction of a record."""
    value = SignedMeterValue(
        format=max(SignedFormat, key=len),
        encoding=max(Encoding, key=len),
        data=text,
        public_key="K",
    )
    transaction = ChargingTransaction(
        charging_transaction_id="&" * 64,
        started_at=AT,
        ended_at=AT,
        energy_wh=-1_000_000_000,
        meter_start_wh=10**12,
        meter_stop_wh=10**12,
        readings=(MeterReading(AT, 10**12),) * readings,
        signed_values=(value,) * values,
    )
    sessions = record.charging_sessions
    if sessions:
        others = sessions[0].transactions[1:]
        first = replace(sessions[0], transactions=[transaction, *others])
        record.charging_sessions = [first, *sessions[1:]]
    return record


def _hit(text: str) -> RuleHit:
    return RuleHit(
        rule="ABCDEFGH-1234",
        severity=next(iter(Severity)),
        code=max(codes.CATALOGUE.values(), key=lambda code: len(code.text)),
        path=text,
        expected=text,
        found=text,
    )


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64),
    st.integers(0, 20),
    st.integers(0, 3),
    st.integers(0, sdr_batch.HITS_MAX),
)
def test_an_sdr_is_never_longer_than_its_bound(
    text: str, sessions: int, transactions: int, hits: int
) -> None:
    visible = "".join(one if "!" <= one <= "~" else "&" for one in text)
    record = _sdr(
        text=visible,
        sessions=sessions,
        transactions=transactions,
        credential=(visible * 255)[:255],
    )
    record = _metered(record, visible, readings=hits, values=transactions)
    met = [_hit(text)] * hits
    around = _length(record, met, 0)

    assert _length(record, met) - around <= bytes_max(record, met)


def test_a_full_delivery_fits_into_one_message_and_so_does_the_largest_sdr() -> None:
    # Every list and text of the schema at its bound, each character escaped.
    largest = _sdr(text="&" * 64, sessions=20, transactions=100, credential="&" * 255)
    length = SIGNED_CHARACTERS_MAX // SIGNED_VALUES_MAX
    largest = _metered(
        largest, "&" * length, readings=READINGS_MAX, values=SIGNED_VALUES_MAX
    )
    hits = [_hit("&" * 200)] * sdr_batch.HITS_MAX

    assert DELIVERY_BYTES_MAX + AROUND_BYTES <= ORDINARY_BYTES_MAX
    assert bytes_max(largest, hits) <= DELIVERY_BYTES_MAX


def test_a_status_is_never_longer_than_its_bound() -> None:
    met = tuple(item_of(_hit("&" * 200), 99_999) for _ in range(sdr_batch.HITS_MAX))
    standing = Standing(
        submitter_party="CHREP",
        sdr_id="S" * 64,
        status=max(SdrStatus, key=len),
        window_id=2**31 - 1,
        window_label="\N{GRINNING FACE}" * 64,
        rated_net_minor=-(10**15),
        currency="EUR",
        remarks=met,
        changed_at=AT,
    )
    result = _bindings().new(
        "common:Result", code=0, text="Done.", retryable=False, correlation_id=NAME
    )
    pages = [
        _bindings().new(
            "sdr:GetSdrStatusResponse",
            result=result,
            status=[status_of_sdr(_bindings(), standing)] * times,
        )
        for times in (0, 1)
    ]
    without, length = (len(_bindings().write(page)) for page in pages)

    assert length - without <= STANDING_BYTES + hits_bytes_max(met)
    assert STATUS_PAGE_MAX * STANDING_BYTES <= PAGE_BYTES_MAX


def test_as_many_usual_sdrs_as_the_contract_allows_go_in_one_delivery() -> None:
    usual = _sdr(text="1", sessions=1, transactions=1, credential="04A1B2C3D4E580")
    usual.evse_id, usual.partner_session_id = "CH*REP*E0001*1", str(NAME)

    assert DELIVERY_MAX * bytes_max(usual, []) <= DELIVERY_BYTES_MAX
