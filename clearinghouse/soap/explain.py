"""What is wrong with an invalid message, in the words of our own schema.

Validation itself is libxml2's work. Only for a message that it refused, this module
walks the tree along the model and names every fault: where, and what the schema asks
for. Its paths and words come from our files; no value of the message, no name that
is not ours and no text of a library is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree

from clearinghouse.contract.catalogue import EXCHANGE_HEADER, Contract
from clearinghouse.contract.model import (
    XSD,
    Choice,
    ComplexType,
    Element,
    SchemaModel,
    SimpleType,
    local,
    namespace,
)
from clearinghouse.soap.envelope import Envelope
from clearinghouse.soap.facets import found_in, is_readable, wanted
from clearinghouse.soap.faults import FAULT_ITEMS_MAX, FaultItem
from clearinghouse.soap.parser import XSI
from clearinghouse.soap.validation import Validator, generated, target_namespaces

MISSING = "A required element is missing."
UNEXPECTED = "An element stands here that the schema does not expect."
TOO_MANY = "The element occurs too often."
VALUE = "The value has not the form that the schema asks for."
ATTRIBUTE = "An attribute stands here that the schema does not expect."
TEXT = "Text stands between elements."
CHILDREN = "Elements stand where only a value may stand."
OTHER = "The message does not follow the schema."

# Hints for parsers; they change nothing and every schema allows them.
_HINTS = frozenset({f"{XSI}schemaLocation", f"{XSI}noNamespaceSchemaLocation"})
# The element that carries a value to be checked, one per simple type.
_PROBES = "urn:clearinghouse:probe"


class Explainer:
    """Names the faults of invalid elements of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._model: SchemaModel = contract.model
        self._values = _value_validator(contract)
        self._probe_of = {
            name: f"{{{_PROBES}}}t{number}"
            for number, name in enumerate(sorted(_simple_types(contract.model)))
        }

    def envelope(self, envelope: Envelope) -> list[FaultItem]:
        """Name the faults of the exchange header and of the element in the Body."""
        walk = _Walk(self)
        for block in envelope.blocks:
            if block.tag == EXCHANGE_HEADER:
                walk.element(block, self._model.elements[EXCHANGE_HEADER], "/Header")
        walk.element(envelope.body, self._model.elements[str(envelope.body.tag)], "")
        return walk.items or [
            FaultItem(text=OTHER, path=f"/{local(str(envelope.body.tag))}")
        ]

    def element(
        self, element: etree._Element, index: int | None = None
    ) -> list[FaultItem]:
        """Name the faults of one global element; ``index`` is its place in a list."""
        walk = _Walk(self, index)
        known = self._model.elements[str(element.tag)]
        walk.element(element, known, "")
        return walk.items or [
            FaultItem(text=OTHER, path=f"/{known.local_name}", index=index)
        ]

    def type_of(self, element: Element) -> ComplexType | SimpleType:
        """Return the type of an element of the model."""
        return self._model.type_of(element)

    def accepts(self, kind: SimpleType, text: str) -> bool:
        """Whether the schema accepts a text as a value of the type."""
        probe = etree.Element(self._probe_of[kind.name])
        probe.text = text
        return self._values.accepts(probe)


class _FullError(Exception):
    """The answer holds as many items as it may."""


