"""Source of the readers: one function per complex type, driven by its sequence.

A reader runs over the children of a valid element in the order of the schema. A
required element needs no look at its name; only optional and repeated ones do, and
the number of children may tell which of the optional ones there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from clearinghouse.contract.model import (
    Choice,
    ComplexType,
    Element,
    SchemaModel,
    SimpleType,
)
from clearinghouse.soap.names import attribute_name, symbol

# Python expression for a value, by builtin type; ``{}`` is the text of an element.
_CONVERSIONS = {
    "string": "{} or ''",
    "int": "int({})",
    "long": "int({})",
    "decimal": "Decimal({})",
    "boolean": "read_boolean({})",
    "dateTime": "read_instant({})",
    "gYearMonth": "{}.strip()",
    "base64Binary": "read_bytes({})",
}


def reader_source(complex_type: ComplexType, model: SchemaModel) -> str:
    """Return the source of ``read_<symbol>(e)``.

    Raises :class:`ValueError` for a builtin type that the compiler does not know.
    """
    name = symbol(complex_type)
    lines = [f"def read_{name}(e):", f"    r = new({name})"]
    elements = [one for one in complex_type.content if isinstance(one, Element)]
    required = [element for element in elements if element.min_occurs]
    if len(elements) < len(complex_type.content) or any(e.repeated for e in elements):
        lines += ["    i = iter(e)", *_in_order(complex_type, model)]
        return "\n".join([*lines, "    return r", ""])
    lines.append("    s = e[:]")
    if required == elements:
        return "\n".join([*lines, *_at_once(elements, elements, model), ""])
    # Mostly all children are there, or only those that must be. Their number tells
    # that, and spares a look at each name.
    for present in (elements, required):
        lines.append(f"    if len(s) == {len(present)}:")
        lines += [f"    {line}" for line in _at_once(elements, present, model)]
    lines += ["    i = iter(s)", *_in_order(complex_type, model)]
    return "\n".join([*lines, "    return r", ""])


def _at_once(
    elements: list[Element], present: list[Element], model: SchemaModel
) -> Iterator[str]:
    """Read the children ``s`` of a sequence, when those ``present`` are there."""
    children = {element.name: f"c{n}" for n, element in enumerate(present)}
    if children:
        yield f"    {', '.join(children.values())}, = s"
    for element in elements:
        child = children.get(element.name)
        value = _expression(element, model, child) if child else None
        yield f"    r.{attribute_name(element.name)} = {value}"
    yield "    return r"


def _in_order(complex_type: ComplexType, model: SchemaModel) -> list[str]:
    """Read one child after the other, each by its name where that is open."""
    lines = ["    c = next(i, END)"]
    for particle in complex_type.content:
        if isinstance(particle, Choice):
            for element in particle.elements:
                lines += _optional(element, model)
        elif particle.repeated:
            lines += _repeated(particle, model)
        elif particle.min_occurs == 0:
            lines += _optional(particle, model)
        else:
            lines += _required(particle, model)
    # The last step forward has nobody who looks at it.
    if lines[-1] == "    c = next(i, END)":
        lines.pop()
    return lines


def _expression(element: Element, model: SchemaModel, child: str = "c") -> str:
    kind = model.type_of(element)
    if isinstance(kind, ComplexType):
        return f"read_{symbol(kind)}({child})"
    return conversion(kind, f"{child}.text")


def conversion(kind: SimpleType, text: str) -> str:
    """Return the expression that turns ``text``, an expression too, into a value."""
    expression = _CONVERSIONS.get(kind.base)
    if expression is None:
        raise ValueError(f"{kind.name}: no reader for xs:{kind.base}")
    facets = kind.facets
    if kind.base == "string" and (facets.enumeration or facets.min_length):
        return text
    return expression.format(text)


def _required(element: Element, model: SchemaModel) -> Iterator[str]:
    yield f"    r.{attribute_name(element.name)} = {_expression(element, model)}"
    yield "    c = next(i, END)"


def _optional(element: Element, model: SchemaModel) -> Iterator[str]:
    if element.repeated:
        yield from _repeated(element, model)
        return
    attribute = attribute_name(element.name)
    yield f"    if c.tag == {element.name!r}:"
    yield f"        r.{attribute} = {_expression(element, model)}"
    yield "        c = next(i, END)"
    yield "    else:"
    yield f"        r.{attribute} = None"


def _repeated(element: Element, model: SchemaModel) -> Iterator[str]:
    attribute = attribute_name(element.name)
    yield f"    r.{attribute} = v = []"
    yield f"    while c.tag == {element.name!r}:"
    yield f"        v.append({_expression(element, model)})"
    yield "        c = next(i, END)"
