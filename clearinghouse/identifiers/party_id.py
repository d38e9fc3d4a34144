"""Party ids: the two letters of a country and three characters, as ``DEABC``.

A party id names a participant. Operator ids (in EVSE ids) and provider ids (in contract
ids) have the same shape; separators ``*`` and ``-`` between the parts are optional and
are removed. Source: eMI3 standard, part 2; ISO 15118-1, annex H.

>>> validate("de*abc")
'DEABC'
>>> validate("CH-ABC")
'CHABC'
>>> format("DEABC")
'DE*ABC'
>>> is_valid("DEABCD")
False
>>> validate("CH*SUNNYCHARGE")
Traceback (most recent call last):
    ...
clearinghouse.identifiers.errors.InvalidLengthError: the part after the country has 11 \
characters and must have 3: use the registered id, not the name
"""

from __future__ import annotations

import re

from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

_PATTERN = re.compile(r"[A-Z]{2}[A-Z0-9]{3}")
_EXPECTED = "two letters of the country and three letters or digits, as DE*ABC"


def compact(number: str) -> str:
    """Return the id in capitals, without separators and surrounding blanks."""
    return number.strip().upper().replace("*", "").replace("-", "")


def validate(number: str) -> str:
    """Return the canonical party id: five characters.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` with what to
    change.
    """
    text = compact(number)
    if _PATTERN.fullmatch(text):
        return text
    raise _error(text)


def _error(text: str) -> IdentifierError:
    shape = {"expected": _EXPECTED, "found": text[:40]}
    country, rest = text[:2], text[2:]
    if not (country.isascii() and country.isalpha() and len(country) == 2):  # noqa: PLR2004 - two letters are the country
        return InvalidComponentError(
            "begin with the two letters of the country", **shape
        )
    if rest and not (rest.isascii() and rest.isalnum()):
        return InvalidFormatError("use letters and digits only", **shape)
    return InvalidLengthError(
        f"the part after the country has {len(rest)} characters and must have 3: use "
        "the registered id, not the name",
        **shape,
    )


def is_valid(number: str) -> bool:
    """Say whether this is a party id."""
    try:
        validate(number)
    except IdentifierError:
        return False
    return True


def format(number: str) -> str:  # noqa: A001 - the common face of all identifiers
    """Return the party id with its separator."""
    text = validate(number)
    return f"{text[:2]}*{text[2:]}"
