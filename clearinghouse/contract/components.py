"""The components of a schema that our contract is made of.

Elements, complex types and simple types as they stand in ``xsd/``, with names
resolved and every simple type traced to a builtin one. They are few on purpose
(sequence, one level of choice, restriction): whatever else a file may hold stops
the start, see :mod:`clearinghouse.contract.reader`.

Names are Clark names, as in lxml: ``{namespace}local``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

XSD = "http://www.w3.org/2001/XMLSchema"

# Builtin types that the authored files may use, directly or by restriction.
BUILTINS = (
    "string",
    "int",
    "long",
    "decimal",
    "boolean",
    "dateTime",
    "gYearMonth",
    "base64Binary",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumerationValue:
    """One allowed value and what it means."""

    value: str
    documentation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """The bounds of a simple type; ``None`` and empty mean: not given.

    Bounds of a derived type are joined with those of its base, the derived one
    winning. Ranges are the lexical values; ``patterns`` must all match.
    """

    enumeration: tuple[EnumerationValue, ...] = ()
    patterns: tuple[str, ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    min_inclusive: str | None = None
    max_inclusive: str | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleType:
    """A simple type, resolved to the ``base`` among :data:`BUILTINS`."""

    name: str
    base: str
    facets: Facets = field(default_factory=Facets)
    documentation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element: global, or a particle of a complex type.

    ``type_name`` is a key of :attr:`SchemaModel.types`; builtin types are there
    too, under the name of the schema language.
    """

    name: str
    type_name: str
    min_occurs: int = 1
    max_occurs: int = 1
    documentation: str = ""

    @property
    def local_name(self) -> str:
        """Return the name without its namespace."""
        return local(self.name)

    @property
    def repeated(self) -> bool:
        """Tell whether the element may stand more than once."""
        return self.max_occurs > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Exactly one of some elements, which may itself be repeated."""

    elements: tuple[Element, ...]
    documentation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplexType:
    """A sequence of elements and choices, in the order of the schema.

    ``any_attribute`` is true for the header alone: attributes of SOAP and
    WS-Security are let through and not read.
    """

    name: str
    content: tuple[Element | Choice, ...]
    any_attribute: bool = False
    documentation: str = ""

    @property
    def class_name(self) -> str:
        """Return the local name without the ending ``Type``.

        All type names of the contract end so, in order that no two names differ
        only by case; a class for the type needs no such ending.
        """
        return local(self.name).removesuffix("Type")

    def elements(self) -> Iterator[Element]:
        """Yield all elements in order, those of choices among them."""
        for particle in self.content:
            if isinstance(particle, Choice):
                yield from particle.elements
            else:
                yield particle


def builtin_types() -> Mapping[str, SimpleType]:
    """Return the builtin types as members of the model."""
    return MappingProxyType(
        {
            f"{{{XSD}}}{name}": SimpleType(name=f"{{{XSD}}}{name}", base=name)
            for name in BUILTINS
        }
    )


def local(name: str) -> str:
    """Return a Clark name without its namespace."""
    return name.rpartition("}")[2]


def namespace(name: str) -> str:
    """Return the namespace of a Clark name, empty where it has none."""
    return name.rpartition("}")[0].removeprefix("{")
