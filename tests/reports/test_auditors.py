"""What the page for auditors promises: its own program finds every figure again.

The program is taken from the page and run by a Python of its own, so that it knows
nothing of ours.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.statements import (
    CounterpartyTotal,
    Direction,
    MonthTotal,
    TaxedShare,
    violations,
)
from clearinghouse.domain.vat import VatCategory
from clearinghouse.reports.statement_csv import CsvWriter
from clearinghouse.reports.statement_xml import XmlWriter
from tests.conventions.source import ROOT
from tests.reports.statement_values import make_line, make_statement, written

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.domain.statements import StatementLine

PAGE = ROOT / "docs" / "auditors.rst"
S = VatCategory.STANDARD
EXAMPLE = ROOT / "tests" / "contract" / "statement.xml"
LINES = (
    make_line(1, sdr_id="-SDR-1"),
    make_line(2, evse_id="=1+1", net_minor=-70, rules="S-304"),
    make_line(3, direction=Direction.PAYABLE, submitter_id="FRXYZ", energy_wh=7),
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Copy the program of the page into a file."""
    _, _, behind = PAGE.read_text("utf-8").partition(".. code-block:: python\n")
    code = []
    for line in behind.splitlines():
        if line.strip() and not line.startswith("   "):
            break
        code.append(line[3:])
    path = tmp_path / "check.py"
    path.write_text("\n".join(code), "utf-8")
    return path


@pytest.fixture
def issued(tmp_path: Path) -> tuple[Path, Path]:
    """Write a statement in both forms."""
    owed, owing = LINES[:2], LINES[2:]
    statement = make_statement(
        *LINES,
        counterparties=(
            total("DEABC", Direction.RECEIVABLE, *owed),
            total("FRXYZ", Direction.PAYABLE, *owing),
        ),
        months=(
            MonthTotal(month="2026-11", sdr_count=3, energy_wh=46_919, net_minor=-70),
        ),
        receivable_minor=1079,
        payable_minor=1149,
        net_minor=-70,
    )
    xml, table = tmp_path / "ST.xml", tmp_path / "ST.csv"
    xml.write_bytes(written(XmlWriter(statement), statement, LINES))
    table.write_bytes(written(CsvWriter(statement), statement, LINES))
    return xml, table


def total(
    party_id: str, direction: Direction, *lines: StatementLine
) -> CounterpartyTotal:
    """Add lines up."""
    return CounterpartyTotal(
        party_id=party_id,
        name="Partner",
        direction=direction,
        sdr_count=len(lines),
        energy_wh=sum(line.energy_wh for line in lines),
        net_minor=sum(line.net_minor for line in lines),
    )


def run(program: Path, *files: Path) -> str:
    """Return what the program says of a statement."""
    words = [sys.executable, "-I", str(program), *map(str, files)]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return (done.stdout or done.stderr).strip()


@pytest.mark.clause("4.3-I3")
def test_statement_and_its_table_agree(
    program: Path, issued: tuple[Path, Path]
) -> None:
    assert run(program, *issued) == "agrees"


def test_example_of_the_contract_agrees(program: Path) -> None:
    assert run(program, EXAMPLE) == "agrees"


@pytest.mark.parametrize(
    ("original", "altered", "told"),
    [
        ("<sdrId>-SDR-1<", "<sdrId>-SDR-2<", "digest"),
        ("<energyWh>7</energyWh><charge", "<energyWh>8</energyWh><charge", "digest"),
        ("<lineNo>3<", "<lineNo>4<", "numbers"),
        ("<lineCount>3<", "<lineCount>2<", "number of lines"),
        ("<net>10.79</net></position>", "<net>10.80</net></position>", "position"),
        ("<payable>11.49<", "<payable>11.50<", "payable"),
        ("<month>2026-11<", "<month>2026-10<", "month"),
    ],
)
def test_every_altered_figure_is_found(
    program: Path, issued: tuple[Path, Path], original: str, altered: str, told: str
) -> None:
    xml, table = issued
    text = xml.read_text("utf-8")
    assert text.count(original) == 1
    xml.write_text(text.replace(original, altered), "utf-8")

    assert told in run(program, xml, table)


TAXED = (
    make_line(1, vat_category="S", vat_rate_bp=1900, document="IN-CHREP-2026-000001"),
    make_line(2, vat_category="S", vat_rate_bp=1900, document="IN-CHREP-2026-000001"),
    make_line(
        3,
        net_minor=-1149,
        vat_category="S",
        vat_rate_bp=2100,
        document="CN-CHREP-2026-000001",
    ),
)
SHARES = (
    TaxedShare("CN-CHREP-2026-000001", S, 2100, -1149, -241),
    TaxedShare("IN-CHREP-2026-000001", S, 1900, 2298, 437),
)


@pytest.fixture
def taxed(tmp_path: Path) -> Path:
    """Write a statement with an invoice and a credit note."""
    (plain,) = make_statement(*TAXED).counterparties
    statement = make_statement(
        *TAXED, counterparties=(replace(plain, taxed=SHARES),), gross_minor=1345
    )
    assert violations(statement, TAXED) == ()
    path = tmp_path / "ST-taxed.xml"
    path.write_bytes(written(XmlWriter(statement), statement, TAXED))
    return path


def test_vat_and_gross_are_found_again(program: Path, taxed: Path) -> None:
    assert run(program, taxed) == "agrees"


@pytest.mark.parametrize(
    ("original", "altered", "told"),
    [
        ("<vat>4.37</vat></taxed>", "<vat>4.36</vat></taxed>", "VAT of a document"),
        ("<vat>-2.41</vat></taxed>", "<vat>-2.40</vat></taxed>", "VAT of a document"),
        ("<net>22.98</net><vat>", "<net>22.99</net><vat>", "net of a document"),
        ("<gross>13.45</gross><tax", "<gross>13.46</gross><tax", "gross of a position"),
        ("<gross>13.45</gross></tot", "<gross>13.44</gross></tot", "gross"),
        (
            "<vatRate>21.00</vatRate><document>CN-CHREP",
            "<vatRate>20.00</vatRate><document>CN-CHREP",
            "net of a document",
        ),
    ],
)
def test_every_altered_figure_of_vat_is_found(
    program: Path, taxed: Path, original: str, altered: str, told: str
) -> None:
    text = taxed.read_text("utf-8")
    assert text.count(original) == 1
    taxed.write_text(text.replace(original, altered), "utf-8")

    assert told in run(program, taxed)


def test_altered_table_is_found(program: Path, issued: tuple[Path, Path]) -> None:
    xml, table = issued
    text = table.read_text("utf-8")
    table.write_text(text.replace(",FRXYZ,", ",FRXYY,", 1), "utf-8")

    assert "digest of the CSV" in run(program, xml, table)
