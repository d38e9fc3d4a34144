"""Records of a known shape are read as parser and schema would, or left to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from time import thread_time
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import ComplexType
from clearinghouse.soap import bulk, spool
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.shapes import SHAPE_BYTES_MAX, Shape, shape_of
from tests.soap.desk import HEAD, TAIL, Desk, Entry, batch, record
from tests.soap.records import Records

NEVER = 1_000_000
# Far more than one look at a record takes, and less than all ways through it.
SECONDS_MAX = 0.5
# Records that are parsed before a shape can be made.
WARM = 3

Outcome = tuple[int, str, list[str], list[Entry]]


@pytest.fixture
def shaped(monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Make a shape of the first record that can have one; return what shapes read."""
    monkeypatch.setattr(bulk, "SHAPE_AFTER", 1)
    found: list[Record] = []
    read = Shape.read

    def watched(shape: Shape, text: str, at: int) -> tuple[Record, int] | None:
        result = read(shape, text, at)
        if result is not None:
            found.append(result[0])
        return result

    monkeypatch.setattr(Shape, "read", watched)
    return found


def outcome(desk: Desk, data: bytes, after: int) -> Outcome:
    """Return what becomes of a batch when shapes are made after so many records."""
    desk.fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "SHAPE_AFTER", after)
        answer = desk.post(data)
    return answer.status, answer.code, answer.texts("path"), desk.entries


def test_like_records_are_read_by_shape_and_equal_those_that_are_parsed(
    desk: Desk, shaped: list[Record]
) -> None:
    data = batch(400)

    with_shapes = outcome(desk, data, 1)

    assert len(shaped) >= 400 - WARM
    assert with_shapes == outcome(desk, data, NEVER)


def test_a_short_batch_is_parsed(desk: Desk) -> None:
    with mock.patch.object(bulk, "shape_of", wraps=shape_of) as making:
        desk.post(batch(bulk.SHAPE_AFTER - 1))

    assert not making.called


@pytest.fixture(scope="module")
def records(bindings: Bindings) -> st.SearchStrategy[Record]:
    """Return any records that the schema allows."""
    kind = bindings.model.types[bindings.model.elements[_RECORD_NAME].type_name]
    assert isinstance(kind, ComplexType)
    return Records(bindings.model, bindings).of(kind)


_RECORD_NAME = "{urn:clearinghouse:iec63119:sdr:1}serviceDetailRecord"


@given(data=st.data())
def test_any_records_are_the_same_by_shape_and_by_parser(
    lasting_desk: Desk,
    bindings: Bindings,
    records: st.SearchStrategy[Record],
    data: st.DataObject,
) -> None:
    """Each of some forms, with values of its own, in any order."""
    drawn = data.draw(st.lists(records, min_size=2, max_size=6))
    written = [bindings.write(one, _RECORD_NAME) for one in drawn * 3]
    data.draw(st.randoms()).shuffle(written)
    message = HEAD + b"".join(written) + TAIL

    assert outcome(lasting_desk, message, 1) == outcome(lasting_desk, message, NEVER)


def _with(old: bytes, new: bytes) -> bytes:
    changed = record(7).replace(old, new, 1)
    assert changed != record(7)
    return changed


