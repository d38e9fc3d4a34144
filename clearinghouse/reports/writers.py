"""The face of every statement writer, and how to get one by its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from clearinghouse.domain.line_layouts import Layout
from clearinghouse.domain.statements import Statement, StatementFormat
from clearinghouse.reports.lines import LineText
from clearinghouse.reports.statement_csv import CsvWriter
from clearinghouse.reports.statement_html import HtmlWriter
from clearinghouse.reports.statement_pdf import PdfWriter
from clearinghouse.reports.statement_xml import XmlWriter
from clearinghouse.reports.xml_signature import Sign


class StatementWriter(Protocol):
    """Writes one statement in one pass: same input, same bytes, flat memory."""

    def head(self) -> bytes:
        """Return all that stands before the lines."""
        ...

    def lines(self, batch: Iterable[LineText]) -> bytes:
        """Return the next lines; batches come in the statement's order."""
        ...

    def foot(self) -> bytes:
        """Return all that stands behind the lines."""
        ...


class DocumentWriter(StatementWriter, Protocol):
    """Writes a form with all lines, which may come as texts after its layouts."""

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """How a line is written, by what :meth:`written` takes."""
        ...

    def written(self, texts: Sequence[str], count: int) -> bytes:
        """Return the next lines: a text for each layout, of so many lines."""
        ...


#: Writers of one statement, by what they write.
Writers = Mapping[StatementFormat, DocumentWriter]


def document_writers(statement: Statement, sign: Sign | None) -> Writers:
    """Return new writers of what is issued for every statement.

    XML is signed by ``sign``.
    """
    return {
        StatementFormat.XML: XmlWriter(statement, sign),
        StatementFormat.CSV: CsvWriter(statement),
    }


#: Who writes the forms for people.
_PAGES: Mapping[StatementFormat, Callable[[Statement], StatementWriter]] = {
    StatementFormat.PDF: PdfWriter,
    StatementFormat.HTML: HtmlWriter,
}


def page_writer(fmt: StatementFormat, statement: Statement) -> StatementWriter:
    """Return a new writer of a form for people."""
    return _PAGES[fmt](statement)
