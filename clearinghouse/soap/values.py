"""Values of the schema's builtin types: from valid text to Python and back.

Readers trust that the schema accepted the text. Writers trust nobody: a float for
an amount, a time without offset or a missing value is our own mistake and raises.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from clearinghouse.soap.text import escape, is_special

_TRUE = frozenset({"true", "1"})
_TWO = tuple(f"{number:02d}" for number in range(100))
#: Texts of instants that are remembered: those of some records, not of a batch.
INSTANTS_REMEMBERED_MAX = 256
_NO_OFFSET = timedelta()

#: The moments of the contract, which it names by their year (common: InstantType).
FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
INSTANTS_END = datetime(2100, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=INSTANTS_REMEMBERED_MAX)
def read_instant(text: str) -> datetime:
    """Return the moment with the offset that was sent.

    In an SDR the same few moments stand in several places; each text is read once, and
    gives one object. Raises :class:`ValueError` for a moment whose year in UTC is not
    one of 2000 to 2099: the schema judges the year where it was written, and we write
    most moments in UTC.
    """
    moment = datetime.fromisoformat(text.strip())
    if not FIRST_INSTANT <= moment < INSTANTS_END:
        raise ValueError("a moment beyond the years of the schema")
    return moment


def read_boolean(text: str) -> bool:
    """Return the truth value."""
    return text.strip() in _TRUE


def read_bytes(text: str | None) -> bytes:
    """Return the decoded bytes; white space inside is allowed by the schema."""
    return b64decode(text or "")


def write_text(value: object) -> str:
    """Return character data for a string or a UUID.

    Raises :class:`TypeError` for anything else, a missing value among it.
    """
    if isinstance(value, str):
        # Letters and digits need no look at each of them by the slower search.
        if value.isalnum() or not is_special(value):
            return value
        return escape(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"text expected, not {type(value).__name__}")


def write_decimal(value: object) -> str:
    """Return the digits without an exponent.

    Raises :class:`TypeError` for a float, :class:`ValueError` for what is no number.
    """
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("a finite number is expected")
        return format(value, "f")
    if isinstance(value, int):
        return f"{value:d}"
    raise TypeError(f"decimal expected, not {type(value).__name__}")


def write_boolean(value: object) -> str:
    """Return ``true`` or ``false``; raises :class:`TypeError` for other types."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise TypeError(f"truth value expected, not {type(value).__name__}")


def write_instant(value: object) -> str:
    """Return the moment with ``Z`` for UTC, else with its offset.

    Raises :class:`ValueError` for a time without offset.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"datetime expected, not {type(value).__name__}")
    if value.tzinfo is UTC:
        # By lookup, which takes a third of the time of ``isoformat``.
        year = value.year
        fraction = f".{value.microsecond:06d}" if value.microsecond else ""
        return (
            f"{_TWO[year // 100]}{_TWO[year % 100]}"
            f"-{_TWO[value.month]}-{_TWO[value.day]}"
            f"T{_TWO[value.hour]}:{_TWO[value.minute]}:{_TWO[value.second]}{fraction}Z"
        )
    offset = value.utcoffset()
    if offset is None:
        raise ValueError("a time needs its offset from UTC")
    if offset == _NO_OFFSET:
        return value.replace(tzinfo=None).isoformat() + "Z"
    if offset.seconds % 60:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return value.isoformat()


def write_bytes(value: object) -> str:
    """Return base64; raises :class:`TypeError` for anything but bytes."""
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    raise TypeError(f"bytes expected, not {type(value).__name__}")
