"""The model of the schemas: what it says, and what it refuses to read."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.errors import ContractError
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.contract.model import (
    BUILTINS,
    XSD,
    Choice,
    ComplexType,
    Element,
    SchemaModel,
    SimpleType,
    local,
    namespace,
)
from tests.contract import authored

EMPTY = "<xs:sequence/>"
SPACE = authored.namespace("trial")


def _read(*content: str, attributes: str = "") -> SchemaModel:
    """Read one schema that holds the content."""
    schema = (
        f'<xs:schema xmlns:xs="{XSD}" xmlns:t="{SPACE}" targetNamespace="{SPACE}"'
        f' elementFormDefault="qualified" blockDefault="#all"{attributes}>'
        f"{''.join(content)}</xs:schema>"
    )
    files: Mapping[str, bytes] = {"xsd/trial.xsd": schema.encode()}
    return SchemaModel.read(AuthoredFiles(content=files))


def _complex(inside: str) -> str:
    return f'<xs:complexType name="TrialType">{inside}</xs:complexType>'


def _simple(inside: str, base: str = "xs:string", name: str = "TrialType") -> str:
    return (
        f'<xs:simpleType name="{name}"><xs:restriction base="{base}">{inside}'
        "</xs:restriction></xs:simpleType>"
    )


def test_model_has_every_component_of_the_files(contract: Contract) -> None:
    elements: set[str] = set()
    types: set[str] = set()
    for name in authored.SCHEMAS:
        root = authored.parse(authored.text("xsd", name))
        space = f"{{{authored.namespace(name)}}}"
        elements |= {
            space + n.get("name", "") for n in authored.select(root, "xs:element")
        }
        found = authored.select(root, "xs:complexType | xs:simpleType")
        types |= {space + node.get("name", "") for node in found}

    assert contract.model.elements.keys() == elements
    assert contract.model.types.keys() == types | {f"{{{XSD}}}{n}" for n in BUILTINS}


def test_every_element_finds_its_type(contract: Contract) -> None:
    model = contract.model
    for element in model.elements.values():
        assert isinstance(model.type_of(element), ComplexType)
    for complex_type in model.types.values():
        if isinstance(complex_type, ComplexType):
            for element in complex_type.elements():
                assert element.documentation
                assert model.type_of(element).name == element.type_name


def test_every_simple_type_comes_down_to_a_builtin(contract: Contract) -> None:
    bases = {
        simple.base
        for simple in contract.model.types.values()
        if isinstance(simple, SimpleType)
    }

    assert bases == set(BUILTINS)


def test_request_is_told_in_order(contract: Contract) -> None:
    session = authored.namespace("session")
    element = contract.model.elements[f"{{{session}}}startSessionRequest"]
    request = contract.model.type_of(element)

    assert isinstance(request, ComplexType)
    assert request.class_name == "StartSessionRequest"
    evse, choice, partner = request.content
    assert isinstance(evse, Element)
    assert (evse.local_name, evse.min_occurs, evse.max_occurs) == ("evseId", 1, 1)
    assert isinstance(choice, Choice)
    assert [one.local_name for one in choice.elements] == ["credential", "contractId"]
    assert isinstance(partner, Element)
    assert (partner.local_name, partner.min_occurs) == ("partnerSessionId", 0)
    assert [one.local_name for one in request.elements()] == [
        "evseId",
        "credential",
        "contractId",
        "partnerSessionId",
    ]
    assert not request.any_attribute


def test_lists_facets_and_values_are_told(contract: Contract) -> None:
    types = contract.model.types
    batch = types[f"{{{authored.namespace('sdr')}}}SubmitSdrsRequestType"]
    common = f"{{{authored.namespace('common')}}}"
    kind, amount, header = (
        types[common + name]
        for name in ("CredentialKindType", "AmountType", "ExchangeHeaderType")
    )

    assert isinstance(batch, ComplexType)
    records = list(batch.elements())[-1]
    assert (records.min_occurs, records.max_occurs, records.repeated) == (
        0,
        50_000,
        True,
    )
    assert isinstance(kind, SimpleType)
    assert [one.value for one in kind.facets.enumeration][:2] == ["RFID", "STATIC_QR"]
    assert "UID" in kind.facets.enumeration[0].documentation
    assert isinstance(amount, SimpleType)
    assert (amount.facets.total_digits, amount.facets.fraction_digits) == (18, 6)
    assert isinstance(header, ComplexType)
    assert header.any_attribute


def test_derived_type_keeps_the_bounds_of_its_base(contract: Contract) -> None:
    derived = contract.model.types[
        f"{{{authored.namespace('directory')}}}EndpointTokenType"
    ]

    assert isinstance(derived, SimpleType)
    assert derived.base == "string"
    assert (derived.facets.min_length, derived.facets.max_length) == (16, 128)
    assert len(derived.facets.patterns) == 1


def test_names_are_taken_apart() -> None:
    assert (local("{a:b}c"), namespace("{a:b}c")) == ("c", "a:b")
    assert (local("c"), namespace("c")) == ("c", "")


def test_small_schema_is_read() -> None:
    model = _read(_complex(EMPTY), '<xs:element name="trial" type="t:TrialType"/>')

    assert model.type_of(model.elements[f"{{{SPACE}}}trial"]).name.endswith("TrialType")


# Each line: what an author may try, and what the start says about it.
UNKNOWN = [
    (_complex("<xs:all/>"), "all"),
    (_complex(f"{EMPTY}<xs:attribute name='a' type='xs:int'/>"), "attribute"),
    (_complex("<xs:simpleContent/>"), "simpleContent"),
    (_complex("<xs:complexContent/>"), "complexContent"),
    (_complex("<xs:sequence><xs:any/></xs:sequence>"), "any"),
    (_complex("<xs:sequence><xs:sequence/></xs:sequence>"), "sequence"),
    (_complex("<xs:sequence><xs:group ref='t:g'/></xs:sequence>"), "group"),
    (_complex("<xs:sequence maxOccurs='2'/>"), "maxOccurs"),
    (_complex("<xs:sequence><xs:choice minOccurs='0'/></xs:sequence>"), "minOccurs"),
    (
        _complex("<xs:sequence><xs:choice><xs:choice/></xs:choice></xs:sequence>"),
        "choice",
    ),
    (
        _complex(
            "<xs:sequence><xs:choice><xs:element name='a' type='xs:int' minOccurs='0'/>"
            "</xs:choice></xs:sequence>"
        ),
        "choice of nothing",
    ),
    (
        _complex(
            "<xs:sequence><xs:element name='a' type='xs:int' nillable='1'/>"
            "</xs:sequence>"
        ),
        "nillable",
    ),
    (
        _complex(
            "<xs:sequence><xs:element name='a' type='xs:int' default='1'/>"
            "</xs:sequence>"
        ),
        "default",
    ),
    (_complex("<xs:sequence><xs:element ref='t:a'/></xs:sequence>"), "ref"),
    (
        _complex(
            "<xs:sequence><xs:element name='a' type='xs:int' maxOccurs='unbounded'/>"
            "</xs:sequence>"
        ),
        "unbounded",
    ),
    (
        _complex(
            "<xs:sequence><xs:element name='a' type='xs:int'/>"
            "<xs:element name='a' type='xs:int'/></xs:sequence>"
        ),
        "two elements",
    ),
    (_complex("<xs:sequence><xs:element name='a'/></xs:sequence>"), "type"),
    (
        _complex("<xs:sequence><xs:element name='a' type='t:GoneType'/></xs:sequence>"),
        "GoneType",
    ),
    (
        _complex("<xs:sequence><xs:element name='a' type='z:GoneType'/></xs:sequence>"),
        "prefix",
    ),
    (_complex(f"{EMPTY}<xs:anyAttribute/>"), "namespace"),
    (
        _complex(f"{EMPTY}<xs:anyAttribute namespace='##any' processContents='lax'/>"),
        "##other",
    ),
    (_complex(""), "0 times sequence"),
    (_complex(EMPTY + EMPTY), "2 times sequence"),
    (_complex(EMPTY).replace("name=", "mixed='true' name="), "mixed"),
    (_complex(EMPTY).replace(' name="TrialType"', ""), "without attribute name"),
    (_complex(EMPTY) + _complex(EMPTY), "twice"),
    (_simple("<xs:whiteSpace value='collapse'/>"), "whiteSpace"),
    (_simple("<xs:minExclusive value='0'/>", "xs:int"), "minExclusive"),
    (_simple("<xs:maxLength value='ten'/>"), "line 1: maxLength"),
    (_simple("<xs:maxLength value='9' fixed='true'/>"), "fixed"),
    (_simple("<xs:pattern value='a'/><xs:pattern value='b'/>"), "several patterns"),
    (_simple("", "xs:anyURI"), "anyURI"),
    (_simple("", "xs:float"), "float"),
    (_simple("", "t:GoneType"), "GoneType"),
    (_simple("", "t:TrialType"), "TrialType"),
    (_simple("", "t:BType") + _simple("", "t:TrialType", "BType"), "Type"),
    (_simple("").replace("restriction", "list"), "list"),
    (_simple("").replace("restriction", "union"), "union"),
    ("<xs:include schemaLocation='a.xsd'/>", "include"),
    ("<xs:redefine schemaLocation='a.xsd'/>", "redefine"),
    ("<xs:attributeGroup name='a'/>", "attributeGroup"),
    (
        "<xs:element name='a' type='xs:int' substitutionGroup='t:b'/>",
        "substitutionGroup",
    ),
    ("<xs:element name='a' type='xs:int' abstract='true'/>", "abstract"),
    ("<xs:element name='a' type='t:GoneType'/>", "GoneType"),
    ("<html xmlns='http://www.w3.org/1999/xhtml'/>", "html"),
    ("<xs:notation name='n' public='p'/>", "notation"),
]


@pytest.mark.parametrize(("content", "said"), UNKNOWN)
def test_unknown_construct_stops_the_start(content: str, said: str) -> None:
    with pytest.raises(ContractError) as raised:
        _read(content)

    assert raised.value.file == "xsd/trial.xsd"
    assert said in raised.value.construct


@pytest.mark.parametrize(
    "attributes",
    [
        'targetNamespace="urn:t" blockDefault="#all"',
        'targetNamespace="urn:t" blockDefault="#all" elementFormDefault="unqualified"',
        'targetNamespace="urn:t" blockDefault="list" elementFormDefault="qualified"',
        'blockDefault="#all" elementFormDefault="qualified"',
    ],
)
def test_other_head_of_a_schema_stops_the_start(attributes: str) -> None:
    schema = f'<xs:schema xmlns:xs="{XSD}" {attributes}/>'.encode()

    with pytest.raises(ContractError, match="schema with"):
        SchemaModel.read(AuthoredFiles(content={"xsd/trial.xsd": schema}))


@pytest.mark.parametrize("root", [f'<xs:element xmlns:xs="{XSD}"/>', "<schema/>"])
def test_file_that_is_no_schema_stops_the_start(root: str) -> None:
    with pytest.raises(ContractError, match="element"):
        SchemaModel.read(AuthoredFiles(content={"xsd/trial.xsd": root.encode()}))


def test_finality_and_other_attributes_of_a_schema_stop_the_start() -> None:
    with pytest.raises(ContractError, match="finalDefault"):
        _read(attributes=' finalDefault="#all"')


def test_error_names_file_and_line() -> None:
    group = "<xs:element name='a' type='xs:int'>\n<xs:group name='g'/></xs:element>"

    with pytest.raises(ContractError, match=r"xsd/trial\.xsd: line 2: .*group"):
        _read("\n", group)
