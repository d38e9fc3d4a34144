"""Second opinions: foreign tools read what our writers write."""

# zeep's classes have no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import pytest
import xmlschema
import zeep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import Response
from zeep.exceptions import Fault
from zeep.transports import Transport

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import ComplexType, namespace
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.validation import target_namespaces
from tests.contract.authored import ROOT
from tests.soap.house import House
from tests.soap.records import Records

ID = "9247378e-5376-4af2-adee-b019389acf41"


@functools.cache
def second_schema(name: str) -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(ROOT / "xsd" / f"{name}.xsd")


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_xmlschema_accepts_what_we_write(
    contract: Contract, bindings: Bindings, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(contract.model.elements)))
    kind = contract.model.type_of(contract.model.elements[name])
    assert isinstance(kind, ComplexType)
    record = data.draw(Records(contract.model, bindings).of(kind))

    text = bindings.write(record, name).decode()

    file = target_namespaces(contract)[namespace(name)]
    second_schema(file).validate(text)


class InProcess(Transport):
    """zeep's way to the engine, without a network."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house

    def load(self, url: str) -> bytes:
        return Path(url).read_bytes()

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Response:
        service = address.rpartition("/")[2]
        names = {name.lower(): value for name, value in headers.items()}
        answer = self.house.post(
            service,
            message,
            CONTENT_TYPE=names["content-type"],
            **(
                {"HTTP_SOAPACTION": names["soapaction"]}
                if "soapaction" in names
                else {}
            ),
        )
        response = Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response.raw = io.BytesIO(answer.body)
        return response


def port(house: House, service: str, version: str) -> tuple[Any, Any]:
    """Return zeep's proxy of a service and its exchange header."""
    client = zeep.Client(
        str(ROOT / "wsdl" / f"{service}.wsdl"), transport=InProcess(house)
    )
    name = service.title()
    header = client.get_element("{urn:clearinghouse:iec63119:common:1}exchangeHeader")
    return client.bind(f"{name}Service", f"{name}Soap{version}Port"), header(
        messageId=ID, senderId="FRA23", createdAt="2026-03-14T18:02:12Z"
    )


@pytest.mark.clause("6-L6")
@pytest.mark.parametrize("version", ["11", "12"])
def test_zeep_reads_our_answer(house: House, version: str) -> None:
    proxy, header = port(house, "authorization", version)

    answer = proxy.AuthorizeStart(
        evseId="FR*A23*E45B*78C",
        credential={"kind": "RFID", "value": "04A2B3C4D5E680"},
        _soapheaders=[header],
    )

    call = house.calls[-1]
    assert call.body.credential.value == "04A2B3C4D5E680"
    assert answer.decision == "AUTHORIZED"
    assert answer.result.code == 0
    assert answer.validUntil.tzinfo is not None


@pytest.mark.parametrize("version", ["11", "12"])
def test_zeep_reads_our_fault(house: House, version: str) -> None:
    proxy, header = port(house, "authorization", version)

    with pytest.raises(Fault) as raised:
        proxy.AuthorizeStart(
            evseId="FR*A23*E45B*78C",
            credential={"kind": "CARD", "value": "04A2B3C4D5E680"},
            _soapheaders=[header],
        )

    fault = raised.value
    assert fault.message == "The message does not follow the schema."
    assert fault.code in {"soap:Client", "soap:Sender"}
    detail = next(
        element
        for element in fault.detail.iter("{urn:clearinghouse:iec63119:common:1}fault")
    )
    assert detail.findtext("{*}code") == "CH.SCHEMA"
    assert (
        detail.findtext("{*}item/{*}path") == "/authorizeStartRequest/credential/kind"
    )


def test_zeep_sends_a_batch(house: House) -> None:
    proxy, header = port(house, "sdr", "11")

    answer = proxy.SubmitSdrs(
        batchSequence=1,
        control={"count": 0, "energyWh": 0},
        _soapheaders=[header],
    )

    assert answer.accepted is not None
    assert house.calls[-1].body.batch_sequence == 1
