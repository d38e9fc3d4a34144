"""One rule for texts: the schema and we ourselves refuse what nobody can see."""

from __future__ import annotations

import sys
import unicodedata

import pytest
import xmlschema
from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.contract.model import XSD, SimpleType
from clearinghouse.soap.facets import wanted
from clearinghouse.soap.patterns import simplified
from clearinghouse.texts import UNSEEN, is_name, is_readable, readable

_FILES = AuthoredFiles.load()
_TYPES = {
    "common": ("NameType", "TextType", "WindowLabelType"),
    "evse": ("AddressLineType",),
}
_LENGTH = 50  # fits each of the types
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
_EVERY = [chr(number) for number in range(sys.maxunicode + 1)]
_BASIC = 0x10000


def _in_xml(character: str) -> bool:
    number = ord(character)
    return character in "\t\n\r" or (
        number >= ord(" ")
        and not 0xD800 <= number <= 0xDFFF
        and number not in {0xFFFE, 0xFFFF}
    )


def _schemas(content: dict[str, bytes]) -> list[str]:
    """Return each of the types as a schema of its own."""
    found = []
    for name, types in _TYPES.items():
        root = etree.fromstring(content[f"xsd/{name}.xsd"])
        for kind in types:
            (node,) = root.iterfind(f"{{{XSD}}}simpleType[@name='{kind}']")
            del node.attrib["name"]
            text = etree.tostring(node, encoding="unicode", with_tail=False)
            found.append(
                f'<xs:schema xmlns:xs="{XSD}"><xs:element name="v">{text}'
                "</xs:element></xs:schema>"
            )
    return found


_SCHEMAS = _schemas(dict(_FILES.content))
_FASTER = _schemas(simplified(_FILES))


def _accepts(schema: etree.XMLSchema, text: str) -> bool:
    element = etree.Element("v")
    element.text = text
    return schema.validate(element)


def test_what_unicode_counts_as_unseen_is_not_readable() -> None:
    missed = [
        f"U+{ord(one):04X}"
        for one in _EVERY
        if unicodedata.category(one) in _UNSEEN and is_readable(one)
    ]

    assert not missed


def test_what_people_write_is_readable() -> None:
    assert is_readable(
        "Größe, 日本語 \U00020bb7, עברית, العربية, हिन्दी, \U0001f50c\u3000\xa0"
    )
    kept = {"Ll", "Lu", "Lt", "Nd", "Zs", "Sc", "Sm", "Pd", "Po"}
    refused = [
        f"U+{ord(one):04X}"
        for one in _EVERY
        if unicodedata.category(one) in kept and not is_readable(one)
    ]

    assert not refused


@pytest.mark.parametrize("text", [*_SCHEMAS, *_FASTER])
def test_schema_takes_whatever_is_readable(text: str) -> None:
    schema = etree.XMLSchema(etree.fromstring(text))
    good = "".join(one for one in _EVERY if _in_xml(one) and is_readable(one))
    refused = [
        place
        for place in range(0, len(good), _LENGTH)
        if not _accepts(schema, good[place : place + _LENGTH])
    ]

    assert not refused


@pytest.mark.parametrize("text", [*_SCHEMAS, *_FASTER])
def test_schema_refuses_what_is_not_readable(text: str) -> None:
    schema = etree.XMLSchema(etree.fromstring(text))
    # Tags stand for the higher planes: an old table of Unicode knows them as formats.
    bad = [one for one in _EVERY[:_BASIC] if _in_xml(one) and not is_readable(one)]
    bad += [chr(0xE0001), *map(chr, range(0xE0020, 0xE0080))]
    taken = [f"U+{ord(one):04X}" for one in bad if _accepts(schema, f"a{one}b")]

    assert not taken


@pytest.mark.parametrize("text", _SCHEMAS)
def test_another_validator_reads_the_pattern_in_the_same_way(text: str) -> None:
    schema = xmlschema.XMLSchema(text)
    assigned = [one for one in _EVERY[:_BASIC] if unicodedata.category(one) != "Cn"]
    # Each that is refused but for private use, and of the others some.
    sample = [one for one in assigned if not is_readable(one) and one < "\ue010"]
    sample += [*assigned[::97], *map(chr, range(0xFE00, 0xFE10))]
    both = [
        (one, schema.is_valid(etree.tostring(_element(f"a{one}b"), encoding="unicode")))
        for one in sample
        if _in_xml(one)
    ]

    assert not [f"U+{ord(one):04X}" for one, good in both if good != is_readable(one)]


def _element(text: str) -> etree._Element:
    element = etree.Element("v")
    element.text = text
    return element


def test_fault_names_the_rule_and_not_the_unseen_pattern() -> None:
    types = Contract.load().model.types.values()
    told = [wanted(kind) for kind in types if isinstance(kind, SimpleType)]

    assert all(map(is_readable, told))
    assert len([text for text in told if text.endswith(UNSEEN)]) == 5


def test_blank_stands_for_what_is_not_readable() -> None:
    assert readable("a\u202eb\x00c\ud800") == "a b c "
    assert readable("Größe") == "Größe"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Stadtwerke Köln GmbH", True),
        ("x" * 100, True),
        ("x" * 101, False),
        ("", False),
        (" \u3000", False),
        ("Stadtwerke\u200bKöln", False),
    ],
)
def test_name_has_a_length_and_is_readable(text: str, *, good: bool) -> None:
    assert is_name(text) is good
