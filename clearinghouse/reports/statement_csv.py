"""The lines of a settlement statement as CSV (RFC 4180), for tables and scripts.

UTF-8, comma, CRLF, one heading; decimals with a dot. A text that a spreadsheet would
take for a formula gets an apostrophe in front; numbers are ours and stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clearinghouse.domain.line_layouts import Layout, Piece, Writing
from clearinghouse.domain.statements import Statement
from clearinghouse.reports.lines import LineText, LineWriter
from clearinghouse.reports.text import cell

#: The columns in order, each with the field of a line that stands in it, or with none
#: where the statement says it; figures that rating starts from are there to be
#: recomputed.
COLUMNS = {
    "statementId": "",
    "windowId": "",
    "windowLabel": "",
    "lineNo": "number",
    "role": "role",
    "counterpartyId": "counterparty",
    "submitterId": "submitter_id",
    "sdrId": "sdr_id",
    "sessionId": "session_id",
    "evseId": "evse_id",
    "startedAt": "started_at",
    "endedAt": "ended_at",
    "energyWh": "energy_wh",
    "chargeSeconds": "charge_seconds",
    "idleSeconds": "idle_seconds",
    "parkingSeconds": "parking_seconds",
    "tariffId": "tariff_id",
    "tariffVersion": "tariff_version",
    "engineVersion": "engine_version",
    "currency": "",
    "claimedNet": "claimed",
    "net": "net",
    "rules": "rules",
}

#: What follows them since there is VAT: by what a line is taxed, and where it stands.
VAT_COLUMNS = {
    "vatCategory": "vat_category",
    "vatRate": "vat_rate",
    "document": "document",
}

#: What follows these since layout 2: what an SDR is, how its session was found, and
#: which SDR of which window it corrects.
ORIGIN_COLUMNS = {
    "kind": "kind",
    "matchKind": "match_kind",
    "reference": "reference",
    "referenceWindow": "reference_window",
}

#: Fields that hold texts of partners.
_CELLS = frozenset({"sdr_id", "evse_id", "tariff_id", "reference"})


class CsvWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement) -> None:
        columns = dict(COLUMNS)
        if statement.gross_minor is not None:
            columns |= VAT_COLUMNS
        if statement.layout > 1:
            columns |= ORIGIN_COLUMNS
        self._heading = ",".join(columns)
        layout = _layout(statement, columns)
        self.layouts = (layout,)
        self._write = LineWriter(layout)

    def head(self) -> bytes:
        """Return the heading."""
        return f"{self._heading}\r\n".encode()

    def lines(self, batch: Iterable[LineText]) -> bytes:
        """Return the next lines."""
        return self._write(batch).encode()

    def written(self, texts: Sequence[str], count: int) -> bytes:  # noqa: ARG002
        """Return the next lines, which were written after the layout already."""
        (lines,) = texts
        return lines.encode()

    def foot(self) -> bytes:
        """Return nothing: every line of the file is a line of the statement."""
        return b""


def _layout(statement: Statement, columns: Mapping[str, str]) -> Layout:
    """Return how a line is written; the statement's own values stand before fields."""
    own = {
        "statementId": statement.statement_id,
        "windowId": str(statement.window_id),
        "windowLabel": cell(statement.window_label),
        "currency": statement.currency,
    }
    pieces: list[Piece] = []
    before = ""
    for column, field in columns.items():
        if not field:
            before += f"{own[column]},"
            continue
        writing = Writing.CELL if field in _CELLS else Writing.AS_IS
        pieces.append(Piece(field, before, ",", writing))
        before = ""
    return (*pieces[:-1], pieces[-1]._replace(after="\r\n"))
