"""What one code of the catalogue is, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of trouble a code stands for; façades map kinds, not numbers."""

    DONE = "DONE"
    WARNING = "WARNING"
    REFUSED = "REFUSED"
    MALFORMED = "MALFORMED"
    NOT_PERMITTED = "NOT_PERMITTED"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    LIMIT = "LIMIT"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the catalogue.

    ``name`` is what stands in a fault (``CH.`` names) or in the documentation;
    ``text`` is fixed and never holds a value of the message.
    """

    number: int
    name: str
    text: str
    kind: Kind
    retryable: bool = False


CATALOGUE: dict[int, Code] = {}


def entry(
    number: int, name: str, kind: Kind, text: str, *, again: bool = False
) -> Code:
    """Enter a code into the catalogue, once.

    ``number`` and ``name`` are published; ``again`` says that the caller may repeat
    the same message. Raises :class:`ValueError` when the number is taken.
    """
    code = Code(number, name, text, kind, again)
    if number in CATALOGUE:
        message = f"the number {number} is taken"
        raise ValueError(message)
    CATALOGUE[number] = code
    return code


def by_number(number: int) -> Code:
    """Return the entry with this number.

    Raises :class:`KeyError` when the catalogue has none.
    """
    return CATALOGUE[number]
