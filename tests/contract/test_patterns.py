"""No pattern can be made to work for long: ten kilobytes of anything are refused.

libxml2 gives up with an error of its own when a pattern sends it back and forth
too often; that error would be raised here.
"""

from __future__ import annotations

import pytest
from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import SimpleType, local
from tests.contract import authored

LENGTH = 10_000
CLASSES = {
    "digits": "7",
    "upper case": "A",
    "lower case": "a",
    "hexadecimal": "0f",
    "blanks": " ",
    "hyphens": "-",
    "stars": "*",
    "stops": ".",
    "slashes": "/",
    "mixed marks": "a-A*1.",
    "accents": "é",
    "Greek": "Ω",
    "other planes": "\U0001f50c",
    "controls": "\t",
    "quotes": "\"'<&>",
    "joiners": "\u200d",
    "private use": "\ue000",
}


def _patterns() -> list[tuple[str, str]]:
    return [
        (f"{name}-{node.get('name')}", pattern.get("value", ""))
        for name in authored.SCHEMAS
        for node in authored.select(
            authored.parse(authored.text("xsd", name)), "xs:simpleType"
        )
        for pattern in authored.select(node, "xs:restriction/xs:pattern")
    ]


def _schema_of(pattern: str) -> etree.XMLSchema:
    """Compile the pattern alone: without maxLength it has to do all the work."""
    root = authored.parse(
        f'<xs:schema xmlns:xs="{authored.NAMES["xs"]}"><xs:element name="v">'
        '<xs:simpleType><xs:restriction base="xs:string"><xs:pattern value=""/>'
        "</xs:restriction></xs:simpleType></xs:element></xs:schema>"
    )
    authored.select(root, "//xs:pattern")[0].set("value", pattern)
    return etree.XMLSchema(root)


def _value(text: str) -> etree._Element:
    element = etree.Element("v")
    element.text = text
    return element


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(("name", "pattern"), _patterns())
def test_pattern_refuses_long_input(name: str, pattern: str, kind: str) -> None:
    characters = CLASSES[kind]
    text = characters * (LENGTH // len(characters))

    assert _schema_of(pattern).validate(_value(text)) is False, name


@pytest.mark.parametrize(("name", "pattern"), _patterns())
def test_pattern_refuses_what_goes_on_after_a_good_beginning(
    name: str, pattern: str
) -> None:
    schema = _schema_of(pattern)
    # The longest value that the pattern takes, made of one character each.
    for characters in CLASSES.values():
        text = characters[0]
        assert schema.validate(_value(text * LENGTH + "\u2028")) is False, name


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("InstantType", "2026-03-29T02:30:00+02:00", "2026-03-29T02:30:00"),
        ("InstantType", "2026-03-29T02:30:00.123456Z", "2026-03-29T02:30:00.1234567Z"),
        ("InstantType", "2099-12-31T23:59:59-11:30", "1999-12-31T23:59:59Z"),
        ("InstantType", "2026-03-29T00:00:00Z", "2026-03-29T24:00:00Z"),
        ("UuidType", "0F6F1F9E-6e0e-4d9f-9d8b-5f0a2f0b7f11", "{0f6f1f9e}"),
        ("PartyIdType", "FRA23", "fra23"),
        ("EvseIdReceivedType", "+49*810*000*438", "FR*A23*É"),
        ("ContractIdType", "NL-TNM-C00122045-K", "NL TNM C00122045 K"),
        ("CurrencyType", "EUR", "€"),
        ("AmountType", "-0.000001", "1e3"),
        ("EnergyWhType", "-1000000000", "1000000001"),
        ("CursorType", "", "a b"),
        ("ZoneIdType", "America/Argentina/Buenos_Aires", "Europe/"),
        ("ZoneIdType", "Etc/GMT+5", "a/b/c/d"),
        ("UrlType", "https://re.example/x?y=1", "ftp://re.example"),
        ("AccessTokenType", "ch1_abc-DEF", "two words"),
        ("RuleType", "S-208", "S208"),
        ("TextType", "Größe, 日本語", "two\nlines"),
        ("TextType", "wide\u3000blank, \U00020bb7", "zero\u200bwidth"),
        ("NameType", "עברית, العربية, हिन्दी", "mixed\u202etxet"),
        ("NameType", "ශ්රී ලංකා", "ශ්\u200dරී ලංකා"),
        ("NameType", "isolated", "isolated\u2067"),
        ("WindowLabelType", "2026-11", "2026\u2028-11"),
        ("CodeNameType", "CH.SCHEMA", "ch.schema"),
        ("ReasonType", "CREDENTIAL_BLOCKED", "no way"),
    ],
)
def test_common_type_takes_and_refuses(name: str, good: str, bad: str) -> None:
    common = authored.namespace("common")
    root = authored.parse(
        f'<xs:schema xmlns:xs="{authored.NAMES["xs"]}" xmlns:c="{common}">'
        f'<xs:import namespace="{common}" schemaLocation="common.xsd"/>'
        f'<xs:element name="v" type="c:{name}"/></xs:schema>'
    )
    root.getroottree().docinfo.URL = f"{authored.ROOT / 'xsd'}/driver.xsd"
    schema = etree.XMLSchema(root)

    assert schema.validate(_value(good))
    assert not schema.validate(_value(bad))


def test_every_string_of_the_model_ends_somewhere(contract: Contract) -> None:
    for simple in contract.model.types.values():
        if isinstance(simple, SimpleType) and simple.name.startswith("{urn:"):
            bounded = simple.facets.max_length or simple.facets.enumeration

            assert simple.base != "string" or bounded, local(simple.name)
