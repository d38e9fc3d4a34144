"""The faster patterns take what the authored ones take, and nothing else."""

from __future__ import annotations

import pytest
from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.contract.model import XSD
from clearinghouse.soap.patterns import simplified

_FILES = AuthoredFiles.load()
# Each character of ASCII that XML can hold, and some beyond it.
_CHARACTERS = [*map(chr, [9, 10, *range(32, 127)]), "\x80", "é", "Ω", "\U0001f50c"]
_FACETS = {f"{{{XSD}}}{name}" for name in ("minLength", "maxLength", "pattern")}


def _restrictions(path: str, content: bytes) -> dict[str, str]:
    """Return the restrictions with a pattern, as schemas, by where they stand."""
    found = {}
    for number, node in enumerate(etree.fromstring(content).iter("{*}restriction")):
        base = node.get("base", "")
        if node.find("{*}pattern") is None or not base.startswith("xs:"):
            continue
        facets = "".join(
            etree.tostring(facet, encoding="unicode", with_tail=False)
            for facet in node
            if facet.tag in _FACETS
        )
        found[f"{path}-{number}"] = (
            f'<xs:schema xmlns:xs="{XSD}"><xs:element name="v"><xs:simpleType>'
            f'<xs:restriction base="{base}">{facets}</xs:restriction>'
            "</xs:simpleType></xs:element></xs:schema>"
        )
    return found


def _all(content: dict[str, bytes]) -> dict[str, str]:
    return {
        place: schema
        for path, data in content.items()
        if path.startswith("xsd/")
        for place, schema in _restrictions(path, data).items()
    }


_AUTHORED, _SIMPLIFIED = _all(dict(_FILES.content)), _all(simplified(_FILES))
_CHANGED = [place for place in _AUTHORED if _AUTHORED[place] != _SIMPLIFIED[place]]


def _accepts(schema: etree.XMLSchema, text: str) -> bool:
    element = etree.Element("v")
    element.text = text
    return schema.validate(element)


@pytest.mark.parametrize("place", _CHANGED)
def test_faster_pattern_takes_the_same_values(place: str) -> None:
    authored = etree.XMLSchema(etree.fromstring(_AUTHORED[place]))
    faster = etree.XMLSchema(etree.fromstring(_SIMPLIFIED[place]))
    lengths = [*range(5), *range(14, 42), *range(62, 67), 99, 100, 101]
    lengths += [127, 128, 129, 199, 200, 201, 254, 255, 256, 257]
    texts = [character * length for character in "a0- é" for length in lengths]
    texts += [first + other for first in ("", "a", "aa0") for other in _CHARACTERS]
    texts += [other + "a" for other in _CHARACTERS]
    texts += [("a0-." * 100)[:length] for length in lengths]

    disagreed = [t for t in texts if _accepts(authored, t) != _accepts(faster, t)]

    assert not disagreed
    assert len({_accepts(faster, text) for text in texts}) == 2


def test_the_token_of_every_message_has_a_faster_pattern() -> None:
    faster = [_SIMPLIFIED[place] for place in _CHANGED]

    assert any("([A-Za-z0-9]|[._~+/=\\-])+" in schema for schema in faster)


def test_texts_for_people_have_a_faster_pattern() -> None:
    faster = [schema for schema in _SIMPLIFIED.values() if "([ -~]|[^ -~" in schema]

    assert len(faster) == 5


@pytest.mark.parametrize(
    ("least", "most", "value"),
    [
        (None, None, "[a-z]{2,8}"),
        (1, 8, "[a-z]{2,8}"),
        (2, 9, "[a-z]{2,8}"),
        (2, 8, "[a-z]+"),
    ],
)
def test_a_count_that_no_length_repeats_is_kept(
    least: int | None, most: int | None, value: str
) -> None:
    lengths = (
        ""
        if least is None
        else f'<xs:minLength value="{least}"/><xs:maxLength value="{most}"/>'
    )
    text = (
        f'<xs:schema xmlns:xs="{XSD}"><xs:simpleType name="T">'
        f'<xs:restriction base="xs:string">{lengths}<xs:pattern value="[a-z]{{2,8}}"/>'
        "</xs:restriction></xs:simpleType></xs:schema>"
    )
    found = simplified(AuthoredFiles(content={"xsd/one.xsd": text.encode()}))

    assert f'<xs:pattern value="{value}"/>' in found["xsd/one.xsd"].decode()


def test_published_schemas_are_as_authored() -> None:
    contract = Contract.load()
    simplified(contract.files)

    assert (
        contract.published("/xsd/common.xsd", None) == _FILES.content["xsd/common.xsd"]
    )
