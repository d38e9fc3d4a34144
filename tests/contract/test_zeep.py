"""zeep makes a client of every operation, in both versions of SOAP.

A client of a foreign make reads an example and writes it anew, and the schema
accepts what it wrote: the contract means the same to both.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import cache

import pytest
import zeep
from lxml import etree
from zeep.wsdl.definitions import Binding, Operation
from zeep.xsd.valueobjects import CompoundValue

from clearinghouse.contract.catalogue import Contract
from tests.contract import authored
from tests.contract.authored import Example

VERSIONS = ("Soap11", "Soap12")


@cache
def _client(service: str) -> zeep.Client:
    path = authored.ROOT / "wsdl" / f"{service}.wsdl"
    return zeep.Client(str(path))  # type: ignore[no-untyped-call]


def _operation(example: Example, version: str) -> Operation:
    binding = _binding(example.service, version)
    operation = binding.get(example.operation)  # type: ignore[no-untyped-call]
    assert isinstance(operation, Operation)
    return operation


def _binding(service: str, version: str) -> Binding:
    (found,) = _client(service).wsdl.services.values()
    (port,) = (port for port in found.ports.values() if version in port.name)
    assert isinstance(port.binding, Binding)
    return port.binding


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("service", authored.SERVICES)
def test_client_has_every_operation_in_both_versions(
    contract: Contract, service: str, version: str
) -> None:
    wanted = {operation.name for operation in contract.services[service].operations}

    found = _binding(service, version).all()  # type: ignore[no-untyped-call]
    assert set(found) == wanted


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("example", authored.examples("valid"), ids=str)
def test_client_writes_a_valid_request(
    contract: Contract, example: Example, version: str
) -> None:
    client = _client(example.service)
    header, body = (_read(client, part) for part in example.parts())
    operation = _operation(example, version)

    message = operation.create(  # type: ignore[no-untyped-call]
        _soapheaders={"header": header}, **_members(body)
    )

    written = [child for part in message.content for child in part]
    schema = contract.schema(example.service)
    for original, element in zip(example.parts(), written, strict=True):
        assert element.tag == original.tag
        assert schema.validate(element), schema.error_log
        assert _meaning(element) == _meaning(original)


@pytest.mark.parametrize("example", authored.examples("response"), ids=str)
def test_client_reads_a_valid_response(example: Example) -> None:
    operation = _operation(example, "Soap11")

    envelope = etree.parse(example.path).getroot()
    answer = operation.process_reply(envelope)  # type: ignore[no-untyped-call]

    # zeep unwraps an answer that has no other element than its result.
    members = _members(answer) if hasattr(answer, "result") else {"result": answer}
    code = getattr(members.pop("result"), "code", None)
    assert f"<common:code>{code}<" in example.path.read_text(encoding="utf-8")
    assert code is not None
    assert code < 200 or not any(members.values())


def _read(client: zeep.Client, part: etree._Element) -> CompoundValue | None:
    element = client.get_element(part.tag)  # type: ignore[no-untyped-call]
    value = element.parse(part, client.wsdl.types)
    assert value is None or isinstance(value, CompoundValue)
    return value


def _members(value: CompoundValue | None) -> dict[str, object]:
    return {} if value is None else {name: value[name] for name in value}


def _meaning(element: etree._Element) -> list[tuple[str, object]]:
    return [
        (etree.QName(node).text, _value((node.text or "").strip()))
        for node in element.iter()
    ]


def _value(text: str) -> object:
    """Take what may be written in two ways for what it means."""
    if re.fullmatch(r"20\d\d-\d\d-\d\dT.*", text):
        return datetime.fromisoformat(text)
    if re.fullmatch(r"-?\d+\.\d+", text):
        return Decimal(text)
    return text
