"""Every authored file keeps every style rule, and every rule can fail."""

from __future__ import annotations

import pytest

from tests.contract import authored, style, wsdl_style
from tests.contract.style import XSD_RULES, Rule
from tests.contract.wsdl_style import WSDL_RULES


def _name(value: object) -> str:
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize("name", authored.SCHEMAS)
@pytest.mark.parametrize("rule", XSD_RULES, ids=_name)
def test_schema_keeps_the_style(rule: Rule, name: str) -> None:
    root = authored.parse(authored.text("xsd", name))

    assert list(rule(name, root)) == []


@pytest.mark.parametrize("name", authored.SERVICES)
@pytest.mark.parametrize("rule", WSDL_RULES, ids=_name)
def test_wsdl_keeps_the_style(rule: Rule, name: str) -> None:
    root = authored.parse(authored.text("wsdl", name))

    assert list(rule(name, root)) == []


# For each rule: a file, what stands in it, and what would break the rule.
BROKEN_SCHEMAS = (
    (style.names_and_defaults, "sdr", ' elementFormDefault="qualified"', ""),
    (style.names_and_defaults, "sdr", 'blockDefault="#all"', ""),
    (style.names_and_defaults, "sdr", 'Namespace="urn', 'Namespace="uri'),
    (style.imports, "sdr", '"common.xsd"', '"https://example.org/common.xsd"'),
    (style.imports, "sdr", "<xs:import", "<xs:include"),
    (style.small_language, "access", 'minOccurs="0"', 'nillable="true"'),
    (style.small_language, "access", "<xs:sequence/>", "<xs:all/>"),
    (
        style.small_language,
        "access",
        "<xs:sequence/>",
        '<xs:sequence/><xs:attribute name="a" use="required"/>',
    ),
    (
        style.named_types,
        "access",
        '<xs:complexType name="LoginRequestType"',
        "<xs:complexType",
    ),
    (style.named_types, "access", ' type="access:UsernameType"', ""),
    (style.flat_content, "session", "<xs:choice>", '<xs:choice minOccurs="0">'),
    (
        style.flat_content,
        "access",
        "<xs:sequence/>",
        "<xs:sequence><xs:sequence/></xs:sequence>",
    ),
    (
        style.flat_content,
        "session",
        'name="contractId" type="common:ContractIdType"',
        'name="contractId" type="common:ContractIdType" minOccurs="0"',
    ),
    (style.finite_lists, "sdr", 'maxOccurs="50000"', 'maxOccurs="unbounded"'),
    (style.finite_lists, "sdr", 'maxOccurs="50000"', 'maxOccurs="50001"'),
    (style.bounded_strings, "access", '<xs:maxLength value="64"/>', ""),
    (
        style.bounded_strings,
        "tariff",
        '<xs:pattern value="([01]',
        '<xs:length value="([01]',
    ),
    (style.bounded_strings, "access", "access:UsernameType", "xs:string"),
    (style.bounded_values, "sdr", '<xs:maxInclusive value="500"/>', ""),
    (style.bounded_values, "evse", '<xs:fractionDigits value="18"/>', ""),
    (style.bounded_values, "sdr", "common:CountType", "xs:int"),
    (style.bounded_values, "settlement", '<xs:maxLength value="1048576"/>', ""),
    (style.bounded_patterns, "common", "[A-Z]{2}[A-Z0-9]{3}", "[A-Z]+[A-Z0-9]{3}"),
    (style.bounded_patterns, "common", "[A-Z]{2}[A-Z0-9]{3}", "[A-Z]{2}[A-Z0-9]{3,}"),
    (style.bounded_patterns, "common", "[A-Z]{2}[A-Z0-9]{3}", ".{5}"),
    (style.bounded_patterns, "common", "[A-Z]{2}[A-Z0-9]{3}", "(A|AA){1,9}B"),
    (style.bounded_patterns, "common", "[A-Z]{2}[A-Z0-9]{3}", "(-(-A){1,9}){1,9}B"),
    (style.documented, "common", "RFID card: its UID, hexadecimal.", ""),
    (style.documented, "session", "The partner.", ""),
    (style.only_header_is_open, "common", 'namespace="##other"', 'namespace="##any"'),
    (style.only_header_is_open, "common", "<xs:anyAttribute", "<xs:any"),
    (
        style.only_header_is_open,
        "access",
        "<xs:sequence/>",
        '<xs:sequence/><xs:anyAttribute namespace="##other" processContents="lax"/>',
    ),
    (style.names_differ, "access", 'name="password"', 'name="userName"'),
    (
        style.names_differ,
        "access",
        'Type name="LoginRequestType',
        'Type name="LoginRequest',
    ),
    (style.names_differ, "common", 'value="STATIC_QR"', 'value="rfid"'),
    (style.well_named, "access", 'name="username"', 'name="user_name"'),
    (style.well_named, "access", "UsernameType", "Username"),
    (style.well_named, "common", 'value="STATIC_QR"', 'value="static QR"'),
    (
        style.two_level_answers,
        "access",
        'name="expiresAt" type="common:InstantType" minOccurs="0"',
        'name="expiresAt" type="common:InstantType"',
    ),
    (style.two_level_answers, "access", '"common:ResultType"', '"common:FaultType"'),
)

