"""UIDs of RFID cards: hexadecimal digits as read, first byte first, in capitals.

Four, seven or ten bytes (8, 14 or 20 digits), never padded and never reversed: a UID
read backwards may be another person's card. Separators ``:``, ``-`` and blanks are
removed. A four-byte UID that begins with ``08`` is drawn anew at each reading and can
stand on no list. Source: ISO/IEC 14443-3. A UID is not unique in the world: the key is
issuer, kind and UID together. UIDs are personal data: no message here repeats one.

>>> validate("04:a1:b2:c3:d4:e5:80")
'04A1B2C3D4E580'
>>> format("04A1B2C3D4E580")
'04:A1:B2:C3:D4:E5:80'
>>> is_valid("04A1B2C3D4"), is_random("08A1B2C3"), is_random("08A1B2C3D4E580")
(False, True, False)
"""

from __future__ import annotations

import re

from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

#: Digits of a UID: four, seven or ten bytes.
LENGTHS = (8, 14, 20)

_EXPECTED = "8, 14 or 20 hexadecimal digits"
_RANDOM_LENGTH = 8
_RANDOM_PREFIX = "08"
_HEX = re.compile(r"[0-9A-F]*")


def compact(number: str) -> str:
    """Return the UID in capitals without separators and blanks."""
    return number.upper().replace(":", "").replace("-", "").replace(" ", "")


def validate(number: str) -> str:
    """Return the canonical UID: capitals, no separators.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` with what to
    change.
    """
    text = compact(number)
    if not _HEX.fullmatch(text):
        raise InvalidFormatError(
            "write the UID in hexadecimal digits, not decimal and not base64",
            expected=_EXPECTED,
            found="other characters",
        )
    if len(text) not in LENGTHS:
        raise InvalidLengthError(
            "a UID has 4, 7 or 10 bytes: neither pad nor cut it",
            expected=_EXPECTED,
            found=f"{len(text)} digits",
        )
    return text


def validate_listable(number: str) -> str:
    """Return the canonical UID of a card that may stand on a list.

    Raises :class:`~clearinghouse.identifiers.errors.InvalidComponentError` for a
    random UID, and as :func:`validate`.
    """
    text = validate(number)
    if is_random(text):
        raise InvalidComponentError(
            "a 4-byte UID beginning with 08 is random: list a fixed UID of the card",
            expected="a fixed UID",
            found="a random UID",
        )
    return text


def is_valid(number: str) -> bool:
    """Say whether this is a UID."""
    try:
        validate(number)
    except IdentifierError:
        return False
    return True


def is_random(number: str) -> bool:
    """Say whether the card draws this UID anew at each reading."""
    text = compact(number)
    return len(text) == _RANDOM_LENGTH and text.startswith(_RANDOM_PREFIX)


def format(number: str) -> str:  # noqa: A001 - the common face of all identifiers
    """Return the UID in bytes, as ``04:A1:B2:C3``."""
    text = validate(number)
    return ":".join(text[place : place + 2] for place in range(0, len(text), 2))
