"""Readers and writers: what is written is valid and reads back as it was."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import ComplexType, Element, SchemaModel, SimpleType
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.names import attribute_name
from clearinghouse.soap.parser import parse_own
from clearinghouse.soap.text import escape
from clearinghouse.soap.validation import Validator, schema_file
from tests.contract import authored
from tests.contract.authored import Example
from tests.soap.records import Records

ID = "9247378e-5376-4af2-adee-b019389acf41"


@pytest.fixture(scope="session")
def records(contract: Contract, bindings: Bindings) -> Records:
    return Records(contract.model, bindings)


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_reads_what_it_wrote(
    contract: Contract, bindings: Bindings, records: Records, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(contract.model.elements)))
    kind = contract.model.type_of(contract.model.elements[name])
    assert isinstance(kind, ComplexType)
    record = data.draw(records.of(kind))

    element = parse_own(bindings.write(record, name))

    assert contract.schema(schema_file(contract, name)).validate(element)
    assert bindings.read(element) == record


@pytest.mark.parametrize(
    "example", authored.examples("valid") + authored.examples("response"), ids=str
)
def test_writes_examples_back(
    contract: Contract, bindings: Bindings, example: Example
) -> None:
    for element in example.parts():
        record = bindings.read(element)

        again = parse_own(bindings.write(record, str(element.tag)))

        assert contract.schema(example.service).validate(again)
        assert bindings.read(again) == record


@pytest.mark.parametrize("receiver", [None, "CHCLR"])
@pytest.mark.parametrize("token", [None, "ch1_A"])
def test_reads_any_of_the_optional_children(
    bindings: Bindings, receiver: str | None, token: str | None
) -> None:
    """All, none and some: the number of children tells only the first two."""
    header = bindings.new(
        "common:ExchangeHeader",
        message_id=ID,
        sender_id="DEABC",
        receiver_id=receiver,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        session_token=token,
    )

    assert bindings.read(parse_own(bindings.write(header))) == header


def test_reads_types_of_the_schema(bindings: Bindings) -> None:
    """Absent is None, repeated is a list, and each builtin type has its own."""
    (example,) = (
        one for one in authored.examples("valid") if one.operation == "SubmitSdrs"
    )

    batch = bindings.read(example.parts()[-1])

    assert isinstance(batch.batch_sequence, int)
    assert isinstance(batch.service_detail_record, list)
    record = batch.service_detail_record[0]
    assert isinstance(record.claimed_net, Decimal)
    assert isinstance(record.service_session.started_at, datetime)
    assert record.service_session.started_at.tzinfo is not None
    assert record.service_session.contract_id is None or isinstance(
        record.service_session.contract_id, str
    )


def result(bindings: Bindings, **fields: object) -> Record:
    values: dict[str, object] = {
        "code": 0,
        "text": "Done.",
        "retryable": False,
        "correlation_id": ID,
    }
    return bindings.new("common:Result", **values | fields)


def written(bindings: Bindings, **fields: object) -> bytes:
    """Return a written answer whose result has these fields."""
    answer = bindings.new("access:LogoutResponse", result=result(bindings, **fields))
    return bindings.write(answer)


WRONG = {
    "float for an integer": {"code": 1.0},
    "text for an integer": {"code": "1"},
    "nothing for an integer": {"code": None},
    "nothing for a text": {"text": None},
    "number for a text": {"text": 5},
    "bytes for a text": {"text": b"x"},
    "number for a truth value": {"retryable": 1},
    "nothing for a truth value": {"retryable": None},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_refuses_to_write_wrong_type(
    bindings: Bindings, fields: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError)):
        written(bindings, **fields)


def test_refuses_to_write_float_amount(bindings: Bindings) -> None:
    for amount in (0.1, "0.1", Decimal("NaN"), Decimal("Infinity"), None):
        net = bindings.new("common:CurrencyAmount", currency="EUR", amount=amount)
        control = bindings.new("sdr:BatchControl", count=1, energy_wh=1, net=[net])
        batch = bindings.new("sdr:SubmitSdrsRequest", batch_sequence=1, control=control)
        with pytest.raises((TypeError, ValueError)):
            bindings.write(batch)


def test_writes_amount_without_exponent(bindings: Bindings) -> None:
    for amount, text in (
        (Decimal("1E+3"), b">1000<"),
        (Decimal("0.000001"), b">0.000001<"),
        (Decimal("-12.50"), b">-12.50<"),
        (7, b">7<"),
    ):
        net = bindings.new("common:CurrencyAmount", currency="EUR", amount=amount)
        control = bindings.new("sdr:BatchControl", count=1, energy_wh=1, net=[net])
        batch = bindings.new("sdr:SubmitSdrsRequest", batch_sequence=1, control=control)
        assert text in bindings.write(batch)


def heartbeat(bindings: Bindings, at: object) -> bytes:
    return bindings.write(bindings.new("access:HeartbeatRequest", sent_at=at))


def test_writes_moment_with_offset(bindings: Bindings) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    odd = timezone(timedelta(hours=1, seconds=30))
    for moment, text in (
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b">2026-01-02T03:04:05Z<"),
        (datetime(207, 1, 2, 3, 4, 5, tzinfo=UTC), b">0207-01-02T03:04:05Z<"),
        (
            datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC),
            b">2026-01-02T03:04:05.000060Z<",
        ),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=east), b">2026-01-02T03:04:05+05:30<"),
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta())),
            b">2026-01-02T03:04:05Z<",
        ),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=odd), b">2026-01-02T02:03:35Z<"),
    ):
        assert text in heartbeat(bindings, moment)


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 1, 2), None, "2026-01-02T03:04:05Z"],  # noqa: DTZ001  # the case
    ids=str,
)
def test_refuses_to_write_naive_moment(bindings: Bindings, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        heartbeat(bindings, value)


def test_writes_ids_and_enumerations_as_they_are(bindings: Bindings) -> None:
    class Decision(StrEnum):
        REFUSED = "REFUSED"

    answer = bindings.new(
        "authorization:AuthorizeStartResponse",
        result=result(bindings, correlation_id=UUID(ID)),
        decision=Decision.REFUSED,
        reason=Decision.REFUSED,
    )

    data = bindings.write(answer)

    assert b":decision>REFUSED<" in data
    assert b":reason>REFUSED<" in data
    assert ID.encode() in data


def test_refuses_to_write_unknown_enumeration(bindings: Bindings) -> None:
    answer = bindings.new(
        "authorization:AuthorizeStartResponse",
        result=result(bindings),
        decision="MAYBE",
    )

    with pytest.raises(KeyError):
        bindings.write(answer)


@given(text=st.text())
def test_escapes_whatever_text(text: str) -> None:
    root = parse_own(f"<a>{escape(text)}</a>".encode())

    allowed = (
        character
        if character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
        else "\ufffd"
        for character in text
    )
    assert (root.text or "") == "".join(allowed)


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))))
def test_quotes_whatever_attribute(text: str) -> None:
    text = text.replace("\ufffe", "").replace("\uffff", "")

    root = parse_own(f'<a b="{escape(text, quote=True)}"/>'.encode())

    assert root.get("b") == text


@pytest.mark.clause("8-min")
def test_record_shows_fields_and_no_value(bindings: Bindings) -> None:
    """A value may be personal data, and a record may end in a log."""
    record = bindings.new("common:Credential", kind="RFID", value="04A2B3C4D5E680")

    assert repr(record) == "<common_Credential kind, value>"
    assert "04A2" not in str(record)


def test_record_compares_by_value(bindings: Bindings) -> None:
    one = bindings.new("common:Credential", kind="RFID", value="04A2")

    assert one == bindings.new("common:Credential", kind="RFID", value="04A2")
    assert one != bindings.new("common:Credential", kind="RFID", value="04A3")
    assert one != result(bindings)
    with pytest.raises(TypeError):
        hash(one)


def test_new_refuses_unknown_and_missing_fields(bindings: Bindings) -> None:
    with pytest.raises(TypeError):
        bindings.new("common:Credential", kind="RFID")
    with pytest.raises(TypeError):
        bindings.new("common:Credential", kind="RFID", value="1", colour="red")
    with pytest.raises(KeyError):
        bindings.new("common:Nothing")
    record = bindings.new("common:Credential", kind="RFID", value="1")
    with pytest.raises(AttributeError):
        record.colour = "red"


def test_type_without_own_element_is_not_written_alone(bindings: Bindings) -> None:
    record = bindings.new("common:Credential", kind="RFID", value="1")

    with pytest.raises(KeyError):
        bindings.write(record)


@pytest.mark.parametrize(
    ("element", "attribute"),
    [
        ("energyWh", "energy_wh"),
        ("sessionId", "session_id"),
        ("open24Hours", "open24_hours"),
        ("powerW", "power_w"),
        ("from", "from_"),
        ("result", "result"),
    ],
)
def test_attribute_is_snake_case_of_element(element: str, attribute: str) -> None:
    assert attribute_name(f"{{urn:x}}{element}") == attribute


def test_unknown_builtin_type_stops_the_start(contract: Contract) -> None:
    strange = SimpleType(name="{urn:x}StrangeType", base="duration")
    name = "{urn:clearinghouse:iec63119:common:1}exchangeHeader"
    header = contract.model.types[contract.model.elements[name].type_name]
    assert isinstance(header, ComplexType)
    extra = Element(
        name="{urn:clearinghouse:iec63119:common:1}strange", type_name=strange.name
    )
    changed = dataclasses.replace(header, content=(*header.content, extra))
    types = {**contract.model.types, strange.name: strange, header.name: changed}
    model = SchemaModel(elements=contract.model.elements, types=types)

    with pytest.raises(ValueError, match="duration"):
        Bindings(model)


def test_element_in_two_places_stops_the_start(contract: Contract) -> None:
    name = "{urn:clearinghouse:iec63119:common:1}exchangeHeader"
    header = contract.model.types[contract.model.elements[name].type_name]
    assert isinstance(header, ComplexType)
    doubled = dataclasses.replace(header, content=header.content * 2)
    types = {**contract.model.types, header.name: doubled}

    with pytest.raises(ValueError, match="two places"):
        Bindings(SchemaModel(elements=contract.model.elements, types=types))


def test_generated_source_can_be_reviewed(bindings: Bindings) -> None:
    source = bindings.dump()

    compile(source, "bindings", "exec")
    assert "def read_authorization_AuthorizeStartRequest(e):" in source
    assert "def write_authorization_AuthorizeStartResponse(r):" in source
    assert "import" not in source


def test_every_type_has_its_class(contract: Contract, bindings: Bindings) -> None:
    complex_types = [
        kind for kind in contract.model.types.values() if isinstance(kind, ComplexType)
    ]

    assert len(bindings.classes) == len(complex_types)


def test_validator_serves_many_at_once(contract: Contract) -> None:
    """Each validation takes a schema for itself."""
    validator = Validator(contract.files, "common")
    good = etree.fromstring(
        '<c:exchangeHeader xmlns:c="urn:clearinghouse:iec63119:common:1">'
        f"<c:messageId>{ID}</c:messageId><c:senderId>FRA23</c:senderId>"
        "<c:createdAt>2026-01-01T00:00:00Z</c:createdAt></c:exchangeHeader>"
    )
    bad = etree.fromstring('<exchangeHeader xmlns="urn:x"/>')

    stock = [validator.accepts(good) for _ in range(3)]

    assert stock == [True, True, True]
    assert not validator.accepts(bad)