BROKEN_WSDLS = (
    (wsdl_style.imports_only, "../xsd/common.xsd", "https://example.org/common.xsd"),
    (wsdl_style.imports_only, "<xs:import", "<xs:include"),
    (wsdl_style.one_body_part, 'part name="body"', 'part name="parameters"'),
    (wsdl_style.one_body_part, 'element="access:login', 'type="access:Login'),
    (wsdl_style.header_apart, 'part name="header"', 'part name="body"'),
    (wsdl_style.header_apart, "<soap12:header", "<soap12:headerfault"),
    (
        wsdl_style.one_fault,
        '<wsdl:fault name="ClearingHouseFault" ',
        '<wsdl:fault name="F" ',
    ),
    (wsdl_style.one_fault, "common:fault", "access:fault"),
    (wsdl_style.document_literal, 'style="document"', 'style="rpc"'),
    (wsdl_style.document_literal, 'use="literal"', 'use="encoded"'),
    (wsdl_style.two_ports, "<soap12:address", "<soap:address"),
    (
        wsdl_style.two_ports,
        '<soap:address location="https',
        '<soap:address location="http',
    ),
    (wsdl_style.bound_operations, ":1/Logout", ":1/Login"),
    (wsdl_style.bound_operations, 'operation name="Logout"', 'operation name="logIn"'),
    (wsdl_style.documented, "clause 7.2", "somewhere"),
    (wsdl_style.documented, "Not stored", "Stored"),
)


def _broken(content: str, old: str, new: str) -> str:
    assert old in content
    return content.replace(old, new, 1)


@pytest.mark.parametrize(("rule", "name", "old", "new"), BROKEN_SCHEMAS, ids=_name)
def test_rule_sees_a_broken_schema(rule: Rule, name: str, old: str, new: str) -> None:
    root = authored.parse(_broken(authored.text("xsd", name), old, new))

    assert list(rule(name, root))


@pytest.mark.parametrize(("rule", "old", "new"), BROKEN_WSDLS, ids=_name)
def test_rule_sees_a_broken_wsdl(rule: Rule, old: str, new: str) -> None:
    content = authored.text("wsdl", "access")
    if rule is wsdl_style.documented:
        # The first place is in the word on the service, which names no clause.
        head, mark, rest = content.partition("<wsdl:portType")
        content = head + mark + _broken(rest, old, new)
    else:
        content = _broken(content, old, new)

    assert list(rule("access", authored.parse(content)))


def test_every_rule_is_seen_to_fail() -> None:
    broken = {rule for rule, *_ in (*BROKEN_SCHEMAS, *BROKEN_WSDLS)}

    assert broken == {*XSD_RULES, *WSDL_RULES}


def test_every_type_is_used() -> None:
    everything = "".join(authored.text("xsd", name) for name in authored.SCHEMAS)
    for name in authored.SCHEMAS:
        root = authored.parse(authored.text("xsd", name))
        for node in authored.select(root, "xs:simpleType | xs:complexType"):
            used = f'="{name}:{node.get("name")}"'

            assert used in everything, f"{name}: nobody uses {node.get('name')}"


def test_every_service_has_a_schema_of_its_name() -> None:
    documents = set(authored.SCHEMAS) - set(authored.SERVICES)

    assert documents == {"common", "statement"}
