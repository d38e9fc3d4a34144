"""Records of one shape: the schema judges the first, the others fit or do not.

A program writes all its records alike: the same elements under the same prefixes with
the same white space, and only the values differ. So of a record that parser and schema
took, a shape is made: its text, where in place of each value stands what the schema
lets stand there. A text that fits the shape is valid, for its structure is that of the
first and its values are what their types allow; and it is read without a parser, in a
fifth of the time. What does not fit says nothing: parser and schema judge it.

A shape belongs to one message, whose namespaces it takes as given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lxml import etree

from clearinghouse.contract.model import (
    ComplexType,
    Element,
    SchemaModel,
    SimpleType,
    local,
)
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.lexical import expression
from clearinghouse.soap.names import attribute_name, symbol
from clearinghouse.soap.readers import conversion

# The longest record of which a shape is made. Expressions are remembered beyond the
# message (512 of them by Python), so that this bounds what a sender can fill with them.
SHAPE_BYTES_MAX = 4_096

# The highest group that a reference of two digits may name.
_GROUP_MAX = 99

# A tag with no sign in its attributes that could end it early, and with a partner.
_TAG = re.compile(r"<(?P<end>/?)(?:[\w.-]+:)?(?P<name>[\w.-]+)(?:\s[^<>]*)?(?<!/)>")
_SPACE = re.compile(r"[ \t\r\n]*")


class Shape:
    """The form of a record, and the way from a text of that form to its values."""

    def __init__(
        self,
        match: Callable[[str, int], re.Match[str] | None],
        read: Callable[..., Record | None],
    ) -> None:
        self._match = match
        self._read = read

    def read(self, text: str, at: int) -> tuple[Record, int] | None:
        """Return the record that begins here, and where it ends.

        ``None`` when what stands here is not of this shape.
        """
        found = self._match(text, at)
        if found is None:
            return None
        try:
            record = self._read(*found.groups())
        except (ValueError, ArithmeticError):  # the 30th of February
            return None
        return None if record is None else (record, found.end())


class _OddError(Exception):
    """The record holds something of which no shape is made."""


def shape_of(
    text: str, element: etree._Element, known: Element, bindings: Bindings
) -> Shape | None:
    """Return the shape of a record; ``None`` for one that is not plain.

    ``text`` is what the parser read as ``element``, white space in front of it
    included; ``element`` is valid.
    """
    if len(text) > SHAPE_BYTES_MAX or not text.isascii():
        return None
    try:
        form = _Form(text, bindings.model)
        form.add(element, known)
        match = re.compile(form.pattern()).match
        # A value may be valid and yet not plain, as +5 is. Records like it never fit.
        if match(text) is None:
            return None
        structure = _Structure(bindings.model)
        result = structure.add(element, known)
    except _OddError:
        return None
    arguments = ", ".join(structure.arguments)
    lines = [f"def read({arguments}):", *structure.lines, f"    return {result}", ""]
    return Shape(match, bindings.compile("\n".join(lines), "read"))


class _Form:
    """A record's text on its way to an expression: element by element, in order."""

    def __init__(self, text: str, model: SchemaModel) -> None:
        self._text = text
        self._model = model
        self._at = 0
        self._parts = [_SPACE.pattern]
        self._groups = 0
        # The group of each instant of the sample, by its text and its type.
        self._instants: dict[tuple[str, str], int] = {}
        self._skip_space()
        self._written = self._at

    def pattern(self) -> str:
        """Return the expression; raises :class:`_OddError` when text is left over."""
        if self._at != len(self._text):
            raise _OddError
        return "".join([*self._parts, self._literal()])

    def add(self, element: etree._Element, known: Element) -> None:
        """Go through an element."""
        self._take_tag(element, "")
        kind = self._model.type_of(known)
        if isinstance(kind, SimpleType):
            self._take_value(element, kind)
        else:
            for child, known_child in _children(element, kind):
                self._skip_space()
                self.add(child, known_child)
            self._skip_space()
        self._take_tag(element, "/")

    def _take_tag(self, element: etree._Element, end: str) -> None:
        found = _TAG.match(self._text, self._at)
        if found is None or found["end"] != end:
            raise _OddError
        if found["name"] != local(str(element.tag)):
            raise _OddError
        self._at = found.end()

    def _take_value(self, element: etree._Element, kind: SimpleType) -> None:
        value = expression(kind)
        end = self._text.find("<", self._at)
        if value is None or self._text[self._at : end] != element.text:
            raise _OddError
        self._parts += [self._literal(), f"({self._again(value, kind, end)})"]
        self._at = self._written = end

    def _again(self, value: str, kind: SimpleType, end: int) -> str:
        """Return the expression for a value that may be there a second time.

        Parts of a record mostly fill the whole, and an instant that stood before need
        not be looked through again. The group is atomic: what follows decides nothing
        about the value, and a record that fits up to its end is not tried in all ways.
        """
        self._groups += 1
        if kind.base != "dateTime":
            return value
        before = self._instants.setdefault(
            (self._text[self._at : end], value), self._groups
        )
        if before == self._groups or before > _GROUP_MAX:
            return value
        return rf"(?>\{before}(?=<)|{value})"

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _literal(self) -> str:
        return re.escape(self._text[self._written : self._at])


