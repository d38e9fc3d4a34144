"""Source of the record classes and of their writers.

A writer returns the content of an element as text. Runs of required simple fields
become one formatted string, a value of an enumeration is looked up as a ready
element, and prefixes are those bound on the root element.
"""

from __future__ import annotations

from clearinghouse.contract.model import ComplexType, Element, SchemaModel, SimpleType
from clearinghouse.soap.names import attribute_name, symbol, tag

# What stands between the braces of a formatted string, by builtin type.
_WRITERS = {
    "string": "write_text({})",
    "int": "{}:d",
    "long": "{}:d",
    "decimal": "write_decimal({})",
    "boolean": "write_boolean({})",
    "dateTime": "write_instant({})",
    "gYearMonth": "write_text({})",
    "base64Binary": "write_bytes({})",
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


class WriterSource:
    """The source of ``write_<symbol>(r)``, and the tables of elements it looks up."""

    def __init__(self, complex_type: ComplexType, model: SchemaModel) -> None:
        """Write the source.

        Raises :class:`ValueError` for a builtin type that the compiler does not know.
        """
        self._model = model
        self._name = symbol(complex_type)
        self._tables: list[str] = []
        required = _required_names(complex_type)
        self._pieces = [
            self._piece(element, f"r.{attribute_name(element.name)}")
            if element.name in required
            else self._optional(element)
            for element in complex_type.elements()
        ]

    def text(self) -> str:
        """Return the source: one formatted string, however long."""
        lines = [f"    f'{piece}'" for piece in self._pieces] or ["    ''"]
        function = [f"def write_{self._name}(r):", "    return (", *lines, "    )"]
        return "\n".join([*self._tables, *function, ""])

    def _piece(self, element: Element, value: str) -> str:
        """Return the element as a piece of a formatted string."""
        kind = self._model.type_of(element)
        name = tag(element.name)
        if isinstance(kind, ComplexType):
            return f"<{name}>{{write_{symbol(kind)}({value})}}</{name}>"
        if kind.facets.enumeration:
            return f"{{{self._table(element, kind)}[{value}]}}"
        expression = _WRITERS.get(kind.base)
        if expression is None:
            raise ValueError(f"{kind.name}: no writer for xs:{kind.base}")
        return f"<{name}>{{{expression.format(value)}}}</{name}>"

    def _table(self, element: Element, kind: SimpleType) -> str:
        """Return the name of a table with an element for each enumerated value."""
        table = f"{self._name}_{attribute_name(element.name)}".upper()
        name = tag(element.name)
        entries = ", ".join(
            f"{one.value!r}: {f'<{name}>{one.value}</{name}>'!r}"
            for one in kind.facets.enumeration
        )
        self._tables.append(f"{table} = {{{entries}}}")
        return table

    def _optional(self, element: Element) -> str:
        value = f"r.{attribute_name(element.name)}"
        if element.repeated:
            each = f'f"{self._piece(element, "x")}"'
            return f'{{"".join([{each} for x in {value}]) if {value} else ""}}'
        piece = f'f"{self._piece(element, "v")}"'
        return f'{{"" if (v := {value}) is None else {piece}}}'
