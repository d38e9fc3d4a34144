"""The examples against the schemas, by libxml2 and by xmlschema.

The second opinion keeps us from publishing what only one validator understands;
our server uses libxml2.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from clearinghouse.contract.catalogue import EXCHANGE_HEADER, FAULT, Contract
from tests.contract import authored
from tests.contract.authored import Example

# Rules that speak of the header; all others speak of the body.
HEADER_RULE = "header-"
STATEMENT = authored.ROOT / "tests" / "contract" / "statement.xml"


@cache
def _second(name: str) -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(authored.ROOT / "xsd" / f"{name}.xsd")


def _opinions(
    contract: Contract, name: str, element: etree._Element
) -> tuple[bool, bool]:
    # As text, which carries the prefixes that the envelope declares.
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    return contract.schema(name).validate(element), _second(name).is_valid(text)


@pytest.mark.parametrize("example", authored.examples("valid"), ids=str)
def test_valid_request_is_accepted(contract: Contract, example: Example) -> None:
    header, body = example.parts()

    assert header.tag == EXCHANGE_HEADER
    assert _opinions(contract, example.service, header) == (True, True)
    assert body.tag == contract.operation(example.service, example.operation).request
    assert _opinions(contract, example.service, body) == (True, True)


@pytest.mark.parametrize("example", authored.examples("response"), ids=str)
def test_valid_response_is_accepted(contract: Contract, example: Example) -> None:
    (body,) = example.parts()

    assert body.tag == contract.operation(example.service, example.operation).response
    assert _opinions(contract, example.service, body) == (True, True)


@pytest.mark.parametrize("example", authored.examples("invalid"), ids=str)
def test_invalid_request_is_refused(contract: Contract, example: Example) -> None:
    header, body = example.parts()
    about_header = example.rule.startswith(HEADER_RULE)

    assert body.tag == contract.operation(example.service, example.operation).request
    assert _opinions(contract, example.service, header) == (
        not about_header,
        not about_header,
    )
    assert _opinions(contract, example.service, body) == (about_header, about_header)


def test_every_operation_has_its_examples(contract: Contract) -> None:
    wanted = {
        (operation.service, operation.name)
        for operation in contract.operations.values()
    }
    for kind in ("valid", "response", "invalid"):
        found = [(one.service, one.operation) for one in authored.examples(kind)]

        assert set(found) == wanted
        if kind == "invalid":
            assert min(found.count(pair) for pair in wanted) >= 2


def test_only_login_has_no_token() -> None:
    without = {
        example.operation
        for example in authored.examples("valid")
        if "sessionToken" not in example.path.read_text(encoding="utf-8")
    }

    assert without == {"Login"}


@pytest.mark.clause("4.3-I3")
def test_statement_document_is_accepted(contract: Contract) -> None:
    statement = etree.parse(STATEMENT).getroot()

    assert _opinions(contract, "statement", statement) == (True, True)


@pytest.mark.clause("8-min")
def test_statement_has_no_place_for_personal_data(contract: Contract) -> None:
    names = {
        element.local_name
        for name, complex_type in contract.model.types.items()
        if authored.namespace("statement") in name
        for element in getattr(complex_type, "elements", tuple)()
    }

    assert not names & {"credential", "contractId", "partnerSessionId", "valuekind"}


def test_fault_detail_is_accepted(contract: Contract) -> None:
    fault = authored.parse(
        f'<c:fault xmlns:c="{authored.namespace("common")}">'
        "<c:code>CH.SCHEMA</c:code><c:number>805</c:number>"
        "<c:text>The message does not follow the schema.</c:text>"
        "<c:retryable>false</c:retryable>"
        "<c:correlationId>0f6f1f9e-6e0e-4d9f-9d8b-5f0a2f0b7f11</c:correlationId>"
        "<c:item><c:code>805</c:code><c:text>Wrong.</c:text><c:path>evseId</c:path>"
        "<c:expected>at most 64 characters</c:expected></c:item></c:fault>"
    )

    assert fault.tag == FAULT
    for service in authored.SERVICES:
        assert _opinions(contract, service, fault) == (True, True)


def _header(contract: Contract, **attributes: str) -> bool:
    example = authored.examples("valid")[0]
    header, _ = example.parts()
    for name, value in attributes.items():
        header.set(name, value)
    return contract.schema(example.service).validate(header)


def test_header_takes_attributes_of_soap_and_security(contract: Contract) -> None:
    wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility"

    assert _header(
        contract,
        **{
            f"{{{authored.SOAP11}}}mustUnderstand": "1",
            f"{{{authored.SOAP11}}}actor": "urn:somebody",
            f"{{{wsu}-1.0.xsd}}Id": "header",
        },
    )


def test_header_takes_no_attributes_of_ours(contract: Contract) -> None:
    assert not _header(contract, sender="FRA23")


DERIVED = f"""
<xs:schema xmlns:xs="{authored.NAMES["xs"]}" xmlns:c="{authored.namespace("common")}"
    targetNamespace="urn:x" elementFormDefault="qualified">
  <xs:import namespace="{authored.namespace("common")}" schemaLocation="common.xsd"/>
  <xs:import namespace="{authored.namespace("authorization")}"
      schemaLocation="authorization.xsd"/>
  <xs:complexType name="More"><xs:complexContent>
    <xs:extension base="c:CredentialType"><xs:sequence>
      <xs:element name="more" type="xs:int"/>
    </xs:sequence></xs:extension>
  </xs:complexContent></xs:complexType>
</xs:schema>"""

SUBSTITUTED = f"""
<a:authorizeStopRequest xmlns:a="{authored.namespace("authorization")}"
    xmlns:c="{authored.namespace("common")}" xmlns:x="urn:x"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <a:sessionId>7c9e6679-7425-40de-944b-e07fc1f90ae7</a:sessionId>
  <a:credential xsi:type="x:More">
    <c:kind>RFID</c:kind><c:value>04A2B3C4D5E680</c:value><x:more>1</x:more>
  </a:credential>
</a:authorizeStopRequest>"""


@pytest.mark.parametrize("block", [' blockDefault="#all"', ""])
def test_derived_type_is_kept_out_by_block_alone(tmp_path: Path, block: str) -> None:
    for name in ("common", "authorization"):
        content = authored.text("xsd", name)
        wanted = re.sub(r'\s+blockDefault="#all"', block, content)
        (tmp_path / f"{name}.xsd").write_text(wanted, encoding="utf-8")
    (tmp_path / "derived.xsd").write_text(DERIVED.strip(), encoding="utf-8")
    schema = etree.XMLSchema(etree.parse(tmp_path / "derived.xsd"))

    assert schema.validate(authored.parse(SUBSTITUTED.strip())) is (not block)


def test_empty_batch_is_checked_without_its_records(contract: Contract) -> None:
    """A streamed batch is checked in two steps: its frame, then each record."""
    request = next(
        example.parts()[1]
        for example in authored.examples("valid")
        if example.operation == "SubmitSdrs"
    )
    schema = contract.schema("sdr")
    records = list(request.iterchildren("{*}serviceDetailRecord"))
    for record in records:
        request.remove(record)

    assert schema.validate(request)
    assert [schema.validate(record) for record in records] == [True, True, True]
