"""What a simple type asks for, in words a developer can act on."""

from __future__ import annotations

from clearinghouse.contract.model import Facets, SimpleType
from clearinghouse.soap.values import read_instant
from clearinghouse.texts import UNSEEN
from clearinghouse.texts import is_readable as is_text

_PLAIN = {
    "boolean": "true or false",
    "dateTime": "a time with its offset, as in 2026-01-31T12:00:00Z,"
    " in UTC in the years 2000 to 2099",
    "gYearMonth": "a month, as in 2026-01",
    "base64Binary": "base64",
    "int": "a whole number",
    "long": "a whole number",
    "decimal": "a number",
    "string": "text",
}


def wanted(kind: SimpleType) -> str:
    """Return what the type asks for."""
    facets = kind.facets
    if facets.enumeration:
        values = ", ".join(value.value for value in facets.enumeration)
        return f"one of {values}"
    parts = [_PLAIN[kind.base]]
    parts += _range(facets)
    parts += _digits(facets)
    parts += _length(kind)
    if kind.base == "string":
        parts += map(_form, facets.patterns)
    return ", ".join(parts)


def _form(pattern: str) -> str:
    # A pattern that refuses what nobody sees holds it, and could be read by nobody.
    return f"of the form {pattern}" if is_text(pattern) else UNSEEN


def _range(facets: Facets) -> list[str]:
    low, high = facets.min_inclusive, facets.max_inclusive
    if low is not None and high is not None:
        return [f"from {low} to {high}"]
    if low is not None:
        return [f"at least {low}"]
    return [f"at most {high}"] if high is not None else []


def _digits(facets: Facets) -> list[str]:
    parts = []
    if facets.total_digits is not None:
        parts.append(f"at most {facets.total_digits} digits")
    if facets.fraction_digits is not None:
        parts.append(f"at most {facets.fraction_digits} decimals")
    return parts


def _length(kind: SimpleType) -> list[str]:
    low, high = kind.facets.min_length, kind.facets.max_length
    unit = "bytes" if kind.base == "base64Binary" else "characters"
    if high is None:
        return [f"at least {low} {unit}"] if low else []
    if low == high:
        return [f"{high} {unit}"]
    return [f"{low} to {high} {unit}"] if low else [f"at most {high} {unit}"]


def found_in(kind: SimpleType, text: str) -> str:
    """Describe a wrong value without repeating it: its length, where that is wrong."""
    facets = kind.facets
    if kind.base != "string" or facets.enumeration:
        return ""
    too_long = facets.max_length is not None and len(text) > facets.max_length
    too_short = facets.min_length is not None and len(text) < facets.min_length
    return f"{len(text)} characters" if too_long or too_short else ""


def is_readable(kind: SimpleType, text: str) -> bool:
    """Whether a value that the schema accepts means something to us.

    A moment may leave the years of the contract by its offset from UTC.
    """
    if kind.base != "dateTime":
        return True
    try:
        read_instant(text)
    except ValueError:
        return False
    return True
