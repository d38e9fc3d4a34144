"""Source of the record classes and of their writers.

A writer returns the content of an element as text. Runs of required simple fields
become one formatted string; prefixes are those bound on the root element.
"""

from __future__ import annotations

from collections.abc import Iterator

from clearinghouse.contract.model import ComplexType, Element, SchemaModel, SimpleType
from clearinghouse.soap.names import attribute_name, symbol, tag

_WRITERS = {
    "string": "write_text",
    "int": "write_integer",
    "long": "write_integer",
    "decimal": "write_decimal",
    "boolean": "write_boolean",
    "dateTime": "write_instant",
    "gYearMonth": "write_text",
    "base64Binary": "write_bytes",
}


def class_source(complex_type: ComplexType) -> str:
    """Return the source of the record class: slots and a keyword constructor."""
    elements = list(complex_type.elements())
    name = symbol(complex_type)
    slots = "".join(f"{attribute_name(element.name)!r}, " for element in elements)
    lines = [
        f"class {name}(Record):",
        f"    __slots__ = ({slots})",
        f"    TYPE = {complex_type.name!r}",
    ]
    if elements:
        required = _required_names(complex_type)
        parameters = ", ".join(_parameter(element, required) for element in elements)
        lines.append(f"    def __init__(self, *, {parameters}):")
        for element in elements:
            attribute = attribute_name(element.name)
            value = f"list({attribute})" if element.repeated else attribute
            lines.append(f"        self.{attribute} = {value}")
    return "\n".join([*lines, ""])


def _required_names(complex_type: ComplexType) -> frozenset[str]:
    return frozenset(
        particle.name
        for particle in complex_type.content
        if isinstance(particle, Element)
        and particle.min_occurs
        and not particle.repeated
    )


def _parameter(element: Element, required: frozenset[str]) -> str:
    attribute = attribute_name(element.name)
    if element.name in required:
        return attribute
    return f"{attribute}=()" if element.repeated else f"{attribute}=None"


def writer_source(complex_type: ComplexType, model: SchemaModel) -> str:
    """Return the source of ``write_<symbol>(r)``.

    Raises :class:`ValueError` for a builtin type that the compiler does not know.
    """
    required = _required_names(complex_type)
    lines = [f"def write_{symbol(complex_type)}(r):", '    s = ""']
    run: list[str] = []
    for element in complex_type.elements():
        if element.name in required:
            run.append(_wrapped(element, f"r.{attribute_name(element.name)}", model))
            continue
        lines += _flush(run)
        lines += (
            _several(element, model) if element.repeated else _maybe(element, model)
        )
    lines += _flush(run)
    if len(lines) > 2 and lines[2].startswith("    s += f"):  # noqa: PLR2004  # no empty start
        lines[1:3] = [lines[2].replace("s += f", "s = f", 1)]
    return "\n".join([*lines, "    return s", ""])


def _flush(run: list[str]) -> Iterator[str]:
    if run:
        yield f"    s += f'{''.join(run)}'"
        run.clear()


def _wrapped(element: Element, value: str, model: SchemaModel) -> str:
    """Return the element as a piece of a formatted string."""
    kind = model.type_of(element)
    if isinstance(kind, SimpleType):
        function = _WRITERS.get(kind.base)
        if function is None:
            raise ValueError(f"{kind.name}: no writer for xs:{kind.base}")
    else:
        function = f"write_{symbol(kind)}"
    name = tag(element.name)
    return f"<{name}>{{{function}({value})}}</{name}>"


def _maybe(element: Element, model: SchemaModel) -> Iterator[str]:
    yield f"    v = r.{attribute_name(element.name)}"
    yield "    if v is not None:"
    yield f"        s += f'{_wrapped(element, 'v', model)}'"


def _several(element: Element, model: SchemaModel) -> Iterator[str]:
    yield f"    v = r.{attribute_name(element.name)}"
    yield "    if v:"
    yield f"        s += ''.join([f'{_wrapped(element, 'x', model)}' for x in v])"
