"""Bindings: records, readers and writers compiled from the schemas at start.

The contract's XSD files are the only source. Source code is generated, one class,
one reader and one writer per complex type, and executed once; ``dump()`` shows it
for review. A construct that the compiler does not know stops the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import ComplexType, Element, SchemaModel, SimpleType
from clearinghouse.soap import values
from clearinghouse.soap.names import class_key, prefix, symbol, tag
from clearinghouse.soap.readers import reader_source
from clearinghouse.soap.writers import WriterSource, class_source

_MARKUP: Final = "utf-8"


class Record:
    """A message, or a part of one: one attribute per element, in snake case.

    A repeated element is a list, an absent one is ``None``. Its ``repr`` names the
    fields that are set and never shows a value: values may be personal data.
    """

    __slots__: tuple[str, ...] = ()
    TYPE: str = ""

    if TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None: ...  # noqa: ANN401  # by schema
        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401  # by schema
        def __setattr__(self, name: str, value: Any) -> None: ...  # noqa: ANN401

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or other.TYPE != self.TYPE:
            return NotImplemented
        return all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        names = ", ".join(
            name
            for name in self.__slots__
            if getattr(self, name, None) not in (None, [])
        )
        return f"<{self.__class__.__name__} {names}>"


Reader = Callable[[etree._Element], Record]  # noqa: SLF001  # lxml's only name for it


class _End:
    """Stands behind the last child; its tag equals no element's."""

    tag = None
    text = None


class Bindings:
    """All record classes of a contract, with their readers and writers."""

    def __init__(self, model: SchemaModel) -> None:
        """Compile the model.

        Raises :class:`ValueError` when a type uses what the compiler does not know.
        """
        self.model = model
        self._source = _source(model)
        space: dict[str, Any] = {
            "Record": Record,
            "new": object.__new__,
            "END": _End(),
            "Decimal": Decimal,
            **{name: getattr(values, name) for name in dir(values) if "_" in name[1:]},
        }
        exec(compile(self._source, "<bindings>", "exec"), space)  # noqa: S102  # own source
        self._space = space
        types = list(_complex_types(model))
        self.classes: Mapping[str, type[Record]] = MappingProxyType(
            {class_key(kind): space[symbol(kind)] for kind in types}
        )
        self._readers: dict[str, Reader] = {}
        self._writers: dict[str, tuple[str, str, Callable[[Record], str]]] = {}
        self._element_of: dict[str, str] = {}
        for element in model.elements.values():
            self._bind(element, space)

    @classmethod
    def of(cls, contract: Contract) -> Bindings:
        """Return the bindings of a contract, which are compiled once.

        Raises as the construction does.
        """
        return contract.once(_bindings)

    def _bind(self, element: Element, space: dict[str, Any]) -> None:
        kind = self.model.type_of(element)
        if isinstance(kind, SimpleType):
            raise TypeError(f"{element.name}: a global element of a simple type")
        name = tag(element.name)
        spaces = sorted(_prefixes(kind, self.model) | {_space(element.name)})
        bound = "".join(f' xmlns:{short}="{uri}"' for short, uri in spaces)
        self._readers[element.name] = space[f"read_{symbol(kind)}"]
        self._writers[element.name] = (
            f"<{name}{bound}>",
            f"</{name}>",
            space[f"write_{symbol(kind)}"],
        )
        # A type with two elements has no element of its own.
        known = kind.name in self._element_of
        self._element_of[kind.name] = "" if known else element.name

    def new(self, name: str, /, **fields: Any) -> Record:  # noqa: ANN401  # by schema
        """Return a new record of the class, as in ``new("sdr:GetSdrsResponse", ...)``.

        Raises :class:`KeyError` for an unknown class, :class:`TypeError` for an
        unknown field or a missing required one.
        """
        return self.classes[name](**fields)

    def read(self, element: etree._Element) -> Record:
        """Return the record of a valid global element.

        Raises :class:`KeyError` for an element that is none of the contract's.
        """
        return self._readers[str(element.tag)](element)

    def reader(self, name: str) -> Reader:
        """Return the reader of a global element, by its Clark name."""
        return self._readers[name]

    def write(self, record: Record, element: str | None = None) -> bytes:
        """Return the element with the record as its content, in UTF-8.

        ``element`` is a Clark name; it may be left out when the record's type
        belongs to one global element only. Raises :class:`KeyError` when it does
        not, :class:`TypeError` or :class:`ValueError` for a value of the wrong type.
        """
        opening, closing, content = self._writers[element or self.element_of(record)]
        return f"{opening}{content(record)}{closing}".encode(_MARKUP)

    def element_of(self, record: Record) -> str:
        """Return the global element of a record, as a Clark name.

        Raises :class:`KeyError` when its type belongs to none, or to several.
        """
        element = self._element_of[record.TYPE]
        if not element:
            raise KeyError(record.TYPE)
        return element

    def compile(self, source: str, name: str) -> Callable[..., Any]:
        """Return a function of generated source, for which the classes have names."""
        space = dict(self._space)
        exec(compile(source, "<bindings>", "exec"), space)  # noqa: S102  # own source
        made: Callable[..., Any] = space[name]
        return made

    def dump(self) -> str:
        """Return the generated source."""
        return self._source


def _bindings(contract: Contract) -> Bindings:
    return Bindings(contract.model)


def _complex_types(model: SchemaModel) -> Iterator[ComplexType]:
    for kind in model.types.values():
        if isinstance(kind, ComplexType):
            yield kind


def _source(model: SchemaModel) -> str:
    symbols: dict[str, str] = {}
    parts = []
    for kind in _complex_types(model):
        name = symbol(kind)
        if symbols.setdefault(name, kind.name) != kind.name:
            raise ValueError(f"{kind.name}: another type has the same Python name")
        attributes = [element.name for element in kind.elements()]
        if len(set(attributes)) != len(attributes):
            raise ValueError(f"{kind.name}: an element stands in two places")
        parts += [
            class_source(kind),
            reader_source(kind, model),
            WriterSource(kind, model).text(),
        ]
    return "\n".join(parts)


def _space(name: str) -> tuple[str, str]:
    return prefix(name), name[1:].partition("}")[0]


def _prefixes(kind: ComplexType, model: SchemaModel) -> frozenset[tuple[str, str]]:
    """Return all prefixes that the content of a type needs."""
    found: set[tuple[str, str]] = set()
    waiting, seen = [kind], {kind.name}
    while waiting:
        for element in waiting.pop().elements():
            found.add(_space(element.name))
            inner = model.type_of(element)
            if isinstance(inner, ComplexType) and inner.name not in seen:
                seen.add(inner.name)
                waiting.append(inner)
    return frozenset(found)
