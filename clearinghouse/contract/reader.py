"""Reading of XSD files into components; an unknown construct stops the start.

The tables below are the whole language that an author may use. A compiler of
bindings that ignored a construct would let through what the schema forbids, or
lose what it allows, so that ignoring is not offered (style rules of the contract).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lxml import etree

from clearinghouse.contract.components import (
    BUILTINS,
    XSD,
    Choice,
    ComplexType,
    Element,
    EnumerationValue,
    Facets,
    SimpleType,
)
from clearinghouse.contract.errors import ContractError
from clearinghouse.contract.loader import AuthoredFiles

_NUMBER_FACETS: Mapping[str, str] = MappingProxyType(
    {
        "minLength": "min_length",
        "maxLength": "max_length",
        "totalDigits": "total_digits",
        "fractionDigits": "fraction_digits",
    }
)
_RANGE_FACETS: Mapping[str, str] = MappingProxyType(
    {"minInclusive": "min_inclusive", "maxInclusive": "max_inclusive"}
)
_FACETS = frozenset({*_NUMBER_FACETS, *_RANGE_FACETS, "pattern", "enumeration"})


@dataclass(frozen=True, slots=True)
class _Form:
    """What a construct may hold; ``fixed`` attributes must have that value."""

    needed: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    fixed: Mapping[str, str] = field(default_factory=dict)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: The namespace of XML signatures: the only foreign elements that a schema lets in.
DSIG = "http://www.w3.org/2000/09/xmldsig#"

_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "schema": _Form(
            needed=_words("targetNamespace elementFormDefault blockDefault"),
            allowed=_words("version"),
            children=_words("annotation import simpleType complexType element"),
            fixed={"elementFormDefault": "qualified", "blockDefault": "#all"},
        ),
        "import": _Form(needed=_words("namespace schemaLocation")),
        "annotation": _Form(children=_words("documentation")),
        "documentation": _Form(),
        "element": _Form(
            needed=_words("name type"),
            allowed=_words("minOccurs maxOccurs"),
            children=_words("annotation"),
        ),
        "simpleType": _Form(
            needed=_words("name"), children=_words("annotation restriction")
        ),
        "restriction": _Form(needed=_words("base"), children=_FACETS),
        "enumeration": _Form(needed=_words("value"), children=_words("annotation")),
        "complexType": _Form(
            needed=_words("name"),
            children=_words("annotation sequence anyAttribute"),
        ),
        "sequence": _Form(children=_words("element choice any")),
        # The signature of a document, which is written and never read here.
        "any": _Form(
            needed=_words("namespace processContents minOccurs"),
            fixed={"namespace": DSIG, "processContents": "skip", "minOccurs": "0"},
            children=_words("annotation"),
        ),
        "choice": _Form(children=_words("annotation element")),
        "anyAttribute": _Form(
            needed=_words("namespace processContents"),
            fixed={"namespace": "##other", "processContents": "lax"},
        ),
        **{
            facet: _Form(needed=_words("value"))
            for facet in sorted(_FACETS - {"enumeration"})
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unresolved:
    """A simple type before its base is looked up."""

    path: str
    name: str
    base: str
    facets: Facets
    documentation: str


class SchemaReader:
    """Collects the components of one file after the other, then resolves them."""

    def __init__(self, authored: AuthoredFiles) -> None:
        self._authored = authored
        self.elements: dict[str, Element] = {}
        self._complex: dict[str, ComplexType] = {}
        self._simple: dict[str, _Unresolved] = {}
        self._path_of: dict[str, str] = {}

    def read(self, name: str) -> None:
        """Read ``xsd/<name>.xsd``.

        Raises :class:`ContractError` on a construct that no table names.
        """
        path = f"xsd/{name}.xsd"
        root = self._authored.parse(path)
        _check(path, root, "schema")
        target = root.get("targetNamespace", "")
        for node in root:
            match _tag(path, node):
                case "element":
                    element = _element(path, node, target)
                    self._once(path, element.name, self.elements)
                    self.elements[element.name] = element
                    self._path_of[element.name] = path
                case "complexType":
                    complex_type = _complex_type(path, node, target)
                    self._once(path, complex_type.name, self._complex)
                    self._complex[complex_type.name] = complex_type
                    self._path_of[complex_type.name] = path
                case "simpleType":
                    simple = _simple_type(path, node, target)
                    self._once(path, simple.name, self._simple)
                    self._simple[simple.name] = simple

    def resolve(self) -> dict[str, ComplexType | SimpleType]:
        """Return all types by name, simple ones traced to their builtin base.

        Raises :class:`ContractError` for a type that nobody defines.
        """
        simple = {name: self._resolve(name, ()) for name in self._simple}
        known = {*simple, *self._complex, *(f"{{{XSD}}}{name}" for name in BUILTINS)}
        for element in self.elements.values():
            self._known(element, element.name, known)
        for name, complex_type in self._complex.items():
            for element in complex_type.elements():
                self._known(element, name, known)
        return {**simple, **self._complex}

    def _known(self, element: Element, owner: str, known: set[str]) -> None:
        if element.type_name not in known:
            raise ContractError(
                self._path_of[owner], f"{element.name}: no type {element.type_name}"
            )

    def _once(self, path: str, name: str, found: Mapping[str, object]) -> None:
        if name in found:
            raise ContractError(path, f"{name} is defined twice")

    def _resolve(self, name: str, seen: tuple[str, ...]) -> SimpleType:
        raw = self._simple[name]
        if raw.base.startswith(f"{{{XSD}}}"):
            builtin = raw.base.rpartition("}")[2]
            if builtin not in BUILTINS:
                raise ContractError(raw.path, f"{name}: builtin type {builtin}")
            base, facets = builtin, raw.facets
        else:
            if raw.base not in self._simple or raw.base in seen:
                raise ContractError(raw.path, f"{name}: base {raw.base}")
            above = self._resolve(raw.base, (*seen, name))
            base, facets = above.base, _narrowed(above.facets, raw.facets)
        return SimpleType(
            name=name, base=base, facets=facets, documentation=raw.documentation
        )


def _narrowed(above: Facets, own: Facets) -> Facets:
    """Join the facets of a base with those of the type derived from it."""
    given = {
        name: value
        for name in (*_NUMBER_FACETS.values(), *_RANGE_FACETS.values())
        if (value := getattr(own, name)) is not None
    }
    return replace(
        above,
        enumeration=own.enumeration or above.enumeration,
        patterns=(*above.patterns, *own.patterns),
        **given,
    )


def _tag(path: str, node: etree._Element) -> str:
    name = etree.QName(node)
    if name.namespace != XSD:
        raise ContractError(path, f"line {node.sourceline}: element {name.text}")
    return name.localname


def _check(path: str, node: etree._Element, tag: str) -> None:
    """Compare a node and all below it with the tables."""
    where = f"line {node.sourceline}: {tag}"
    if _tag(path, node) != tag:
        raise ContractError(path, f"{where} expected, found {etree.QName(node).text}")
    form = _FORMS[tag]
    attributes = {str(name) for name in node.attrib}
    for name in sorted(attributes - form.needed - form.allowed):
        raise ContractError(path, f"{where} with attribute {name}")
    for name in sorted(form.needed - attributes):
        raise ContractError(path, f"{where} without attribute {name}")
    for name, value in form.fixed.items():
        if node.get(name) != value:
            raise ContractError(path, f"{where} with {name} other than {value}")
    for child in node:
        below = _tag(path, child)
        if below not in form.children:
            raise ContractError(path, f"{where} holding {below}")
        _check(path, child, below)


def _children(node: etree._Element, tag: str) -> Iterator[etree._Element]:
    return node.iterchildren(f"{{{XSD}}}{tag}")


def _one(path: str, node: etree._Element, tag: str) -> etree._Element:
    found = list(_children(node, tag))
    if len(found) != 1:
        name = node.get("name")
        raise ContractError(path, f"{name}: {len(found)} times {tag} instead of once")
    return found[0]


def _documentation(node: etree._Element) -> str:
    texts = (
        (text.text or "")
        for note in _children(node, "annotation")
        for text in _children(note, "documentation")
    )
    return " ".join(" ".join(texts).split())


def _resolved(path: str, node: etree._Element, attribute: str) -> str:
    prefix, _, name = node.get(attribute, "").rpartition(":")
    space = node.nsmap.get(prefix or None)
    if space is None:
        raise ContractError(
            path, f"line {node.sourceline}: {attribute} without known prefix"
        )
    return f"{{{space}}}{name}"


def _number(path: str, node: etree._Element, attribute: str, absent: str = "") -> int:
    text = node.get(attribute, absent)
    if not (text.isascii() and text.isdigit()):
        tag = _tag(path, node)
        raise ContractError(path, f"line {node.sourceline}: {tag} {attribute}={text}")
    return int(text)


def _element(path: str, node: etree._Element, target: str) -> Element:
    return Element(
        name=f"{{{target}}}{node.get('name')}",
        type_name=_resolved(path, node, "type"),
        min_occurs=_number(path, node, "minOccurs", "1"),
        max_occurs=_number(path, node, "maxOccurs", "1"),
        documentation=_documentation(node),
    )


def _particle(path: str, node: etree._Element, target: str) -> Element | Choice:
    if _tag(path, node) == "element":
        return _element(path, node, target)
    members = tuple(
        _element(path, member, target) for member in _children(node, "element")
    )
    if any(member.min_occurs == 0 for member in members):
        raise ContractError(path, f"line {node.sourceline}: choice of nothing")
    return Choice(elements=members, documentation=_documentation(node))


def _complex_type(path: str, node: etree._Element, target: str) -> ComplexType:
    sequence = _one(path, node, "sequence")
    content = tuple(
        _particle(path, particle, target)
        for particle in sequence
        if _tag(path, particle) != "any"
    )
    complex_type = ComplexType(
        name=f"{{{target}}}{node.get('name')}",
        content=content,
        any_attribute=next(_children(node, "anyAttribute"), None) is not None,
        documentation=_documentation(node),
    )
    names = [element.name for element in complex_type.elements()]
    if len(names) != len(set(names)):
        raise ContractError(path, f"{complex_type.name}: two elements of one name")
    return complex_type


def _simple_type(path: str, node: etree._Element, target: str) -> _Unresolved:
    restriction = _one(path, node, "restriction")
    return _Unresolved(
        path=path,
        name=f"{{{target}}}{node.get('name')}",
        base=_resolved(path, restriction, "base"),
        facets=_facets(path, restriction),
        documentation=_documentation(node),
    )


def _facets(path: str, restriction: etree._Element) -> Facets:
    numbers: dict[str, int] = {}
    ranges: dict[str, str] = {}
    patterns: list[str] = []
    values: list[EnumerationValue] = []
    for node in restriction:
        tag = _tag(path, node)
        value = node.get("value", "")
        if tag == "enumeration":
            values.append(
                EnumerationValue(value=value, documentation=_documentation(node))
            )
        elif tag == "pattern":
            patterns.append(value)
        elif tag in _RANGE_FACETS:
            ranges[_RANGE_FACETS[tag]] = value
        else:
            numbers[_NUMBER_FACETS[tag]] = _number(path, node, "value")
    if len(patterns) > 1:
        # Several patterns of one step are alternatives; ours must all match.
        raise ContractError(path, f"line {restriction.sourceline}: several patterns")
    return Facets(
        enumeration=tuple(values),
        patterns=tuple(patterns),
        min_length=numbers.get("min_length"),
        max_length=numbers.get("max_length"),
        min_inclusive=ranges.get("min_inclusive"),
        max_inclusive=ranges.get("max_inclusive"),
        total_digits=numbers.get("total_digits"),
        fraction_digits=numbers.get("fraction_digits"),
    )