class _Walk:
    """One walk over an invalid element."""

    def __init__(self, schema: Explainer, index: int | None = None) -> None:
        self.items: list[FaultItem] = []
        self._schema = schema
        self._index = index

    def element(self, element: etree._Element, known: Element, parent: str) -> None:
        """Collect the faults of the element and of everything in it."""
        try:
            self._element(element, known, f"{parent}/{known.local_name}", self._index)
        except _FullError:
            return

    def _report(
        self,
        text: str,
        path: str,
        index: int | None,
        *,
        expected: str = "",
        found: str = "",
    ) -> None:
        self.items.append(
            FaultItem(text=text, path=path, expected=expected, found=found, index=index)
        )
        if len(self.items) >= FAULT_ITEMS_MAX:
            raise _FullError

    def _element(
        self, element: etree._Element, known: Element, path: str, index: int | None
    ) -> None:
        kind = self._schema.type_of(known)
        free = isinstance(kind, ComplexType) and kind.any_attribute
        for name in element.attrib:
            if str(name) in _HINTS or (free and _is_foreign(str(name))):
                continue
            self._report(ATTRIBUTE, path, index, expected="no attribute")
        if isinstance(kind, SimpleType):
            self._value(element, kind, path, index)
        else:
            self._content(element, kind, path, index)

    def _value(
        self, element: etree._Element, kind: SimpleType, path: str, index: int | None
    ) -> None:
        if len(element):
            self._report(CHILDREN, path, index, expected=wanted(kind))
            return
        text = element.text or ""
        if not self._schema.accepts(kind, text):
            found = found_in(kind, text)
            self._report(VALUE, path, index, expected=wanted(kind), found=found)
        elif not is_readable(kind, text):
            self._report(VALUE, path, index, expected=wanted(kind))

    def _content(
        self, element: etree._Element, kind: ComplexType, path: str, index: int | None
    ) -> None:
        children = list(element)
        texts = [element.text, *(child.tail for child in children)]
        if any(text and not text.isspace() for text in texts):
            self._report(TEXT, path, index, expected="elements only")
        position = 0
        for place, particle in enumerate(kind.content):
            rest = _names(kind.content[place:])
            while position < len(children) and children[position].tag not in rest:
                self._unexpected(children[position], kind.content[place:], path, index)
                position += 1
            position = self._particle(children, position, particle, path, index)
        for child in children[position:]:
            self._unexpected(child, (), path, index)

    def _particle(
        self,
        children: list[etree._Element],
        position: int,
        particle: Element | Choice,
        path: str,
        index: int | None,
    ) -> int:
        """Follow one particle and return where the next begins."""
        options = (particle,) if isinstance(particle, Element) else particle.elements
        tag = children[position].tag if position < len(children) else None
        chosen = next((option for option in options if option.name == tag), None)
        if chosen is None:
            self._absent(particle, path, index)
            return position
        start = position
        while position < len(children) and children[position].tag == chosen.name:
            position += 1
        if position - start > chosen.max_occurs:
            self._report(
                TOO_MANY,
                f"{path}/{chosen.local_name}",
                index,
                expected=f"at most {chosen.max_occurs}",
                found=f"{position - start}",
            )
        for number in range(min(position - start, chosen.max_occurs)):
            inner = f"{path}/{chosen.local_name}"
            place = index
            if chosen.repeated:
                inner += f"[{number + 1}]"
                place = number if index is None else index
            self._element(children[start + number], chosen, inner, place)
        return position

    def _absent(self, particle: Element | Choice, path: str, index: int | None) -> None:
        if isinstance(particle, Choice):
            options = ", ".join(option.local_name for option in particle.elements)
            self._report(MISSING, path, index, expected=f"one of {options}")
        elif particle.min_occurs:
            inner = f"{path}/{particle.local_name}"
            self._report(MISSING, inner, index, expected="required element")

    def _unexpected(
        self,
        child: etree._Element,
        rest: Sequence[Element | Choice],
        path: str,
        index: int | None,
    ) -> None:
        options = list(_elements(rest))
        for option in options:
            if option.local_name == local(str(child.tag)):
                expected = f"namespace {namespace(option.name)}"
                inner = f"{path}/{option.local_name}"
                self._report(UNEXPECTED, inner, index, expected=expected)
                return
        names = ", ".join(option.local_name for option in options)
        expected = f"one of {names}" if names else "no further element"
        self._report(UNEXPECTED, path, index, expected=expected)


def _elements(particles: Sequence[Element | Choice]) -> Iterator[Element]:
    for particle in particles:
        if isinstance(particle, Choice):
            yield from particle.elements
        else:
            yield particle


def _names(particles: Sequence[Element | Choice]) -> frozenset[str]:
    return frozenset(element.name for element in _elements(particles))


def _is_foreign(name: str) -> bool:
    """Whether an attribute has a namespace that is not the schema's own."""
    space = namespace(name)
    return bool(space) and space != XSI[1:-1] and space != namespace(EXCHANGE_HEADER)


def _simple_types(model: SchemaModel) -> frozenset[str]:
    return frozenset(
        name for name, kind in model.types.items() if isinstance(kind, SimpleType)
    )


def _value_validator(contract: Contract) -> Validator:
    """Return a validator with one probe element for each simple type."""
    names = sorted(_simple_types(contract.model))
    spaces = sorted({namespace(name) for name in names})
    files = target_namespaces(contract)
    bound = "".join(f' xmlns:n{number}="{uri}"' for number, uri in enumerate(spaces))
    imports = "".join(
        f'<xs:import namespace="{uri}" schemaLocation="{files[uri]}.xsd"/>'
        for uri in spaces
        if uri != XSD
    )
    elements = "".join(
        f'<xs:element name="t{number}"'
        f' type="n{spaces.index(namespace(name))}:{local(name)}"/>'
        for number, name in enumerate(names)
    )
    text = (
        f'<xs:schema xmlns:xs="{XSD}"{bound} targetNamespace="{_PROBES}">'
        f"{imports}{elements}</xs:schema>"
    )
    return generated(contract, "probes", text)
