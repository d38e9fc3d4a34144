"""Operator ids: who runs a charging station, as ``CH*ABC`` or in DIN form ``+49*823``.

The canonical form has five characters without separators. The DIN form maps to the
country's letters and the same three digits. Source: eMI3 standard, part 2;
DIN SPEC 91286.

>>> validate("CH*ABC"), validate("chabc"), validate("CH-XYZ")
('CHABC', 'CHABC', 'CHXYZ')
>>> validate("+49*823")
'DE823'
>>> format("DE823")
'DE*823'
>>> is_valid("+49*82")
False
"""

from __future__ import annotations

import re

from clearinghouse.identifiers import party_id
from clearinghouse.identifiers.countries import COUNTRY_OF_CALLING_CODE
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
)

_DIN = re.compile(r"\+?([0-9]{1,3})\*([0-9]{3})")


def compact(number: str) -> str:
    """Return the id in capitals; the DIN form keeps its separators, it needs them."""
    text = number.strip().upper()
    return text if _looks_din(text) else party_id.compact(text)


def validate(number: str) -> str:
    """Return the canonical operator id: five characters, DIN mapped to letters.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` with what to
    change.
    """
    text = compact(number)
    if not _looks_din(text):
        return party_id.validate(text)
    match = _DIN.fullmatch(text)
    if match is None:
        raise InvalidFormatError(
            "write the telephone code of the country, *, and three digits",
            expected="+49*823",
            found=text[:40],
        )
    return country_of(match[1]) + match[2]


def is_valid(number: str) -> bool:
    """Say whether this is an operator id."""
    try:
        validate(number)
    except IdentifierError:
        return False
    return True


def format(number: str) -> str:  # noqa: A001 - the common face of all identifiers
    """Return the operator id with its separator, as ``CH*ABC``."""
    return party_id.format(validate(number))


def country_of(calling_code: str) -> str:
    """Return the two letters for the telephone code of a country.

    Raises :class:`~clearinghouse.identifiers.errors.InvalidComponentError` for a code
    that is unknown or that several countries share.
    """
    country = COUNTRY_OF_CALLING_CODE.get(calling_code)
    if country is None:
        raise InvalidComponentError(
            f"+{calling_code} names no single country: write the form with the two "
            "letters of the country",
            expected="DE*823*E1234*5678",
            found=f"+{calling_code}",
        )
    return country


def _looks_din(text: str) -> bool:
    return text[:1] == "+" or text[:1].isdigit()
