"""The bulk lane's bounds: bad records cost little, the largest one fits."""

from __future__ import annotations

import re

import pytest

from clearinghouse.soap import bulk
from clearinghouse.soap.binding import Record
from clearinghouse.soap.bulk import EXPLAINED_MAX, UNREADABLE_MAX, RecordFault
from clearinghouse.soap.explain import OTHER
from clearinghouse.soap.faults import FaultItem
from tests.soap.desk import HEAD, RECORD, TAIL, Desk, batch
from tests.soap.house import check_hostile


def test_instant_beyond_its_years_in_the_header_refuses_the_batch(desk: Desk) -> None:
    instant = rb"createdAt>2000-01-01T00:00:00+14:00<"

    answer = desk.post(re.sub(rb"createdAt>[^<]+<", instant, batch(3), count=1))

    assert answer.code == "CH.SCHEMA"
    assert answer.texts("path") == ["/exchangeHeader/createdAt"]
    assert desk.calls == []


def test_instant_beyond_its_years_refuses_the_record_and_names_it(desk: Desk) -> None:
    def late(number: int, data: bytes) -> bytes:
        start = data.index(b"<sdr:endedAt>") + len(b"<sdr:endedAt>")
        end = data.index(b"</sdr:endedAt>")
        instant = b"2099-12-31T23:59:59-14:00"
        return data[:start] + instant + data[end:] if number == 1 else data

    desk.post(batch(3, late))

    fault = desk.entries[1]
    assert isinstance(fault, RecordFault)
    [item] = fault.items
    assert item.path == "/serviceDetailRecord/serviceSession/endedAt"
    assert item.expected is not None
    assert item.expected.endswith("in UTC in the years 2000 to 2099")


def _stripped(_number: int, _data: bytes) -> bytes:
    """Return a record that is against the schema in a hundred places."""
    return b"<sdr:serviceDetailRecord>" + b"<a/>" * 300 + b"</sdr:serviceDetailRecord>"


def test_records_beyond_what_an_answer_tells_are_refused_in_short(desk: Desk) -> None:
    answer = desk.post(batch(50, _stripped))

    assert answer.status == 200
    faults = [entry for entry in desk.entries if isinstance(entry, RecordFault)]
    assert len(faults) == 50
    at_length = [fault for fault in faults if len(fault.items) > 1]
    assert len(at_length) == EXPLAINED_MAX // 100
    assert faults[-1].items == (
        FaultItem(text=OTHER, path="/serviceDetailRecord", index=49),
    )


def test_batch_of_too_many_unreadable_records_is_refused_whole(desk: Desk) -> None:
    some = desk.post(batch(UNREADABLE_MAX, _stripped))
    many = desk.post(batch(UNREADABLE_MAX + 1, _stripped))

    assert some.status == 200
    assert many.code == "CH.SCHEMA"
    paths = many.texts("path")
    assert len(paths) == 100
    assert paths[0] == "/submitSdrsRequest/serviceDetailRecord"
    assert many.texts("expected")[0] == (
        "at most 1000 records that are against the schema"
    )
    assert many.texts("index")[0] == "0"
    check_hostile(desk.house, many)


def _nested(prefix: str, sessions: int, transactions: int) -> bytes:
    """Return a record as large as the schema allows, its texts too."""
    at = "<p:startedAt>2026-11-20T10:00:00.123456+01:00</p:startedAt>"
    at += "<p:endedAt>2026-11-20T11:00:00.123456+01:00</p:endedAt>"
    name = "&amp;" * 64
    transaction = (
        f"<p:chargingTransaction><p:chargingTransactionId>{name}"
        f"</p:chargingTransactionId>{at}<p:energyWh>1000000</p:energyWh>"
        "<p:meterStartWh>1000000000000</p:meterStartWh>"
        "<p:meterStopWh>1000000000000</p:meterStopWh></p:chargingTransaction>"
    )
    session = (
        f"<p:chargingSession><p:chargingSessionId>{name}</p:chargingSessionId>{at}"
        f"{transaction * transactions}</p:chargingSession>"
    )
    whole = (session * sessions).replace("p:", f"{prefix}:").encode()
    start = RECORD.index(b"<sdr:chargingSession>")
    end = RECORD.rindex(b"</sdr:chargingSession>") + len(b"</sdr:chargingSession>")
    return RECORD[:start] + whole + RECORD[end:]


def test_takes_the_largest_record_that_the_schema_allows(desk: Desk) -> None:
    answer = desk.post(HEAD + _nested("sdr", 20, 100) * 2 + TAIL)

    assert answer.status == 200
    assert [type(entry) is RecordFault for entry in desk.entries] == [False, False]
    largest = desk.entries[0]
    assert isinstance(largest, Record)
    session = largest.service_session.charging_session[-1]
    assert len(session.charging_transaction) == 100


def test_refuses_more_records_than_the_schema_allows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that they may be empty, which is quicker than so many good ones.
    monkeypatch.setattr(bulk, "UNREADABLE_MAX", 60_000)
    desk.keep = False
    tiny = b"<sdr:serviceDetailRecord/>"

    answer = desk.post(HEAD + tiny * 50_001 + TAIL)

    assert answer.code == "CH.SCHEMA"
    assert answer.texts("expected") == ["at most 50000"]
    assert desk.count == 50_000
