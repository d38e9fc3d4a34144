"""The style rules of the contract, each as a function from a file to its breaches.

They keep the schemas in the part of the language that every generator of clients
and our own compiler of bindings understand, and keep hostile input cheap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from lxml import etree

from tests.contract.authored import NAMES, XS, namespace, select

Rule = Callable[[str, etree._Element], Iterator[str]]  # noqa: SLF001 - a public type

# The largest lists: a batch of SDRs, and the lines of a statement.
MOST_IN_MESSAGE = 50_000
MOST_IN_DOCUMENT = 10_000_000
RANGED = {"int": {"minInclusive", "maxInclusive"}}
RANGED["long"] = RANGED["int"]
RANGED["decimal"] = {"totalDigits", "fractionDigits"}
RANGED["base64Binary"] = {"maxLength"}
RANGED["dateTime"] = {"pattern"}
RANGED["gYearMonth"] = {"pattern"}

TAGS = frozenset(
    {
        *("schema", "import", "annotation", "documentation", "element"),
        *("simpleType", "restriction", "enumeration", "pattern"),
        *("minLength", "maxLength", "minInclusive", "maxInclusive"),
        *("totalDigits", "fractionDigits"),
        # any: the signature of a document, as the reader of schemas allows it
        *("complexType", "sequence", "choice", "anyAttribute", "any"),
    }
)
ATTRIBUTES = frozenset(
    {
        *("targetNamespace", "elementFormDefault", "blockDefault", "version"),
        *("namespace", "schemaLocation", "processContents"),
        *("name", "type", "base", "value", "minOccurs", "maxOccurs"),
    }
)


def names_and_defaults(name: str, root: etree._Element) -> Iterator[str]:
    """Namespace after the file, qualified elements, no substitution of types."""
    wanted = {
        "targetNamespace": namespace(name),
        "elementFormDefault": "qualified",
        "blockDefault": "#all",
    }
    for attribute, value in wanted.items():
        if root.get(attribute) != value:
            yield f"{attribute} is {root.get(attribute)}"


def imports(name: str, root: etree._Element) -> Iterator[str]:
    """Relative imports only, the common types in every file."""
    found = select(root, "xs:import")
    for node in found:
        location = node.get("schemaLocation", "")
        if not re.fullmatch(r"[a-z-]+\.xsd", location):
            yield f"import of {location}"
        if node.get("namespace") != namespace(location.removesuffix(".xsd")):
            yield f"import of {node.get('namespace')}"
    spaces = {node.get("namespace") for node in found}
    if name != "common" and namespace("common") not in spaces:
        yield "common.xsd is not imported"


def small_language(_name: str, root: etree._Element) -> Iterator[str]:
    """Only the constructs and attributes that a simple compiler reads."""
    for node in root.iter():
        tag = etree.QName(node)
        if tag.namespace != NAMES["xs"] or tag.localname not in TAGS:
            yield tag.text
        for attribute in node.attrib:
            if attribute not in ATTRIBUTES:
                yield f"{tag.localname} with {attribute!s}"


def named_types(_name: str, root: etree._Element) -> Iterator[str]:
    """Every type is global and has a name; every element refers to one."""
    for node in select(root, "//xs:complexType | //xs:simpleType"):
        if node.getparent() is not root or not node.get("name"):
            yield f"anonymous type, line {node.sourceline}"
    for node in select(root, "//xs:element"):
        if not node.get("type") or not node.get("name"):
            yield f"element without name or type, line {node.sourceline}"


def flat_content(_name: str, root: etree._Element) -> Iterator[str]:
    """One sequence a type; a choice stands in it, once, and holds elements."""
    for node in select(root, "//xs:complexType"):
        if len(select(node, "xs:sequence")) != 1:
            yield f"{node.get('name')} is no sequence"
    for node in select(root, "//xs:sequence[not(parent::xs:complexType)]"):
        yield f"nested sequence, line {node.sourceline}"
    for node in select(root, "//xs:choice"):
        parent = node.getparent()
        if parent is None or parent.tag != f"{XS}sequence" or node.attrib:
            yield f"choice, line {node.sourceline}"
        if select(node, "xs:element[@minOccurs='0']"):
            yield f"choice of nothing, line {node.sourceline}"


def finite_lists(name: str, root: etree._Element) -> Iterator[str]:
    """Every maxOccurs is a number: errors in unbounded lists cost quadratic time."""
    most = MOST_IN_DOCUMENT if name == "statement" else MOST_IN_MESSAGE
    for node in select(root, "//*[@maxOccurs]"):
        value = node.get("maxOccurs", "")
        if not value.isdigit() or not 1 < int(value) <= most:
            yield f"{node.get('name')}: maxOccurs {value}"


def bounded_strings(_name: str, root: etree._Element) -> Iterator[str]:
    """Every string has an enumeration, or a pattern and a longest length."""
    for node in select(root, "//xs:element[@type='xs:string']"):
        yield f"{node.get('name')} is any string"
    for node in select(root, "//xs:simpleType[xs:restriction/@base='xs:string']"):
        facets = _facets(node)
        if not {"enumeration"} <= facets and not {"maxLength", "pattern"} <= facets:
            yield f"{node.get('name')}"


def bounded_values(_name: str, root: etree._Element) -> Iterator[str]:
    """Numbers, moments and binaries have bounds; only booleans need none."""
    for node in select(root, "//xs:element[starts-with(@type, 'xs:')]"):
        if node.get("type") != "xs:boolean":
            yield f"{node.get('name')}: {node.get('type')}"
    for node in select(root, "//xs:simpleType"):
        base = select(node, "xs:restriction")[0].get("base", "")
        wanted = RANGED.get(base.removeprefix("xs:"), set())
        if base.startswith("xs:") and not wanted <= _facets(node):
            yield f"{node.get('name')}"


def bounded_patterns(_name: str, root: etree._Element) -> Iterator[str]:
    """Patterns count every repetition, and a repeated group begins with a mark."""
    for node in select(root, "//xs:pattern"):
        pattern = node.get("value", "")
        # What stands in brackets, and what is escaped, repeats nothing.
        bare = re.sub(
            r"\[(\\.|[^\]\\])*\]", "C", re.sub(r"\\[pP]\{\w+\}", "C", pattern)
        )
        bare = re.sub(r"\\.", "E", bare)
        if re.search(r"[*+]|\{\d+,\}|(?<!\\)\.", bare):
            yield f"unbounded: {pattern}"
        for group in re.findall(r"\(([^()]*)\)\{\d+,\d+\}", bare):
            if not re.match(r"[/:-]", group):
                yield f"ambiguous: {pattern}"
        if re.search(r"\([^()]*\([^()]*\)\{", bare):
            yield f"nested: {pattern}"


def documented(_name: str, root: etree._Element) -> Iterator[str]:
    """Say a word on the file and on each type, element, choice and value."""
    paths = "self::* | //xs:element | //xs:enumeration | //xs:choice"
    for node in select(root, f"{paths} | xs:simpleType | xs:complexType"):
        notes = select(node, "xs:annotation/xs:documentation")
        words = " ".join((note.text or "") for note in notes).split()
        if not words or not " ".join(words).endswith((".", ":", ")")):
            yield f"{node.get('name') or node.get('value')}, line {node.sourceline}"


def only_header_is_open(_name: str, root: etree._Element) -> Iterator[str]:
    """SOAP stamps attributes on the header; nowhere else is anything left open."""
    for node in select(root, "//xs:anyAttribute"):
        owner = node.getparent()
        named = "" if owner is None else owner.get("name")
        lax = (
            node.get("namespace") == "##other" and node.get("processContents") == "lax"
        )
        if named != "ExchangeHeaderType" or not lax:
            yield f"anyAttribute in {named}"
    for node in select(root, "xs:complexType[@name='ExchangeHeaderType']"):
        if not select(node, "xs:anyAttribute"):
            yield "the header takes no attributes"


def names_differ(_name: str, root: etree._Element) -> Iterator[str]:
    """No two names differ only by case: some languages would take them for one."""
    seen: dict[str, str] = {}
    for node in select(root, "//xs:element | xs:simpleType | xs:complexType"):
        name = node.get("name", "")
        if seen.setdefault(name.lower(), name) != name:
            yield f"{name} and {seen[name.lower()]}"
    for node in select(root, "//xs:restriction[xs:enumeration]"):
        values = [value.get("value", "") for value in select(node, "xs:enumeration")]
        if len({value.lower() for value in values}) != len(values):
            yield f"values {values}"


def well_named(_name: str, root: etree._Element) -> Iterator[str]:
    """Types are called XxxType, elements xxxXxx, values are plain tokens."""
    for node in select(root, "//xs:element"):
        if not re.fullmatch(r"[a-z][A-Za-z0-9]{1,40}", node.get("name", "")):
            yield f"element {node.get('name')}"
    for node in select(root, "xs:simpleType | xs:complexType"):
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]{1,40}Type", node.get("name", "")):
            yield f"type {node.get('name')}"
    for node in select(root, "//xs:enumeration"):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,40}", node.get("value", "")):
            yield f"value {node.get('value')}"


def two_level_answers(_name: str, root: etree._Element) -> Iterator[str]:
    """Begin an answer with result; a refusal needs nothing else."""
    for node in select(root, "xs:complexType[contains(@name, 'ResponseType')]"):
        particles = select(node, "xs:sequence/*")
        if not particles or particles[0].get("type") != "common:ResultType":
            yield f"{node.get('name')} has no result"
        for particle in particles[1:]:
            if particle.get("minOccurs") != "0":
                yield f"{node.get('name')} needs {particle.get('name')}"


def _facets(simple_type: etree._Element) -> AbstractSet[str]:
    return {
        etree.QName(facet).localname
        for facet in select(simple_type, "xs:restriction/*")
    }


XSD_RULES: tuple[Rule, ...] = (
    names_and_defaults,
    imports,
    small_language,
    named_types,
    flat_content,
    finite_lists,
    bounded_strings,
    bounded_values,
    bounded_patterns,
    documented,
    only_header_is_open,
    names_differ,
    well_named,
    two_level_answers,
)
