"""The bulk lane: any number of records, each judged alone, in flat memory."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.bulk import BulkFormat, RecordFault
from clearinghouse.soap.spool import MEMORY_BYTES_MAX, Spool, even
from tests.soap.desk import EXAMPLE, HEAD, RECORD, TAIL, Desk, batch, record
from tests.soap.house import (
    XML_12,
    as_soap_12,
    check_hostile,
    example,
    message,
)


def test_yields_head_and_every_record(desk: Desk) -> None:
    answer = desk.post(batch(250))

    assert answer.status == 200
    (call,) = desk.calls
    assert call.body.batch_sequence > 0
    assert call.body.control.count >= 0
    assert call.body.service_detail_record == []
    assert call.sender == call.header.sender_id
    assert [getattr(entry, "sdr_id", None) for entry in desk.entries] == [
        f"R-{number}" for number in range(250)
    ]


def test_record_equals_the_one_read_as_a_whole(desk: Desk, bindings: Bindings) -> None:
    whole = bindings.read(example("sdr", "SubmitSdrs").parts()[-1])

    desk.post(EXAMPLE)

    assert desk.entries == whole.service_detail_record


def test_authenticates_before_any_record(desk: Desk) -> None:
    desk.refuse = True

    answer = desk.post(batch(10))

    assert answer.code == "CH.TOKEN"
    assert answer.faultcode == "InvalidSecurityToken"
    assert desk.seen == ["SubmitSdrs 0"]
    assert desk.calls == []


def spoilt(number: int, data: bytes) -> bytes:
    if number == 7:
        return data.replace(b"<sdr:currency>", b"<sdr:currency>MARKER")
    if number == 11:
        return data.replace(b"R-11", b"not an id")
    if number == 13:
        return data.replace(b"<sdr:tariffId>", b"<sdr:colour/><sdr:tariffId>")
    return data


def test_bad_record_is_a_result_and_the_others_go_on(desk: Desk) -> None:
    """H52: per record, as the contract says."""
    answer = desk.post(batch(20, spoilt))

    assert answer.status == 200
    faults = [entry for entry in desk.entries if isinstance(entry, RecordFault)]
    assert len(desk.entries) == 20
    assert [(fault.index, fault.key) for fault in faults] == [
        (7, "R-7"),
        (11, None),
        (13, "R-13"),
    ]
    currency, identity, colour = (fault.items[0] for fault in faults)
    assert currency.path == "/serviceDetailRecord/currency"
    assert currency.expected == "text, 3 characters, of the form [A-Z]{3}"
    assert (currency.index, currency.found) == (7, "9 characters")
    assert identity.path == "/serviceDetailRecord/sdrId"
    assert colour.path == "/serviceDetailRecord"


def test_takes_batch_without_records(desk: Desk) -> None:
    assert desk.post(HEAD + TAIL).status == 200
    assert desk.entries == []


def test_takes_batch_in_soap_12_and_gzip(desk: Desk) -> None:
    data = gzip.compress(as_soap_12(batch(30)))

    answer = desk.post(data, CONTENT_TYPE=XML_12, HTTP_CONTENT_ENCODING="gzip")

    assert answer.status == 200
    assert len(desk.entries) == 30


def test_takes_other_operation_of_the_service_as_a_whole(desk: Desk) -> None:
    assert desk.post(message("sdr", "GetSdrs")).status == 200
    assert desk.calls[0].operation.name == "GetSdrs"


def test_refuses_long_message_of_other_operation(desk: Desk) -> None:
    data = message("sdr", "GetSdrs").replace(
        b"</soap:Body>", b" " * 2_200_000 + b"</soap:Body>"
    )

    answer = desk.post(data)

    assert (answer.status, answer.code) == (413, "CH.SIZE")
    assert desk.calls == []
    check_hostile(desk.house, answer)


def test_digest_covers_body_and_not_header(desk: Desk) -> None:
    """A repeat after a new login carries another token and is the same message."""
    data = batch(400)
    again = data.replace(b"ch1_", b"ch1_X", 1)
    assert again != data
    other = data.replace(b"R-399", b"R-398")

    for one in (data, again, other):
        desk.post(one)

    first, second, third = (call.digest for call in desk.calls)
    assert first == second
    assert first != third
    assert len(first) == 32


def test_digest_does_not_depend_on_pieces(desk: Desk) -> None:
    """Neither on those of the network nor on compression."""

    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 777))

    data = batch(400)

    desk.post(data)
    desk.post(data, **{"wsgi.input": Dribble(data)})
    desk.post(gzip.compress(data), HTTP_CONTENT_ENCODING="gzip")

    assert len({call.digest for call in desk.calls}) == 1


def bad_heads() -> Iterator[tuple[str, bytes, str]]:
    data = batch(3)
    yield (
        "no control",
        data.replace(b"<sdr:control>", b"<sdr:c>").replace(
            b"</sdr:control>", b"</sdr:c>"
        ),
        "CH.SCHEMA",
    )
    yield (
        "sequence",
        data.replace(b"<sdr:batchSequence>", b"<sdr:batchSequence>MARKER"),
        "CH.SCHEMA",
    )
    yield (
        "attribute",
        data.replace(b"<sdr:submitSdrsRequest>", b'<sdr:submitSdrsRequest a="MARKER">'),
        "CH.SCHEMA",
    )
    yield (
        "text in front",
        data.replace(b"<sdr:batchSequence>", b"MARKER<sdr:batchSequence>"),
        "CH.SCHEMA",
    )
    yield (
        "header",
        data.replace(b"<common:senderId>", b"<common:senderId>MARKER"),
        "CH.SCHEMA",
    )
    yield (
        "no exchange header",
        data.replace(b"common:exchangeHeader", b"common:fault"),
        "CH.HEADER",
    )
    yield (
        "record first",
        HEAD.replace(b"<sdr:batchSequence>", record(0) + b"<sdr:batchSequence>") + TAIL,
        "CH.SCHEMA",
    )
    yield (
        "strange header",
        data.replace(
            b"</soap:Header>",
            b'<x xmlns="urn:x" soap:mustUnderstand="1"/></soap:Header>',
        ),
        "CH.MUST_UNDERSTAND",
    )
    yield (
        "long head",
        data.replace(b"<soap:Body>", b" " * 300_000 + b"<soap:Body>"),
        "CH.XML.LIMIT",
    )
    yield "other version", as_soap_12(data), "CH.VERSION"
    yield "document type", b"<!DOCTYPE x>" + data.partition(b"?>")[2], "CH.XML.DTD"


BAD_HEADS = {name: (data, code) for name, data, code in bad_heads()}


@pytest.mark.parametrize("case", BAD_HEADS.values(), ids=BAD_HEADS)
def test_refuses_bad_head_before_the_handler(
    desk: Desk, case: tuple[bytes, str]
) -> None:
    data, code = case

    answer = desk.post(data)

    assert answer.code == code
    assert desk.calls == []
    check_hostile(desk.house, answer)


def inside(position: int, extra: bytes) -> bytes:
    return HEAD + record(0) * position + extra + record(1) * (200 - position) + TAIL


BAD_REST = {
    "element between records": (inside(150, b"<sdr:colour/>"), "CH.SCHEMA"),
    "text between records": (inside(150, b"MARKER"), "CH.SCHEMA"),
    "control again": (inside(150, b"<sdr:control/>"), "CH.SCHEMA"),
    "element behind the records": (
        HEAD + record(0) * 200 + b"<sdr:colour/>" + TAIL,
        "CH.SCHEMA",
    ),
    "text behind the records": (HEAD + record(0) * 200 + b"MARKER" + TAIL, "CH.SCHEMA"),
    "second operation": (
        HEAD
        + record(0) * 200
        + TAIL.replace(b"</soap:Body>", b"<x xmlns='urn:x'/></soap:Body>"),
        "CH.SOAP",
    ),
    "second Body": (
        HEAD
        + record(0) * 200
        + TAIL.replace(b"</soap:Body>", b"</soap:Body><soap:Body/>"),
        "CH.SOAP",
    ),
    "text behind the request": (
        HEAD + record(0) * 200 + TAIL.replace(b"</soap:Body>", b"MARKER</soap:Body>"),
        "CH.SOAP",
    ),
    "cut": (batch(200)[:-40], "CH.XML.MALFORMED"),
    "cut in a record": (batch(200)[: -len(TAIL) - 300], "CH.XML.MALFORMED"),
    "trailing bytes": (batch(200) + b"<x/>", "CH.XML.MALFORMED"),
    "unbalanced": (
        batch(200, lambda n, one: one[:-1] if n == 180 else one),
        "CH.XML.MALFORMED",
    ),
    "late document type": (inside(150, b"<!DOCTYPE x>"), "CH.XML.DTD"),
    "late NUL": (inside(150, b"\x00"), "CH.XML.MALFORMED"),
    "late bad UTF-8": (inside(150, b"\xff"), "CH.XML.MALFORMED"),
    "record without end": (
        inside(150, b"<sdr:serviceDetailRecord>" + b"<a/>" * 600_000),
        "CH.XML.LIMIT",
    ),
    "white space without end": (inside(150, b" " * 2_400_000), "CH.XML.LIMIT"),
    "attributes": (
        inside(
            150,
            b"<sdr:x " + b" ".join(b'a%d=""' % n for n in range(20_000)) + b"/>",
        ),
        "CH.XML.LIMIT",
    ),
    "deep record": (
        inside(
            150,
            b"<sdr:serviceDetailRecord>"
            + b"<a>" * 300
            + b"</a>" * 300
            + b"</sdr:serviceDetailRecord>",
        ),
        "CH.XML.MALFORMED",
    ),
}


@pytest.mark.parametrize("case", BAD_REST.values(), ids=BAD_REST)
def test_bad_rest_refuses_the_whole_batch(desk: Desk, case: tuple[bytes, str]) -> None:
    """The fault leaves the handler through its transaction."""
    data, code = case

    answer = desk.post(data)

    assert answer.code == code
    check_hostile(desk.house, answer)


def test_document_type_across_two_pieces_is_seen(desk: Desk) -> None:
    start = 65_536 - len(HEAD)
    filler = record(0) * (start // len(record(0)))
    gap = 65_536 - len(HEAD) - len(filler) - 4
    data = HEAD + filler + b" " * gap + b"<!DOCTYPE x>" + TAIL

    assert data[65_536 - 4 : 65_536] == b"<!DO"
    assert desk.post(data).code == "CH.XML.DTD"


def test_nested_record_is_no_record(desk: Desk) -> None:
    nested = RECORD.replace(b"<sdr:tariffId>", record(99) + b"<sdr:tariffId>")

    desk.post(HEAD + nested + record(1) + TAIL)

    first, second = desk.entries
    assert isinstance(first, RecordFault)
    assert not isinstance(second, RecordFault)
    assert second.sdr_id == "R-1"


def test_record_in_the_header_is_no_record(desk: Desk) -> None:
    data = batch(2).replace(b"</soap:Header>", record(99) + b"</soap:Header>")

    assert desk.post(data).status == 200
    assert [getattr(entry, "sdr_id", None) for entry in desk.entries] == ["R-0", "R-1"]


def test_memory_is_flat_at_any_length(desk: Desk) -> None:
    """Four times the records, and no more memory than a few pieces."""
    desk.keep = False

    def peak(count: int) -> int:
        data = batch(count)
        tracemalloc.start()
        try:
            desk.post(data)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(2_000), peak(8_000)

    assert large < small + MEMORY_BYTES_MAX
    assert large < 8 * MEMORY_BYTES_MAX


def test_refuses_batch_over_its_bound(contract: Contract) -> None:
    desk = Desk(contract, bulk_bytes_max=1_000_000)

    answer = desk.post(batch(3_000))

    assert answer.status == 413
    check_hostile(desk.house, answer)


def test_spool_keeps_long_message_out_of_memory() -> None:
    data = b"<a>" + b"x" * (3 * MEMORY_BYTES_MAX) + b"</a>"

    with Spool.receive([data[:1_000_000], data[1_000_000:]]) as spool:
        assert b"".join(spool.pieces()) == data
        assert spool.read_all() == data
        assert spool.length == len(data)


def test_pieces_are_even() -> None:
    chunks = [b"a" * size for size in (1, 70_000, 0, 65_536, 200_000, 5)]

    pieces = list(even(chunks))

    assert {len(piece) for piece in pieces[:-1]} == {65_536}
    assert b"".join(pieces) == b"".join(chunks)


@pytest.mark.parametrize("request_name", ["getSdrsRequest", "confirmSdrsRequest"])
def test_request_that_cannot_be_streamed_stops_the_start(
    contract: Contract, bindings: Bindings, request_name: str
) -> None:
    name = f"{{urn:clearinghouse:iec63119:sdr:1}}{request_name}"

    with pytest.raises(ValueError, match=r"no list|alone"):
        BulkFormat(contract, bindings, name)
