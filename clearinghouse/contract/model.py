"""The typed model of all our schemas: what a compiler of bindings has to know.

``SchemaModel.read`` is called once, while the server starts. Names are Clark
names, as in lxml: ``{namespace}local``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from clearinghouse.contract.components import (
    BUILTINS,
    XSD,
    Choice,
    ComplexType,
    Element,
    EnumerationValue,
    Facets,
    SimpleType,
    builtin_types,
    local,
    namespace,
)
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.contract.reader import SchemaReader

__all__ = [
    "BUILTINS",
    "XSD",
    "Choice",
    "ComplexType",
    "Element",
    "EnumerationValue",
    "Facets",
    "SchemaModel",
    "SimpleType",
    "local",
    "namespace",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaModel:
    """All global elements and all types of the authored schemas, by Clark name.

    The builtin types in use are members of ``types`` too, so that every element
    finds its type there.
    """

    elements: Mapping[str, Element]
    types: Mapping[str, ComplexType | SimpleType]

    @classmethod
    def read(cls, authored: AuthoredFiles) -> SchemaModel:
        """Read all schemas.

        Raises :class:`clearinghouse.contract.errors.ContractError`, with the file
        and the construct, on whatever the model has no word for.
        """
        reader = SchemaReader(authored)
        for name in authored.names("xsd"):
            reader.read(name)
        return cls(
            elements=MappingProxyType(reader.elements),
            types=MappingProxyType({**builtin_types(), **reader.resolve()}),
        )

    def type_of(self, element: Element) -> ComplexType | SimpleType:
        """Return the type of an element; every element of the model has one."""
        return self.types[element.type_name]