_START = b"<sdr:serviceDetailRecord>"
_END = b"</sdr:serviceDetailRecord>"
_EMPTY = b"<sdr:serviceDetailRecord/>"
_OTHERS = b'<x:serviceDetailRecord xmlns:x="urn:x"></x:serviceDetailRecord>'
ODD = {
    "comment in a value": _with(b"R-7", b"R<!-- x -->-7"),
    "CDATA": _with(b"R-7", b"<![CDATA[R-7]]>"),
    "reference": _with(b"R-7", b"R-&#55;"),
    "blank": _with(b"R-7", b" R-7"),
    "sign that the pattern lacks": _with(b"R-7", b"R;7"),
    "greater-than": _with(b"R-7", b"R>7"),
    "long value": _with(b"R-7", b"R" * 65),
    "empty value": _with(b"R-7", b""),
    "no ASCII": _with(b"R-7", "Ä-7".encode()),
    "white space elsewhere": _with(b"<sdr:cspId>", b"\n<sdr:cspId>"),
    "text between": _with(b"<sdr:cspId>", b"x<sdr:cspId>"),
    "attribute": _with(b"<sdr:cspId>", b'<sdr:cspId a="b">'),
    "end tag with a blank": _with(b"</sdr:cspId>", b"</sdr:cspId >"),
    "comment between": b"<!-- x -->" + record(7),
    "instruction between": b"<?x y?>" + record(7),
    "record in a comment": b"<!--" + record(8) + b"-->" + record(7),
    "record in an instruction": b"<?x " + record(8) + b"?>" + record(7),
    "end of a comment alone": b"<!-- x" + _END + b"-->" + record(7),
    "record in a record": _with(b"<sdr:tariffId>", record(9) + b"<sdr:tariffId>"),
    "element between": b"<sdr:other/>" + record(7),
    "text before": b"x" + record(7),
    "white space before": b" \r\n\t" + record(7),
    "no end": _with(_END, b""),
    "no start": _with(_START, b""),
    "two ends": record(7) + _END,
    "end of another's after an empty one": _EMPTY + _OTHERS,
    "end of another's in an element after an empty one": (
        _EMPTY + b"<sdr:other>" + _OTHERS + record(7) + record(8) + b"</sdr:other>"
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("size", [97, 700, 65_536])
def test_odd_records_among_like_ones_come_out_as_parsed(
    desk: Desk,
    shaped: list[Record],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    odd: bytes,
) -> None:
    """However the message falls into pieces."""
    monkeypatch.setattr(spool, "CHUNK_BYTES", size)
    like = b"".join(record(number) for number in range(20, 32))
    message = HEAD + like + odd + like + odd + like + TAIL

    with_shapes = outcome(desk, message, 1)

    assert shaped
    assert with_shapes == outcome(desk, message, NEVER)


VALUES = {
    "energyWh": ["0", "-0", "007", "+5", "-1000000000", "1000000000", "1000000001"],
    "startedAt": [
        "2024-02-29T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2000-01-01T00:00:00+14:00",
        "2000-01-01T00:00:00+13:59",
        "2026-01-01T00:00:00.1234567Z",
        "2026-01-01T00:00:00.123Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00-14:30",
        "2026-13-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
    ],
    "claimedNet": ["1", "-1.5", "1.", ".5", "1.1234567", "1" * 19, "0.000001", "NaN"],
    "currency": ["CHF", "eur", "EURO", ""],
    "evseId": ["DE AB7 E840", "<", "&amp;", "a\tb", "~" * 64, "~" * 65],
    "sessionId": ["0E984725-C51C-4BF4-9960-E1C80E27ABA0", "x"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in VALUES for value in VALUES[name]]
)
def test_each_value_is_judged_as_by_the_schema(
    desk: Desk, shaped: list[Record], name: str, value: str
) -> None:
    place = rf"(<sdr:{name}>)[^<]*(</sdr:{name}>)".encode()
    changed = re.sub(place, rb"\g<1>" + value.encode() + rb"\g<2>", record(7), count=1)
    assert value.encode() in changed
    like = b"".join(record(number) for number in range(20, 28))
    message = HEAD + like + changed + like + TAIL

    with_shapes = outcome(desk, message, 1)

    assert shaped
    assert with_shapes == outcome(desk, message, NEVER)


_INSTANT = re.compile(rb"<sdr:(?:startedAt|endedAt)>([^<]*)<")


def _with_instant(data: bytes, place: int, change: Callable[[bytes], bytes]) -> bytes:
    """Return the record with one of its instants changed."""
    found = list(_INSTANT.finditer(data))[place]
    changed = change(found[1])
    assert changed != found[1]
    return data[: found.start(1)] + changed + data[found.end(1) :]


_INSTANTS: dict[str, Callable[[bytes], bytes]] = {
    "another": lambda text: text.replace(b"-14T", b"-15T", 1),
    "a minute later": lambda text: text.replace(b":0", b":1", 1),
    "no instant": lambda text: text.replace(b"T", b"U"),
    "the same and more": lambda text: text + b"0",
    "a part of it": lambda text: text[:-1],
    "twice": lambda text: text + text,
    "in front of white space": lambda text: text + b" ",
    "the 30th of February": lambda _: b"2026-02-30T00:00:00Z",
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("change", _INSTANTS.values(), ids=_INSTANTS)
@pytest.mark.parametrize("alike", [True, False])
def test_an_instant_that_stands_in_several_places_may_differ_in_each(
    desk: Desk,
    shaped: list[Record],
    change: Callable[[bytes], bytes],
    alike: bool,  # noqa: FBT001 -- whether those of the shape's record are the same
) -> None:
    """A shape remembers which instants of its record were the same."""
    form: Callable[[bytes], bytes] = _alike if alike else bytes
    for place in range(len(_INSTANT.findall(record(7)))):
        like = b"".join(form(record(number)) for number in range(20, 28))
        changed = _with_instant(form(record(7)), place, change)
        message = HEAD + like + form(record(8)) + changed + like + TAIL
        shaped.clear()

        with_shapes = outcome(desk, message, 1)

        assert shaped
        assert with_shapes == outcome(desk, message, NEVER)


def _alike(data: bytes) -> bytes:
    """Return a record whose parts all fill the whole."""
    start, end = _INSTANT.findall(data)[:2]
    data = re.sub(rb"(<sdr:startedAt>)[^<]*", rb"\g<1>" + start, data)
    return re.sub(rb"(<sdr:endedAt>)[^<]*", rb"\g<1>" + end, data)


def test_a_record_with_one_fault_behind_many_like_instants_is_left_at_once(
    bindings: Bindings,
) -> None:
    """Not tried in all ways: each instant would double them."""
    data = re.sub(rb">\s+<", b"><", _alike(record(7)))
    first = data.index(b"<sdr:chargingTransaction>")
    end = b"</sdr:chargingTransaction>"
    last = data.index(end) + len(end)
    long = data[:first] + data[first:last] * 9 + data[last:]
    text = long.decode()
    known = bindings.model.elements[_RECORD_NAME]
    element = etree.fromstring(HEAD + long + TAIL).find(f".//{_RECORD_NAME}")
    assert element is not None
    shape = shape_of(text, element, known, bindings)
    assert shape is not None
    assert shape.read(text, 0) is not None
    began = thread_time()

    assert shape.read(text.replace("<sdr:currency>", "<sdr:currency>1"), 0) is None

    assert thread_time() - began < SECONDS_MAX


def test_damaged_messages_come_out_as_parsed(desk: Desk) -> None:
    """Bytes lost, doubled, moved or replaced anywhere behind the first records."""
    whole = batch(14)
    first = len(HEAD) + 4 * len(record(0))
    chance = Random(63119)  # noqa: S311  # the same each time
    for _ in range(300):
        start = chance.randrange(first, len(whole) - len(TAIL))
        end = start + chance.choice([0, 1, 2, 9, 200])
        instead = chance.choice(
            [b"", b"<", b">", b"&", b"!", b"-->", b"<!--", b"/", whole[start - 9 : end]]
        )
        message = whole[:start] + instead + whole[end:]

        assert outcome(desk, message, 1) == outcome(desk, message, NEVER)


def test_record_of_another_shape_gets_a_shape_too(
    desk: Desk, shaped: list[Record]
) -> None:
    other = [record(n).replace(b"><", b">\n <") for n in range(20)]
    mixed = [one for n in range(20) for one in (record(n), other[n])]

    outcome(desk, HEAD + b"".join(mixed) + TAIL, 1)

    assert len(shaped) >= 2 * 20 - 2 * WARM


def _own_form(number: int, data: bytes) -> bytes:
    return data.replace(b"<sdr:cspId>", b" " * number + b"<sdr:cspId>")


def test_many_forms_get_few_shapes(desk: Desk) -> None:
    with mock.patch.object(bulk, "shape_of", wraps=shape_of) as making:
        outcome(desk, batch(60, _own_form), 1)

    assert bulk.SHAPES_MAX <= making.call_count <= bulk.SHAPES_MAX + WARM


def test_shapes_that_few_records_fit_are_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them would be tried in vain on each of the records to come."""
    monkeypatch.setattr(Shape, "read", tried := mock.Mock(return_value=None))

    outcome(desk, batch(200, _own_form), 1)

    assert tried.call_count <= bulk.SHAPES_MAX**2


UNPLAIN = {
    "value": (b"<sdr:claimedNet>", b"<sdr:claimedNet>+"),
    "type": (b"</common:value>", b"</common:value><common:secret>1</common:secret>"),
}


@pytest.mark.parametrize("change", UNPLAIN.values(), ids=UNPLAIN)
def test_records_that_are_not_plain_get_no_shape_and_few_are_looked_at(
    desk: Desk, change: tuple[bytes, bytes]
) -> None:
    data = batch(bulk.SHAPE_AFTER * 4, lambda _number, one: one.replace(*change))
    made = []

    def watched(*arguments: Any) -> Shape | None:  # noqa: ANN401
        made.append(shape_of(*arguments))
        return made[-1]

    with mock.patch.object(bulk, "shape_of", watched):
        desk.post(data)

    assert made == [None] * 4


def test_long_record_gets_no_shape(desk: Desk, shaped: list[Record]) -> None:
    def long(_number: int, data: bytes) -> bytes:
        return data.replace(b"<sdr:cspId>", b" " * SHAPE_BYTES_MAX + b"<sdr:cspId>")

    outcome(desk, batch(8, long), 1)

    assert not shaped


def test_records_beyond_the_schemas_number_are_refused_by_shape_too(
    contract: Contract, shaped: list[Record]
) -> None:
    desk = Desk(contract, bulk_bytes_max=100_000_000)
    desk.keep = False

    answer = desk.post(batch(50_001))

    assert answer.code == "CH.SCHEMA"
    assert answer.texts("expected") == ["at most 50000"]
    assert desk.count == 50_000
    assert len(shaped) > 50_000 - WARM
