"""A settlement statement as PDF for people: totals, charts, tables, the first lines.

XML and CSV hold all lines; the PDF of a long statement says that it does not.
"""

from __future__ import annotations

from collections.abc import Iterable

from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import Direction, Statement
from clearinghouse.reports.charts import Bar
from clearinghouse.reports.lines import LineText
from clearinghouse.reports.pdf_pages import LEFT, RIGHT, Column, Pages
from clearinghouse.reports.text import AmountText, due_of, instant, kwh, shown_of

#: Lines of the PDF: some pages that a person may leaf through.
LINES_SHOWN_MAX = 100

_ROLES = {Direction.RECEIVABLE: "to receive", Direction.PAYABLE: "to pay"}
_TOTALS = (
    Column("Counterparty", LEFT),
    Column("Direction", LEFT + 100),
    Column("SDRs", LEFT + 340, is_figure=True),
    Column("kWh", LEFT + 420, is_figure=True),
    Column("Net", RIGHT, is_figure=True),
)
_DAYS = (
    Column("Day", LEFT),
    Column("SDRs", LEFT + 160, is_figure=True),
    Column("kWh", LEFT + 260, is_figure=True),
    Column("To receive", LEFT + 380, is_figure=True),
    Column("To pay", RIGHT, is_figure=True),
)
_LINES = (
    Column("Line", LEFT + 24, is_figure=True),
    Column("Ended", LEFT + 30),
    Column("SDR", LEFT + 130),
    Column("With", LEFT + 235),
    Column("EVSE", LEFT + 280),
    Column("Direction", LEFT + 375),
    Column("kWh", LEFT + 458, is_figure=True),
    Column("Net", RIGHT, is_figure=True),
)


class PdfWriter:
    """Writes one statement; the whole document comes at the foot."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._shown: list[LineText] = []

    def head(self) -> bytes:
        """Return nothing: a PDF is written as a whole."""
        return b""

    def lines(self, batch: Iterable[LineText]) -> bytes:
        """Keep the lines that the document shows; return nothing."""
        room = LINES_SHOWN_MAX - len(self._shown)
        if room > 0:
            self._shown.extend(list(batch)[:room])
        return b""

    def foot(self) -> bytes:
        """Return the document."""
        statement = self._statement
        title = f"Statement {statement.statement_id}"
        pages = Pages(title, author=statement.issuer_name)
        pages.heading(title, size=16)
        pages.pairs(_title_of(statement))
        _totals(pages, statement)
        _days(pages, statement)
        pages.heading("Service detail records")
        pages.text(shown_of(statement.line_count, LINES_SHOWN_MAX))
        pages.table(_LINES, [_line(text) for text in self._shown])
        return pages.document()


def _title_of(statement: Statement) -> list[tuple[str, str]]:
    amount = AmountText(currency_of(statement.currency))
    return [
        ("Participant", f"{statement.party_id} {statement.participant_name}"),
        ("Issued by", f"{statement.issuer_party_id} {statement.issuer_name}"),
        ("Settlement window", f"{statement.window_id} ({statement.window_label})"),
        ("Window closed", instant(statement.closed_at)),
        ("Currency", statement.currency),
        ("To receive", amount(statement.receivable_minor)),
        ("To pay", amount(statement.payable_minor)),
        ("Net (negative: to pay)", amount(statement.net_minor)),
        *due_of(statement),
        ("Service detail records", str(statement.line_count)),
        ("Energy, kWh", kwh(statement.energy_wh)),
    ]


def _totals(pages: Pages, statement: Statement) -> None:
    amount = AmountText(currency_of(statement.currency))
    pages.heading("Counterparties")
    pages.table(
        _TOTALS,
        [
            (
                total.party_id,
                _ROLES[total.direction],
                str(total.sdr_count),
                kwh(total.energy_wh),
                amount(total.net_minor),
            )
            for total in statement.counterparties
        ],
    )


def _days(pages: Pages, statement: Statement) -> None:
    if not statement.days:
        return
    amount = AmountText(currency_of(statement.currency))
    pages.heading("Energy for each day")
    pages.bars([Bar(day.day, day.energy_wh) for day in statement.days])
    pages.heading("Amounts for each day: to receive above the line, to pay below")
    pages.bars(
        [
            Bar(day.day, day.receivable_minor, day.payable_minor)
            for day in statement.days
        ]
    )
    pages.heading("Days on which sessions ended, in UTC")
    pages.table(
        _DAYS,
        [
            (
                day.day,
                str(day.sdr_count),
                kwh(day.energy_wh),
                amount(day.receivable_minor),
                amount(day.payable_minor),
            )
            for day in statement.days
        ],
    )


def _line(text: LineText) -> tuple[str, ...]:
    return (
        str(text.number),
        text.line.ended_at,
        text.line.sdr_id,
        text.counterparty,
        text.line.evse_id,
        _ROLES[text.line.direction],
        kwh(text.line.energy_wh),
        text.net,
    )
