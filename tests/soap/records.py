"""Strategies for records: any message that the schema allows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st

from clearinghouse.contract.model import (
    Choice,
    ComplexType,
    Element,
    SchemaModel,
    SimpleType,
)
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.names import attribute_name, class_key
from clearinghouse.texts import is_readable

# Lists in examples are short; the bound of a list has tests of its own.
LIST_MAX = 3
_MINUTES = st.integers(-14 * 60, 14 * 60)


def _texts(kind: SimpleType) -> st.SearchStrategy[str]:
    facets = kind.facets
    if facets.enumeration:
        return st.sampled_from([one.value for one in facets.enumeration])
    (pattern,) = facets.patterns or (r"\P{Cc}{0,20}",)
    if "\\P{Cc}" in pattern or "\\p{Cc}" in pattern:
        # Everything that XML can carry but the control characters, or but whatever
        # a text for people may not hold.
        characters = st.characters(
            exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"
        )
        return st.text(
            characters if "\\P{Cc}" in pattern else characters.filter(is_readable),
            min_size=facets.min_length or 0,
            max_size=facets.max_length or 20,
        )
    # White space of the schema language is four characters; that of Python is more.
    pattern = pattern.replace("\\s", " \\t\\n\\r")
    low, high = facets.min_length or 0, facets.max_length or 1_000
    return st.from_regex(pattern, fullmatch=True).filter(
        lambda text: low <= len(text) <= high
    )


def _integers(kind: SimpleType) -> st.SearchStrategy[int]:
    bits = 31 if kind.base == "int" else 63
    low, high = kind.facets.min_inclusive, kind.facets.max_inclusive
    return st.integers(
        int(low) if low is not None else -(2**bits),
        int(high) if high is not None else 2**bits - 1,
    )


def _decimals(kind: SimpleType) -> st.SearchStrategy[Decimal]:
    facets = kind.facets
    places = facets.fraction_digits if facets.fraction_digits is not None else 6
    digits = facets.total_digits or 18
    low = Decimal(facets.min_inclusive or -(10 ** (digits - places)) + 1)
    high = Decimal(facets.max_inclusive or 10 ** (digits - places) - 1)
    return st.decimals(low, high, places=places, allow_nan=False, allow_infinity=False)


def _instants(_kind: SimpleType) -> st.SearchStrategy[datetime]:
    def moved(naive: datetime, minutes: int) -> datetime:
        zone = timezone(timedelta(minutes=minutes)) if minutes else UTC
        return naive.replace(tzinfo=zone)

    naive = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 31))  # noqa: DTZ001  # the zone is drawn apart
    return st.builds(moved, naive, _MINUTES)


_SIMPLE: dict[str, Callable[[SimpleType], st.SearchStrategy[object]]] = {
    "string": _texts,
    "gYearMonth": _texts,
    "int": _integers,
    "long": _integers,
    "decimal": _decimals,
    "dateTime": _instants,
    "boolean": lambda _kind: st.booleans(),
    "base64Binary": lambda _kind: st.binary(max_size=50),
}


class Records:
    """Strategies for the record classes of a contract."""

    def __init__(self, model: SchemaModel, bindings: Bindings) -> None:
        self._model = model
        self._bindings = bindings
        self.of = cache(self._of)

    def _of(self, kind: ComplexType) -> st.SearchStrategy[Record]:
        fields: dict[str, st.SearchStrategy[object]] = {}
        choices: list[Choice] = []
        for particle in kind.content:
            if isinstance(particle, Choice):
                choices.append(particle)
            else:
                fields[attribute_name(particle.name)] = self._field(particle)
        picked = [
            st.one_of(*(self._picked(element) for element in choice.elements))
            for choice in choices
        ]

        def made(values: dict[str, object], *chosen: tuple[str, object]) -> Record:
            return self._bindings.new(class_key(kind), **values, **dict(chosen))

        return st.builds(made, st.fixed_dictionaries(fields), *picked)

    def _picked(self, element: Element) -> st.SearchStrategy[tuple[str, object]]:
        value = self._field(element)
        return value.map(lambda one: (attribute_name(element.name), one))

    def _value(self, element: Element) -> st.SearchStrategy[object]:
        kind = self._model.type_of(element)
        if isinstance(kind, ComplexType):
            return self.of(kind)
        return _SIMPLE[kind.base](kind)

    def _field(self, element: Element) -> st.SearchStrategy[object]:
        value = self._value(element)
        if element.repeated:
            size = min(element.max_occurs, LIST_MAX)
            return st.lists(value, min_size=element.min_occurs, max_size=size)
        return value if element.min_occurs else st.none() | value
