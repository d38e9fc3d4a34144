"""The lines of a settlement statement as CSV (RFC 4180), for tables and scripts.

UTF-8, comma, CRLF, one heading; decimals with a dot. A text that a spreadsheet would
take for a formula gets an apostrophe in front; numbers are ours and stay numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from clearinghouse.domain.statements import Statement, StatementLine
from clearinghouse.reports.lines import LineNumbers, LineText
from clearinghouse.reports.text import REMEMBERED_MAX, percent

#: The columns in order; figures that rating starts from are there to be recomputed.
COLUMNS = (
    "statementId",
    "windowId",
    "windowLabel",
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

#: What follows them since there is VAT: by what a line is taxed, and where it stands.
VAT_COLUMNS = ("vatCategory", "vatRate", "document")

#: What follows these since layout 2: what an SDR is, how its session was found, and
#: which SDR of which window it corrects.
ORIGIN_COLUMNS = ("kind", "matchKind", "reference", "referenceWindow")

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


#: The field of a text that many lines have.
_known_cell = lru_cache(REMEMBERED_MAX)(cell)


class CsvWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement) -> None:
        self._prefix = (
            f"{statement.statement_id},{statement.window_id},"
            f"{cell(statement.window_label)},"
        )
        self._currency = statement.currency
        self._is_taxed = statement.gross_minor is not None
        self._has_origin = statement.layout > 1

    def head(self) -> bytes:
        """Return the heading."""
        columns: tuple[str, ...] = COLUMNS
        if self._is_taxed:
            columns += VAT_COLUMNS
        if self._has_origin:
            columns += ORIGIN_COLUMNS
        return f"{','.join(columns)}\r\n".encode()

    def lines(self, batch: Iterable[LineText]) -> bytes:
        """Return the next lines."""
        prefix, currency = self._prefix, self._currency
        is_taxed, has_origin = self._is_taxed, self._has_origin
        texts: list[str] = []
        for text in batch:
            line = text.line
            vat = (
                f",{line.vat_category},{percent(line.vat_rate_bp)},{line.document}"
                if is_taxed
                else ""
            )
            corrected = line.reference and cell(line.reference)
            origin = (
                f",{line.kind},{line.match_kind},{corrected},{line.reference_window}"
                if has_origin
                else ""
            )
            texts.append(
                f"{prefix}{text.number},{text.role},{text.counterparty},"
                f"{line.submitter_id},{cell(line.sdr_id)},{line.session_id},"
                f"{_known_cell(line.evse_id)},{line.started_at},{line.ended_at},"
                f"{line.energy_wh},{line.charge_seconds},{line.idle_seconds},"
                f"{line.parking_seconds},{_known_cell(line.tariff_id)},"
                f"{line.tariff_version},{line.engine_version},{currency},{text.claimed},{text.net},"
                f"{line.rules}{vat}{origin}\r\n"
            )
        return "".join(texts).encode()

    def foot(self) -> bytes:
        """Return nothing: every line of the file is a line of the statement."""
        return b""


def render(statement: Statement, lines: Iterable[StatementLine]) -> bytes:
    """Return a whole statement; for one that is small enough to hold in memory."""
    writer = CsvWriter(statement)
    texts = LineNumbers(statement).texts(lines)
    return writer.head() + writer.lines(texts) + writer.foot()
