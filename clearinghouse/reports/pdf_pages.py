"""Pages of a PDF: headings, tables and bars, one under the other, each time the same.

Everything is drawn by whole points. Plain English needs no font in the file; a text
with other letters brings one along, and what that lacks is written with Latin letters,
for the XML forms hold every name as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from text_unidecode import unidecode

from clearinghouse.reports.charts import BARS_MAX, Bar
from clearinghouse.texts import readable

#: Left and right edge of what is printed, and the lowest line, in points.
LEFT = 48
RIGHT = 547
_TOP = 790
_BOTTOM = 60
_FOOT = 36
_LEADING = 13
_SIZE = 8
_CHART_HEIGHT = 90
_PLAIN, _BOLD = "Helvetica", "Helvetica-Bold"
#: The fonts with the letters of Europe that are written in Latin.
_LETTERED = {_PLAIN: "Vera", _BOLD: "VeraBd"}
_UP, _DOWN = HexColor("#404040"), HexColor("#9a9a9a")


class Column(NamedTuple):
    """A column of a table: its heading, where it begins or, for figures, ends."""

    name: str
    place: int
    is_figure: bool = False


class Pages:
    """Writes a PDF from top to bottom; a full page is followed by the next."""

    def __init__(self, title: str, *, author: str) -> None:
        self._file = BytesIO()
        self._canvas: Any = Canvas(
            self._file, pagesize=A4, invariant=1, pageCompression=1, lang="en"
        )
        self._canvas.setTitle(printable(title))
        self._canvas.setAuthor(printable(author))
        self._title = printable(title)
        self._y = _TOP
        self._begin_page()

    def heading(self, text: str, *, size: int = 11) -> None:
        """Write a heading; it never stands alone at the foot of a page."""
        self._room(4 * _LEADING + size)
        self._y -= size
        self._word(LEFT, printable(text), _BOLD, size)
        self._y -= _LEADING

    def text(self, text: str) -> None:
        """Write a line of text; it is cut at the edge."""
        self._room(_LEADING)
        self._word(LEFT, _fitting(text, RIGHT - LEFT))
        self._y -= _LEADING

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write names and what they stand for."""
        for name, value in rows:
            self._room(_LEADING)
            self._word(LEFT, _fitting(name, 150), _BOLD)
            self._word(LEFT + 155, _fitting(value, RIGHT - LEFT - 155))
            self._y -= _LEADING
        self._y -= _LEADING // 2

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Write a table; its headings stand on each of its pages."""
        self._table_head(columns)
        for row in rows:
            if self._y < _BOTTOM:
                self._next_page()
                self._table_head(columns)
            self._cells(columns, row)
        self._y -= _LEADING // 2

    def bars(self, given: Sequence[Bar]) -> None:
        """Draw columns side by side: up from the line in one tone, down in another."""
        shown = given[-BARS_MAX:]
        self._room(_CHART_HEIGHT + 2 * _LEADING)
        highest = max([0, *(max(bar.up, -bar.down) for bar in shown)])
        lowest = max([0, *(max(bar.down, -bar.up) for bar in shown)])
        whole = max(highest + lowest, 1)
        line = self._y - _CHART_HEIGHT * highest // whole
        step = min((RIGHT - LEFT) // max(len(shown), 1), 24)
        for place, bar in enumerate(shown):
            for value, colour in ((bar.up, _UP), (-bar.down, _DOWN)):
                height = _CHART_HEIGHT * abs(value) // whole
                base = line if value > 0 else line - height
                left = LEFT + place * step
                self._box(left, base, (max(step - 2, 1), height), colour)
        self._canvas.line(LEFT, line, RIGHT, line)
        self._y -= _CHART_HEIGHT + _LEADING
        if shown:
            self._word(LEFT, printable(shown[0].label))
            self._canvas.drawRightString(RIGHT, self._y, printable(shown[-1].label))
        self._y -= _LEADING

    def document(self) -> bytes:
        """Return the PDF; nothing can be added any more."""
        self._canvas.save()
        return self._file.getvalue()

    def _box(self, left: int, base: int, size: tuple[int, int], colour: Color) -> None:
        width, height = size
        if height:
            self._canvas.saveState()
            self._canvas.setFillColor(colour)
            self._canvas.rect(left, base, width, height, stroke=0, fill=1)
            self._canvas.restoreState()

    def _table_head(self, columns: Sequence[Column]) -> None:
        self._room(3 * _LEADING)
        self._cells(columns, [column.name for column in columns], font=_BOLD)
        self._canvas.line(LEFT, self._y + 9, RIGHT, self._y + 9)

    def _cells(
        self, columns: Sequence[Column], row: Sequence[str], *, font: str = _PLAIN
    ) -> None:
        for place, (column, text) in enumerate(zip(columns, row, strict=True)):
            if column.is_figure:
                self._canvas.setFont(font, _SIZE)
                self._canvas.drawRightString(column.place, self._y, printable(text))
            else:
                edge = _next_edge(columns, place)
                self._word(column.place, _fitting(text, edge - column.place), font)
        self._y -= _LEADING

    def _word(
        self, left: int, text: str, font: str = _PLAIN, size: int = _SIZE
    ) -> None:
        if not text.isascii():
            _register_fonts()
            font = _LETTERED[font]
        self._canvas.setFont(font, size)
        self._canvas.drawString(left, self._y, text)

    def _room(self, height: int) -> None:
        if self._y - height < _BOTTOM:
            self._next_page()

    def _next_page(self) -> None:
        self._canvas.showPage()
        self._begin_page()

    def _begin_page(self) -> None:
        self._y = _TOP
        self._canvas.setFont(_PLAIN, _SIZE)
        page = self._canvas.getPageNumber()
        self._canvas.drawString(LEFT, _FOOT, self._title)
        self._canvas.drawRightString(RIGHT, _FOOT, f"Page {page}")
        self._canvas.setLineWidth(1)


def printable(text: str) -> str:
    """Return a text in letters that the font has."""
    shown = readable(text)
    if shown.isascii():
        return shown
    letters = _letters()
    return "".join(one if ord(one) in letters else unidecode(one) for one in shown)


def _fitting(text: str, width: int) -> str:
    """Return as much of a text as fits; what is cut off ends with dots."""
    shown = printable(text)
    # No letter is wider than the size of the font: most texts need no measuring.
    if len(shown) * _SIZE <= width or _width(shown) <= width:
        return shown
    while shown and _width(f"{shown}...") > width:
        shown = shown[:-1]
    return f"{shown}..."


def _width(text: str) -> Any:  # noqa: ANN401 - points, compared and never kept
    font = _PLAIN if text.isascii() else _LETTERED[_PLAIN]
    return pdfmetrics.stringWidth(text, font, _SIZE)


def _next_edge(columns: Sequence[Column], place: int) -> int:
    """Return where the column after one begins; figures get what their text takes."""
    if place + 1 == len(columns):
        return RIGHT
    following = columns[place + 1]
    return following.place - (60 if following.is_figure else 4)


@cache
def _letters() -> frozenset[int]:
    _register_fonts()
    return frozenset(pdfmetrics.getFont(_LETTERED[_PLAIN]).face.charToGlyph)


@cache
def _register_fonts() -> None:
    for name in _LETTERED.values():
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
