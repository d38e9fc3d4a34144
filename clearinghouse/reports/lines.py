"""The lines of a statement as texts: numbered and written once, for every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import NamedTuple

from clearinghouse.domain.line_layouts import Layout, Piece, Writing
from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import Direction, Statement, StatementLine
from clearinghouse.reports.text import AmountText, cell, escape, percent

_RECEIVABLE = Direction.RECEIVABLE.value
_PAYABLE = Direction.PAYABLE.value


class LineText(NamedTuple):
    """One line in words; ``line`` holds what every format writes as it is."""

    number: int
    role: str
    counterparty: str
    claimed: str
    net: str
    line: StatementLine


class LineNumbers:
    """Numbers the lines of one statement and writes what the formats have in common."""

    def __init__(self, statement: Statement) -> None:
        self._amount = AmountText(currency_of(statement.currency))
        self._count = 0

    def texts(self, lines: Iterable[StatementLine]) -> list[LineText]:
        """Return the next lines; batches come in the statement's order."""
        amount = self._amount
        number = self._count
        texts: list[LineText] = []
        for line in lines:
            number += 1
            receives = line.direction is Direction.RECEIVABLE
            claimed = amount(line.claimed_minor)
            texts.append(
                LineText(
                    number,
                    _RECEIVABLE if receives else _PAYABLE,
                    line.home_csp_id if receives else line.submitter_id,
                    claimed,
                    claimed
                    if line.net_minor == line.claimed_minor
                    else amount(line.net_minor),
                    line,
                )
            )
        self._count = number
        return texts


_Written = Callable[[LineText], str]

_WRITINGS: dict[Writing, Callable[[str], str]] = {
    Writing.AS_IS: str,
    Writing.MARKUP: escape,
    Writing.CELL: cell,
}


class LineWriter:
    """Writes lines after a layout; the database does it alike, and faster."""

    __slots__ = ("_pieces",)

    def __init__(self, layout: Layout) -> None:
        self._pieces = [_written(piece) for piece in layout]

    def __call__(self, batch: Iterable[LineText]) -> str:
        """Return lines in order."""
        pieces = self._pieces
        return "".join([write(text) for text in batch for write in pieces])


def _written(piece: Piece) -> _Written:
    """Return what writes a piece of a line."""
    value, write = _value(piece.field), _WRITINGS[piece.writing]
    before, after, between = piece.before, piece.after, piece.between
    is_present = _value(piece.only_with) if piece.only_with else None

    def written(text: LineText) -> str:
        if is_present is not None and not is_present(text):
            return ""
        return f"{before}{write(value(text)).replace(' ', between)}{after}"

    return written


def _value(field: str) -> Callable[[LineText], str]:
    """Return what gives a field of a line as text."""
    if not field:
        return lambda _: ""
    if field == "vat_rate":
        return lambda text: percent(text.line.vat_rate_bp)
    place = field if field in LineText._fields else f"line.{field}"
    get = attrgetter(place)
    return lambda text: str(get(text))