class _Structure:
    """A record's elements on their way to source that makes it of its values."""

    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self.arguments: list[str] = []
        self.lines: list[str] = []
        self._records = 0
        # The argument and the value of each instant of the sample, by its text.
        self._instants: dict[str, tuple[str, str]] = {}

    def add(self, element: etree._Element, known: Element) -> str:
        """Go through an element; return the expression for what it holds."""
        kind = self._model.type_of(known)
        return (
            self._value(kind, element.text or "")
            if isinstance(kind, SimpleType)
            else self._record(element, kind)
        )

    def _record(self, element: etree._Element, kind: ComplexType) -> str:
        self._records += 1
        record = f"r{self._records}"
        held: dict[str, list[str]] = {one.name: [] for one in kind.elements()}
        for child, known in _children(element, kind):
            held[known.name].append(self.add(child, known))
        self.lines.append(f"    {record} = new({symbol(kind)})")
        for known in kind.elements():
            values = held[known.name]
            if known.repeated:
                value = f"[{', '.join(values)}]"
            else:
                value = values[0] if values else "None"
            self.lines.append(f"    {record}.{attribute_name(known.name)} = {value}")
        return record

    def _value(self, kind: SimpleType, written: str) -> str:
        text = f"t{len(self.arguments)}"
        self.arguments.append(text)
        value = conversion(kind, text)
        low, high = kind.facets.min_inclusive, kind.facets.max_inclusive
        if low is None and high is None:
            is_instant = kind.base == "dateTime"
            return self._instant(written, text, value) if is_instant else value
        checked = f"v{len(self.arguments)}"
        self.lines.append(f"    {checked} = {value}")
        for bound, sign in ((low, "<"), (high, ">")):
            if bound is not None:
                self.lines += [
                    f"    if {checked} {sign} {int(bound)}:",
                    "        return None",
                ]
        return checked

    def _instant(self, written: str, text: str, value: str) -> str:
        """Read an instant once, where the same one stands in several places."""
        known = f"v{len(self.arguments)}"
        first_text, first = self._instants.setdefault(written, (text, known))
        if first != known:
            value = f"{first} if {text} == {first_text} else {value}"
        self.lines.append(f"    {known} = {value}")
        return known


def _children(
    element: etree._Element, kind: ComplexType
) -> Iterator[tuple[etree._Element, Element]]:
    """Give the children with what the schema says of them."""
    known = {one.name: one for one in kind.elements()}
    for child in element:
        found = known.get(str(child.tag))
        if found is None:
            raise _OddError
        yield child, found
