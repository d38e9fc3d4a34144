"""The lines of a statement as texts: numbered and written once, for every format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import Direction, Statement, StatementLine
from clearinghouse.reports.text import AmountText

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
