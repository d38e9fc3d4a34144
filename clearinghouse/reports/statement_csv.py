"""The lines of a settlement statement as CSV (RFC 4180), for tables and scripts.

UTF-8, comma, CRLF, one heading; decimals with a dot. A text that a spreadsheet would
take for a formula gets an apostrophe in front; numbers are ours and stay numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import Direction, Statement, StatementLine
from clearinghouse.reports.text import AmountText, instant

#: The columns in order; figures that rating starts from are there to be recomputed.
COLUMNS = (
    "statementId",
    "windowId",
    "lineNo",
    "role",
    "counterpartyId",
    "submitterId",
    "sdrId",
    "sessionId",
    "evseId",
    "startedAt",
    "endedAt",
    "energyWh",
    "chargeSeconds",
    "idleSeconds",
    "parkingSeconds",
    "tariffId",
    "tariffVersion",
    "engineVersion",
    "currency",
    "claimedNet",
    "net",
    "rules",
)

# What spreadsheets begin a formula with; a tab or line break in front hides it.
_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_TO_QUOTE = re.compile('[",\r\n]')


def cell(text: str) -> str:
    """Return a partner's text as one field: no formula, quoted where it must be.

    >>> cell("DE*ABC*E1"), cell("=1+1"), cell("a,b")
    ('DE*ABC*E1', "'=1+1", '"a,b"')
    """
    if _FORMULA.match(text):
        text = f"'{text}"
    if _TO_QUOTE.search(text):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text


class CsvWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement) -> None:
        self._prefix = f"{statement.statement_id},{statement.window_id},"
        self._currency = statement.currency
        self._amount = AmountText(currency_of(statement.currency))
        self._count = 0

    def head(self) -> bytes:
        """Return the heading."""
        return f"{','.join(COLUMNS)}\r\n".encode()

    def lines(self, batch: Iterable[StatementLine]) -> bytes:
        """Return the next lines, numbered on."""
        prefix, currency, amount = self._prefix, self._currency, self._amount
        number = self._count
        texts: list[str] = []
        for line in batch:
            number += 1
            other = (
                line.home_csp_id
                if line.direction is Direction.RECEIVABLE
                else line.submitter_id
            )
            texts.append(
                f"{prefix}{number},{line.direction.value},{other},{line.submitter_id},"
                f"{cell(line.sdr_id)},{line.session_id or ''},{cell(line.evse_id)},"
                f"{instant(line.started_at)},{instant(line.ended_at)},"
                f"{line.energy_wh},{line.charge_seconds},{line.idle_seconds},"
                f"{line.parking_seconds},{cell(line.tariff_id)},{line.tariff_version},"
                f"{line.engine_version},{currency},{amount(line.claimed_minor)},"
                f"{amount(line.net_minor)},{' '.join(line.rules)}\r\n"
            )
        self._count = number
        return "".join(texts).encode()

    def foot(self) -> bytes:
        """Return nothing: every line of the file is a line of the statement."""
        return b""


def render(statement: Statement, lines: Iterable[StatementLine]) -> bytes:
    """Return a whole statement; for one that is small enough to hold in memory."""
    writer = CsvWriter(statement)
    return writer.head() + writer.lines(lines) + writer.foot()
