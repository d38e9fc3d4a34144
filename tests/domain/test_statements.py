"""Statements add up from their lines to their net."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearinghouse.domain.statements import (
    Audit,
    CounterpartyTotal,
    DayTotal,
    Direction,
    MonthTotal,
    Statement,
    StatementLine,
    counted,
    counterparty_of,
    violations,
)
from tests.domain.builders import NOW, SESSION_ID, START


def make_line(
    sdr_id: str,
    minor: int,
    direction: Direction = Direction.RECEIVABLE,
    other: str = "DEHOM",
) -> StatementLine:
    gets = direction is Direction.RECEIVABLE
    return StatementLine(
        sdr_id=sdr_id,
        submitter_id="CHVIS" if gets else other,
        home_csp_id=other if gets else "CHVIS",
        session_id=str(SESSION_ID),
        evse_id="CH*VIS*E1*1",
        started_at="2026-11-22T08:00:00Z",
        ended_at="2026-11-22T08:40:00Z",
        energy_wh=1_000,
        charge_seconds=600,
        idle_seconds=0,
        parking_seconds=0,
        tariff_id="T1",
        tariff_version=1,
        engine_version=1,
        direction=direction,
        claimed_minor=minor,
        net_minor=minor,
    )


LINES = (
    make_line("S1", 1_000),
    make_line("S2", 49),
    make_line("S3", 300, Direction.PAYABLE),
    make_line("S4", 7, Direction.PAYABLE, "FROTH"),
)


def make_total(
    party_id: str, direction: Direction, minor: int, count: int
) -> CounterpartyTotal:
    return CounterpartyTotal(
        party_id=party_id,
        name=party_id,
        direction=direction,
        sdr_count=count,
        energy_wh=count * 1_000,
        net_minor=minor,
    )


def make_month(minor: int, count: int = 4) -> MonthTotal:
    return MonthTotal(
        month="2026-11", sdr_count=count, energy_wh=count * 1_000, net_minor=minor
    )


TOTALS = (
    make_total("DEHOM", Direction.RECEIVABLE, 1_049, 2),
    make_total("DEHOM", Direction.PAYABLE, 300, 1),
    make_total("FROTH", Direction.PAYABLE, 7, 1),
)


DAYS = (
    DayTotal("2026-11-01", 3, 3_000, 1_049, 300),
    DayTotal("2026-11-30", 1, 1_000, 0, 7),
)


def make_statement() -> Statement:
    return Statement(
        statement_id="ST-2026-000001",
        window_id=12,
        window_label="2026-11",
        currency="EUR",
        participant_id=2,
        party_id="CHVIS",
        participant_name="Visited",
        participant_country="CH",
        issuer_party_id="CHCLR",
        issuer_name="Clearing house",
        opened_at=START,
        closed_at=NOW,
        counterparties=TOTALS,
        months=(make_month(742),),
        days=DAYS,
        receivable_minor=1_049,
        payable_minor=307,
        net_minor=742,
        line_count=4,
        energy_wh=4_000,
    )


def test_true_statement_adds_up() -> None:
    assert violations(make_statement(), LINES) == ()
    assert violations(make_statement(), reversed(LINES)) == ()


@pytest.mark.parametrize(
    "changed",
    [
        replace(make_statement(), net_minor=743),
        replace(make_statement(), receivable_minor=1_050),
        replace(make_statement(), payable_minor=306),
        replace(make_statement(), line_count=5),
        replace(make_statement(), energy_wh=4_001),
        replace(make_statement(), counterparties=TOTALS[:2]),
        replace(make_statement(), months=(make_month(743),)),
        replace(make_statement(), months=(make_month(742, 3),)),
        replace(make_statement(), days=DAYS[:1]),
        replace(make_statement(), days=(*DAYS, DayTotal("2026-12-01", 0, 0, 1, 0))),
        replace(
            make_statement(),
            counterparties=(
                TOTALS[0],
                make_total("DEHOM", Direction.PAYABLE, 299, 1),
                make_total("FROTH", Direction.PAYABLE, 8, 1),
            ),
        ),
    ],
)
def test_changed_statement_does_not_add_up(changed: Statement) -> None:
    assert violations(changed, LINES)


@pytest.mark.parametrize(
    "lines",
    [
        LINES[1:],
        (*LINES, make_line("S5", 0)),
        (*LINES[:3], make_line("S4", 8, Direction.PAYABLE, "FROTH")),
        (*LINES[:3], make_line("S4", 7, Direction.PAYABLE, "ITNEW")),
    ],
)
def test_changed_lines_do_not_add_up(lines: tuple[StatementLine, ...]) -> None:
    assert violations(make_statement(), lines)


def test_lines_may_come_in_pieces() -> None:
    audit = Audit(make_statement())
    for line in LINES:
        audit.add([counted(line)])

    assert audit.violations() == ()


def test_line_knows_its_other_side_() -> None:
    assert [counterparty_of(line) for line in LINES] == [
        "DEHOM",
        "DEHOM",
        "DEHOM",
        "FROTH",
    ]
