"""The lines of a settlement statement as CSV (RFC 4180), for tables and scripts.

UTF-8, comma, CRLF, one heading; decimals with a dot. A text that a spreadsheet would
take for a formula gets an apostrophe in front; numbers are ours and stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearinghouse.domain.line_layouts import Layout, Piece, Writing
from clearinghouse.domain.statements import Statement, StatementLine
from clearinghouse.reports.lines import LineNumbers, LineText, LineWriter
from clearinghouse.reports.text import cell

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


#: Texts of partners.
_CELLS = frozenset({"sdr_id", "evse_id", "tariff_id", "reference"})

_FIELDS = (
    "role",
    "counterparty",
    "submitter_id",
    "sdr_id",
    "session_id",
    "evse_id",
    "started_at",
    "ended_at",
    "energy_wh",
    "charge_seconds",
    "idle_seconds",
    "parking_seconds",
    "tariff_id",
    "tariff_version",
    "engine_version",
)
_VAT_FIELDS = ("vat_category", "vat_rate", "document")
_ORIGIN_FIELDS = ("kind", "match_kind", "reference", "reference_window")


class CsvWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement) -> None:
        self._is_taxed = statement.gross_minor is not None
        self._has_origin = statement.layout > 1
        self.layouts = (self._layout(statement),)

    def _layout(self, statement: Statement) -> Layout:
        prefix = (
            f"{statement.statement_id},{statement.window_id},"
            f"{cell(statement.window_label)},"
        )
        last: tuple[str, ...] = ("net", "rules")
        if self._is_taxed:
            last += _VAT_FIELDS
        if self._has_origin:
            last += _ORIGIN_FIELDS
        return (
            Piece("number", prefix),
            *(_field(name) for name in _FIELDS),
            Piece("claimed", f",{statement.currency},"),
            *(_field(name) for name in last[:-1]),
            _field(last[-1])._replace(after="\r\n"),
        )

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
        (layout,) = self.layouts
        return LineWriter(layout)(batch).encode()

    def written(self, texts: Sequence[str], count: int) -> bytes:  # noqa: ARG002
        """Return the next lines, which were written after the layout already."""
        (lines,) = texts
        return lines.encode()

    def foot(self) -> bytes:
        """Return nothing: every line of the file is a line of the statement."""
        return b""


def _field(name: str) -> Piece:
    writing = Writing.CELL if name in _CELLS else Writing.AS_IS
    return Piece(name, ",", writing=writing)


def render(statement: Statement, lines: Iterable[StatementLine]) -> bytes:
    """Return a whole statement; for one that is small enough to hold in memory."""
    writer = CsvWriter(statement)
    texts = LineNumbers(statement).texts(lines)
    return writer.head() + writer.lines(texts) + writer.foot()
