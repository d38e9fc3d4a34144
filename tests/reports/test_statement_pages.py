"""Statements for people: HTML and PDF with totals, charts and the first lines."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html
from pypdf import PdfReader

from clearinghouse.domain.statements import Direction, StatementFormat
from clearinghouse.reports import charts, statement_html, statement_pdf
from clearinghouse.reports.pdf_pages import printable
from clearinghouse.reports.writers import page_writer
from tests.reports.statement_values import make_line, make_statement, written

if TYPE_CHECKING:
    from clearinghouse.domain.statements import Statement, StatementLine

PEOPLE = (StatementFormat.HTML, StatementFormat.PDF)
LINES = tuple(make_line(number, net_minor=1149 - number) for number in range(1, 80))


def render(
    fmt: StatementFormat, statement: Statement, lines: tuple[StatementLine, ...]
) -> bytes:
    """Write a statement in two batches, as it is written from the database."""
    return written(page_writer(fmt, statement), statement, lines[:3], lines[3:])


def words_of_pdf(document: bytes) -> str:
    """Return all words of a PDF."""
    reader = PdfReader(BytesIO(document))
    return "\n".join(page.extract_text() for page in reader.pages)


def words_of_html(document: bytes) -> str:
    """Return what a reader of the page sees, and its descriptions."""
    return str(html.document_fromstring(document).text_content())


WORDS = {StatementFormat.HTML: words_of_html, StatementFormat.PDF: words_of_pdf}


@pytest.mark.parametrize("fmt", PEOPLE)
def test_same_statement_gives_the_same_bytes(fmt: StatementFormat) -> None:
    statement = make_statement(*LINES)

    assert render(fmt, statement, LINES) == render(fmt, statement, LINES)


@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize("fmt", PEOPLE)
def test_page_shows_totals_and_lines(fmt: StatementFormat) -> None:
    statement = make_statement(*LINES)

    words = WORDS[fmt](render(fmt, statement, LINES))

    for expected in ("ST-2026-000001", "876.11", "1853.024", "SDR-0079", "2026-11-24"):
        assert expected in words
    assert "All 79 lines" in words


@pytest.mark.parametrize(
    ("fmt", "most"),
    [
        (StatementFormat.HTML, statement_html.LINES_SHOWN_MAX),
        (StatementFormat.PDF, statement_pdf.LINES_SHOWN_MAX),
    ],
)
def test_long_statement_shows_its_first_lines_and_says_so(
    fmt: StatementFormat, most: int
) -> None:
    lines = tuple(make_line(number) for number in range(1, most + 3))

    words = WORDS[fmt](render(fmt, make_statement(*lines), lines))

    assert f"The first {most} of {most + 2} lines" in words
    assert f"SDR-{most:04d}" in words
    assert f"SDR-{most + 1:04d}" not in words


@pytest.mark.parametrize("fmt", PEOPLE)
def test_empty_statement_is_a_page_too(fmt: StatementFormat) -> None:
    assert "All 0 lines" in WORDS[fmt](render(fmt, make_statement(), ()))


def test_page_needs_nothing_from_anywhere_and_runs_nothing() -> None:
    line = make_line(1, evse_id="<script>alert(1)</script>")
    statement = make_statement(line, participant_name='A "B" <img src=x onerror=y>')

    document = render(StatementFormat.HTML, statement, (line,)).decode()
    tree = html.document_fromstring(document)

    assert not tree.xpath("//script|//link|//img|//iframe|//a|//*[@style]|//@src")
    assert not [name for name in tree.xpath("//@*") if "javascript" in name.lower()]
    addresses = set(re.findall(r"https?://[^\s\"<]+", document))
    assert addresses == {"http://www.w3.org/2000/svg"}
    policy = tree.xpath("string(//meta[@http-equiv]/@content)")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_each_chart_is_told_in_words_and_in_a_table() -> None:
    document = render(StatementFormat.HTML, make_statement(*LINES), LINES)
    tree = html.document_fromstring(document)
    drawings = tree.xpath("//svg")

    assert len(drawings) == 3
    for drawing in drawings:
        for name in drawing.get("aria-labelledby").split():
            assert tree.get_element_by_id(name).text_content()
    captions = tree.xpath("//table/caption/text()")
    assert len(captions) == len(tree.xpath("//table"))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))


def test_names_of_all_europe_can_be_read_in_the_pdf() -> None:
    assert printable("Łódź Český Ø ß Ελλάδα ț") == "Łódz Český Ø ß Ellada t"

    line = make_line(1)
    statement = make_statement(line, participant_name="Ελλάδα Łódź GmbH")

    words = words_of_pdf(render(StatementFormat.PDF, statement, (line,)))

    assert "Ellada Łódz GmbH" in words


def test_what_a_participant_pays_stands_below_the_line() -> None:
    lines = (
        make_line(1, net_minor=100),
        make_line(2, direction=Direction.PAYABLE, net_minor=300),
    )
    days = make_statement(*lines).days

    drawing = charts.bars(
        "k",
        "t",
        "d",
        [charts.Bar(d.day, d.receivable_minor, d.payable_minor) for d in days],
    )
    boxes = etree.fromstring(drawing).findall("{*}rect")

    assert [(box.get("y"), box.get("height")) for box in boxes] == [
        ("0", "40"),
        ("40", "120"),
    ]


@given(
    figures=st.lists(st.tuples(st.integers(), st.integers()), max_size=200),
    name=st.text(max_size=40),
)
def test_any_figures_stay_inside_their_drawing(
    figures: list[tuple[int, int]], name: str
) -> None:
    bars = [charts.Bar(str(place), *pair) for place, pair in enumerate(figures)]
    parts = [charts.Share(name, up, str(up)) for up, _ in figures]

    for drawing in (
        charts.bars("a", name, name, bars),
        charts.shares("b", name, name, parts),
    ):
        tree = etree.fromstring(drawing)
        width, height = int(tree.get("width", "")), int(tree.get("height", ""))
        for box in tree.findall("{*}rect"):
            left, top = int(box.get("x", "")), int(box.get("y", ""))
            assert left >= 0
            assert top >= 0
            assert left + int(box.get("width", "")) <= width
            assert top + int(box.get("height", "")) <= height


@pytest.mark.parametrize("fmt", PEOPLE)
def test_another_amount_gives_another_document(fmt: StatementFormat) -> None:
    statement = make_statement(*LINES)
    other = replace(statement, net_minor=statement.net_minor + 1)

    assert render(fmt, statement, LINES) != render(fmt, other, LINES)
