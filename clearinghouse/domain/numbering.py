"""Numbers of documents: gapless series per year, written ``ST-2026-000001``.

Statements have one series; invoices and credit notes have one for each seller, written
``IN-DEABC-2026-000001`` and ``CN-DEABC-2026-000001``.

A number is drawn inside the closing transaction and nowhere else, so that a window
that fails to close consumes none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

STATEMENT_SERIES = "ST"

#: The last number of a series that has six digits. A year with more is written with
#: seven: the bound only stops a damaged counter.
NUMBER_MAX = 9_999_999

_PATTERN = re.compile(
    r"(ST|(?:IN|CN)-[A-Z]{2}[A-Z0-9]{3})-([0-9]{4})-([0-9]{6,7})", re.ASCII
)


class DocumentKind(StrEnum):
    """What a document is; the value is its type code (BT-3, UNTDID 1001)."""

    INVOICE = "380"
    CREDIT_NOTE = "381"

    @property
    def sign(self) -> int:
        """1 when the buyer owes its amounts, -1 when they are given back."""
        return 1 if self is DocumentKind.INVOICE else -1


@dataclass(frozen=True, slots=True, order=True)
class DocumentNumber:
    """The number of one document: series, year and place in the series."""

    series: str
    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.series}-{self.year:04d}-{self.number:06d}"


def series_of(kind: DocumentKind, seller: str) -> str:
    """Return the series of a seller's documents of a kind, as ``IN-DEABC``."""
    return f"{'IN' if kind is DocumentKind.INVOICE else 'CN'}-{seller}"


def series_key(series: str, year: int) -> str:
    """Return the key of the counter: one per series and year, as ``ST-2026``."""
    return f"{series}-{year:04d}"


def block(series: str, year: int, *, last: int, count: int) -> list[DocumentNumber]:
    """Return the ``count`` numbers that end at ``last``, in order.

    ``last`` is what the counter shows after it was raised by ``count``. Raises
    :class:`ValueError` when the counter cannot have given so many.
    """
    if not 0 <= count <= last <= NUMBER_MAX:
        raise ValueError(f"no block of {count} ends at {last}")
    return [
        DocumentNumber(series, year, number)
        for number in range(last - count + 1, last + 1)
    ]


def parse(text: str) -> DocumentNumber | None:
    """Return the number that a text writes, ``None`` when it writes none."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    return DocumentNumber(match[1], int(match[2]), int(match[3]))
