"""A settlement statement as one page of HTML for people, with charts and their tables.

The page stands alone: no script, nothing fetched from anywhere, and a policy in its
head that forbids both. A long statement shows its first lines only and says so; XML and
CSV hold all of them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import Direction, Statement
from clearinghouse.reports import charts
from clearinghouse.reports.lines import LineText
from clearinghouse.reports.text import (
    AmountText,
    due_of,
    escape,
    instant,
    kwh,
    shown_of,
)

#: Lines of the page: a browser opens these at once, and nobody reads more.
LINES_SHOWN_MAX = 500

_STYLE = (
    "body{font:16px/1.5 sans-serif;color:#1b2126;background:#fff;max-width:60rem;"
    "margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}"
    "caption{text-align:left;font-weight:bold;padding:.25rem 0}"
    "th,td{border-bottom:1px solid #c8ced3;padding:.25rem .5rem;text-align:left;"
    "vertical-align:top}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "svg{max-width:100%;height:auto}"
)
_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    f"{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
_ROLES = {
    Direction.RECEIVABLE.value: "to receive",
    Direction.PAYABLE.value: "to pay",
}


class HtmlWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._amount = AmountText(currency_of(statement.currency))
        self._shown = 0

    def head(self) -> bytes:
        """Return all that stands before the lines."""
        parts = [
            *self._title(),
            *self._sums(),
            *self._counterparties(),
            *self._days(),
            *self._months(),
            self._lines_head(),
        ]
        return "".join(parts).encode()

    def lines(self, batch: Iterable[LineText]) -> bytes:
        """Return the next lines, as far as the page shows them."""
        room = LINES_SHOWN_MAX - self._shown
        if room <= 0:
            return b""
        texts = list(batch)[:room]
        self._shown += len(texts)
        return "".join(
            _row(
                (
                    text.number,
                    text.line.ended_at,
                    text.line.sdr_id,
                    text.counterparty,
                    text.line.evse_id,
                    _ROLES[text.role],
                ),
                (kwh(text.line.energy_wh), text.net),
            )
            for text in texts
        ).encode()

    def foot(self) -> bytes:
        """Return all that stands behind the lines."""
        return b"</tbody></table>\n</main></body></html>\n"

    def _title(self) -> Iterator[str]:
        statement = self._statement
        name = f"Statement {statement.statement_id}"
        yield (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{name}</title><style>{_STYLE}</style></head><body><main>\n"
            f"<h1>{name}</h1>\n"
        )
        yield _table(
            "What this is",
            (),
            [
                ("Participant", f"{statement.party_id} {statement.participant_name}"),
                ("Issued by", f"{statement.issuer_party_id} {statement.issuer_name}"),
                (
                    "Settlement window",
                    f"{statement.window_id} ({statement.window_label})",
                ),
                ("Window closed", instant(statement.closed_at)),
                ("Currency", statement.currency),
            ],
        )

    def _sums(self) -> Iterator[str]:
        statement, amount = self._statement, self._amount
        yield "<h2>Totals</h2>\n"
        yield _table(
            f"Sums over all lines, amounts in {statement.currency}",
            (),
            [],
            [
                ("To receive", amount(statement.receivable_minor)),
                ("To pay", amount(statement.payable_minor)),
                ("Net (negative: to pay)", amount(statement.net_minor)),
                *due_of(statement),
                ("Service detail records", str(statement.line_count)),
                ("Energy, kWh", kwh(statement.energy_wh)),
            ],
        )

    def _counterparties(self) -> Iterator[str]:
        statement, amount = self._statement, self._amount
        yield "<h2>Counterparties</h2>\n"
        yield charts.shares(
            "shares",
            "Share of each counterparty",
            "Amounts in both directions together; the table below has each figure.",
            [
                charts.Share(
                    f"{total.party_id} {_ROLES[total.direction.value]}",
                    total.net_minor,
                    amount(total.net_minor),
                )
                for total in statement.counterparties
            ],
        )
        heads = ("Counterparty", "Direction")
        yield _open("Sums for each counterparty", heads, ("SDRs", "kWh", "Net"))
        for total in statement.counterparties:
            yield _row(
                (total.party_id, _ROLES[total.direction.value]),
                (total.sdr_count, kwh(total.energy_wh), amount(total.net_minor)),
            )
        yield "</tbody></table>\n"

    def _days(self) -> Iterator[str]:
        days, amount = self._statement.days, self._amount
        if not days:
            return
        yield "<h2>Days</h2>\n"
        first, last = days[0].day, days[-1].day
        about = f"From {first} to {last}; the table below has each figure."
        yield charts.bars(
            "energy",
            "Energy for each day",
            about,
            [charts.Bar(day.day, day.energy_wh) for day in days],
        )
        yield charts.bars(
            "amounts",
            "Amounts for each day: to receive above the line, to pay below",
            about,
            [
                charts.Bar(day.day, day.receivable_minor, day.payable_minor)
                for day in days
            ],
        )
        yield _open(
            "Sums for each day on which a session ended, in UTC",
            ("Day",),
            ("SDRs", "kWh", "To receive", "To pay"),
        )
        for day in days:
            yield _row(
                (day.day,),
                (
                    day.sdr_count,
                    kwh(day.energy_wh),
                    amount(day.receivable_minor),
                    amount(day.payable_minor),
                ),
            )
        yield "</tbody></table>\n"

    def _months(self) -> Iterator[str]:
        yield "<h2>Months</h2>\n"
        yield _open(
            "Sums for each month in which a session ended, in UTC",
            ("Month",),
            ("SDRs", "kWh", "Net"),
        )
        for month in self._statement.months:
            yield _row(
                (month.month,),
                (month.sdr_count, kwh(month.energy_wh), self._amount(month.net_minor)),
            )
        yield "</tbody></table>\n"

    def _lines_head(self) -> str:
        return "<h2>Service detail records</h2>\n" + _open(
            shown_of(self._statement.line_count, LINES_SHOWN_MAX),
            ("Line", "Ended", "SDR", "Counterparty", "EVSE", "Direction"),
            ("kWh", "Net"),
        )


def _table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[tuple[str, str]],
    sums: Iterable[tuple[str, str]] = (),
) -> str:
    parts = [_open(caption, heads, ())]
    parts += [f"<tr>{_head(name)}<td>{escape(text)}</td></tr>\n" for name, text in rows]
    parts += [
        f'<tr>{_head(name)}<td class="n">{text}</td></tr>\n' for name, text in sums
    ]
    return "".join([*parts, "</tbody></table>\n"])


def _head(name: str) -> str:
    return f'<th scope="row">{escape(name)}</th>'


def _open(caption: str, texts: Sequence[str], figures: Sequence[str]) -> str:
    heads = [f'<th scope="col">{name}</th>' for name in texts]
    heads += [f'<th scope="col" class="n">{name}</th>' for name in figures]
    row = f"<thead><tr>{''.join(heads)}</tr></thead>" if heads else ""
    return f"<table><caption>{escape(caption)}</caption>{row}<tbody>\n"


def _row(texts: Iterable[object], figures: Iterable[object]) -> str:
    cells = [f"<td>{escape(str(text))}</td>" for text in texts]
    cells += [f'<td class="n">{figure}</td>' for figure in figures]
    return f"<tr>{''.join(cells)}</tr>\n"
