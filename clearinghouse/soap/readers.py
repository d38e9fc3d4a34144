"""Source of the readers: one function per complex type, driven by its sequence.

A reader runs over the children of a valid element in the order of the schema. A
required element needs no look at its name; only optional and repeated ones do.
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

# Python expression for the text of the child ``c``, by builtin type.
_CONVERSIONS = {
    "string": "c.text or ''",
    "int": "int(c.text)",
    "long": "int(c.text)",
    "decimal": "Decimal(c.text)",
    "boolean": "read_boolean(c.text)",
    "dateTime": "read_instant(c.text)",
    "gYearMonth": "c.text.strip()",
    "base64Binary": "read_bytes(c.text)",
}


def reader_source(complex_type: ComplexType, model: SchemaModel) -> str:
    """Return the source of ``read_<symbol>(e)``.

    Raises :class:`ValueError` for a builtin type that the compiler does not know.
    """
    name = symbol(complex_type)
    lines = [f"def read_{name}(e):", f"    r = new({name})"]
    elements = list(complex_type.elements())
    if not elements:
        return "\n".join([*lines, "    return r", ""])
    lines += ["    i = iter(e)", "    c = next(i, END)"]
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
    return "\n".join([*lines, "    return r", ""])


def _expression(element: Element, model: SchemaModel) -> str:
    kind = model.type_of(element)
    if isinstance(kind, ComplexType):
        return f"read_{symbol(kind)}(c)"
    return conversion(kind)


def conversion(kind: SimpleType) -> str:
    """Return the expression that turns the text of ``c`` into a value."""
    expression = _CONVERSIONS.get(kind.base)
    if expression is None:
        raise ValueError(f"{kind.name}: no reader for xs:{kind.base}")
    facets = kind.facets
    if kind.base == "string" and (facets.enumeration or facets.min_length):
        return "c.text"
    return expression


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
