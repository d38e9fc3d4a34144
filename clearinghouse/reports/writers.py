"""The face of every statement writer, and how to get one by its format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, assert_never

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


def documents_of(
    statement: Statement, sign: Sign | None
) -> dict[StatementFormat, DocumentWriter]:
    """Return new writers of what is issued for every statement."""
    return {
        StatementFormat.XML: XmlWriter(statement, sign),
        StatementFormat.CSV: CsvWriter(statement),
    }


def writer_of(
    fmt: StatementFormat, statement: Statement, sign: Sign | None = None
) -> StatementWriter:
    """Return a new writer of the statement in the format; XML is signed by ``sign``."""
    match fmt:
        case StatementFormat.XML:
            return XmlWriter(statement, sign)
        case StatementFormat.CSV:
            return CsvWriter(statement)
        case StatementFormat.PDF:
            return PdfWriter(statement)
        case StatementFormat.HTML:
            return HtmlWriter(statement)
        case _:
            assert_never(fmt)
