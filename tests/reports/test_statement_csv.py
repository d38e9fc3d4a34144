"""A statement as CSV: RFC 4180, dot decimals, no formulas."""

from __future__ import annotations

import csv
import doctest
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.statements import Direction
from clearinghouse.reports import statement_csv, text
from clearinghouse.reports.statement_csv import COLUMNS, ORIGIN_COLUMNS, CsvWriter
from tests.reports.statement_values import make_line, make_statement, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearinghouse.domain.statements import Statement, StatementLine

EXPECTED = (
    b"statementId,windowId,windowLabel,lineNo,role,counterpartyId,submitterId,sdrId,"
    b"sessionId,evseId,startedAt,endedAt,energyWh,chargeSeconds,idleSeconds,parkingSeconds,"
    b"tariffId,tariffVersion,engineVersion,currency,claimedNet,net,rules\r\n"
    b"ST-2026-000001,7,2026-11,1,RECEIVABLE,DEABC,CHREP,SDR-0001,"
    b"00000000-0000-0000-0000-000000000001,CH*REP*E0001*1,2026-11-21T11:00:00Z,"
    b"2026-11-21T11:40:00Z,23456,2400,0,0,T-1,1,1,EUR,11.49,11.49,S-301 S-304\r\n"
)


def render(statement: Statement, lines: Sequence[StatementLine]) -> bytes:
    return written(CsvWriter(statement), statement, lines)


def test_a_statement_of_before_keeps_its_bytes() -> None:
    line = make_line(rules="S-301 S-304")

    assert render(make_statement(line, layout=1), [line]) == EXPECTED


def test_the_bytes_are_these_and_no_others() -> None:
    line = make_line(rules="S-301 S-304")
    heading, first, _ = EXPECTED.split(b"\r\n")

    assert render(make_statement(line), [line]).split(b"\r\n") == [
        heading + b",kind,matchKind,reference,referenceWindow",
        first + b",ORIGINAL,SESSION_ID,,",
        b"",
    ]


def test_a_correction_names_what_it_corrects_and_in_which_window() -> None:
    line = make_line(
        kind="CREDIT", reference="=SDR,1", reference_window="6", match_kind=""
    )

    data = render(make_statement(line), [line]).decode()
    (row,) = csv.DictReader(io.StringIO(data, newline=""))

    assert [row[name] for name in ORIGIN_COLUMNS] == ["CREDIT", "", "'=SDR,1", "6"]


def test_a_statement_without_lines_has_its_heading() -> None:
    data = render(make_statement(), [])

    assert data.decode() == ",".join(COLUMNS | ORIGIN_COLUMNS) + "\r\n"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_texts_come_back_as_they_were_or_behind_an_apostrophe(evse_id: str) -> None:
    line = make_line(evse_id=evse_id)

    data = render(make_statement(line), [line]).decode()
    (row,) = csv.DictReader(io.StringIO(data, newline=""))

    assert row["evseId"] in (evse_id, f"'{evse_id}")
    assert row["evseId"][0] not in "=+-@"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_field_of_a_partner_begins_as_a_formula(start: str) -> None:
    line = make_line(sdr_id=f"{start}1+1", tariff_id=f"{start}HYPERLINK")

    data = render(make_statement(line), [line]).decode()
    (row,) = csv.DictReader(io.StringIO(data, newline=""))

    assert row["sdrId"] == f"'{start}1+1"
    assert row["tariffId"] == f"'{start}HYPERLINK"


def test_a_negative_amount_stays_a_number() -> None:
    line = make_line(net_minor=-1149, direction=Direction.PAYABLE, session_id="")

    data = render(make_statement(line), [line]).decode()
    (row,) = csv.DictReader(io.StringIO(data, newline=""))

    assert (row["net"], row["sessionId"]) == ("-11.49", "")


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (statement_csv, text):
        assert doctest.testmod(module).failed == 0
