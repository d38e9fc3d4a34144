"""Simple types as expressions of Python's: values that need no second look.

An expression takes less than the schema does, never more: printable ASCII without
markup, numbers of no surprising length. What it takes stands for itself, so that
nothing has to be unescaped, trimmed or normalised. Types that cannot be said so have
no expression; a schema has to judge their values.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache

from clearinghouse.contract.model import Facets, SimpleType

# More than a contract has simple types.
EXPRESSIONS_REMEMBERED_MAX = 256
# What may stand in a value: no markup, and of white space the blank alone.
_PLAIN = "".join(
    sorted({*string.ascii_letters, *string.digits, *string.punctuation, " "} - {*"<>&"})
)
_INSTANT = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
)
# Of whole numbers fewer digits than they may have, so that each is one of the builtin
# type; the bounds of ours are the reader's to check.
_USUAL = {
    "dateTime": _INSTANT,
    "boolean": "(?:true|false)",
    "int": "-?[0-9]{1,9}",
    "long": "-?[0-9]{1,18}",
}
_DIGITS = 18
# What the schema language and Python understand alike; [a-z-[aeiou]] is not.
_PARTS = re.compile(
    r"(?P<characters>\[(?:\\[-.\\^s]|[^\[\]\\])+\])"
    r"|(?P<group>\()"
    r"|(?P<same>\\[.\\?*+()|{}]|[)|?*+]|\{[0-9]+(?:,[0-9]+)?\}|[A-Za-z0-9 :/_-])"
)
_COUNTED = re.compile(r"\[[^\[\]]+\]\{(?P<least>[0-9]+),(?P<most>[0-9]+)\}")


@lru_cache(maxsize=EXPRESSIONS_REMEMBERED_MAX)
def expression(kind: SimpleType) -> str | None:
    """Return an expression for values of the type; ``None`` when there is none.

    It captures nothing and can be followed by ``<``, which no value holds.
    """
    facets = kind.facets
    if facets.enumeration:
        return _one_of([value.value for value in facets.enumeration])
    if kind.base == "string":
        return _text(facets)
    usual = _decimal(facets) if kind.base == "decimal" else _USUAL.get(kind.base)
    patterns = [_pattern(pattern) for pattern in facets.patterns]
    if usual is None or None in patterns:
        return None
    return "".join([f"(?={pattern}<)" for pattern in patterns]) + usual


def _one_of(values: list[str]) -> str | None:
    if not all(value and set(value) <= set(_PLAIN) for value in values):
        return None
    return f"(?:{'|'.join(map(re.escape, values))})"


def _text(facets: Facets) -> str | None:
    """Return an expression for a text with one pattern and a bound."""
    if len(facets.patterns) != 1 or facets.max_length is None:
        return None
    (authored,) = facets.patterns
    pattern = _pattern(authored)
    least, most = facets.min_length or 0, facets.max_length
    counted = _COUNTED.fullmatch(authored)
    if counted and least <= int(counted["least"]) and int(counted["most"]) <= most:
        return pattern
    return None if pattern is None else f"(?=[^<]{{{least},{most}}}<){pattern}"


def _decimal(facets: Facets) -> str | None:
    if facets.min_inclusive is not None or facets.max_inclusive is not None:
        return None
    places = facets.fraction_digits
    whole = (facets.total_digits or _DIGITS) - (places or 0)
    if places is None or whole < 1:
        return None
    fraction = rf"(?:\.[0-9]{{1,{places}}})?" if places else ""
    return rf"-?[0-9]{{1,{whole}}}{fraction}"


def _pattern(authored: str) -> str | None:
    """Return a pattern of the schema language as Python has it, for plain values.

    ``None`` for one with a construct that is not looked into.
    """
    parts = []
    at = 0
    while at < len(authored):
        found = _PARTS.match(authored, at)
        if found is None:
            return None
        if found["characters"]:
            parts.append(_characters(found["characters"]))
        else:
            parts.append("(?:" if found["group"] else found["same"])
        at = found.end()
    return f"(?:{''.join(parts)})"


def _characters(authored: str) -> str:
    """Return a class with those of its characters that are plain."""
    whole = re.compile(authored)
    return f"[{re.escape(''.join(one for one in _PLAIN if whole.match(one)))}]"
