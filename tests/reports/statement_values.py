"""Statements as values, for rendering without a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from clearinghouse.domain.statements import (
    CounterpartyTotal,
    DayTotal,
    Direction,
    MonthTotal,
    Statement,
    StatementLine,
)
from clearinghouse.reports.lines import LineNumbers
from clearinghouse.reports.text import instant
from clearinghouse.reports.writers import StatementWriter

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def make_line(number: int = 1, **override: Any) -> StatementLine:  # noqa: ANN401
    """Make a line of 11.49 to receive."""
    line = StatementLine(
        sdr_id=f"SDR-{number:04d}",
        submitter_id="CHREP",
        home_csp_id="DEABC",
        session_id=str(UUID(int=number)),
        evse_id="CH*REP*E0001*1",
        started_at=instant(AT + timedelta(hours=number)),
        ended_at=instant(AT + timedelta(hours=number, minutes=40)),
        energy_wh=23_456,
        charge_seconds=2_400,
        idle_seconds=0,
        parking_seconds=0,
        tariff_id="T-1",
        tariff_version=1,
        engine_version=1,
        direction=Direction.RECEIVABLE,
        claimed_minor=1149,
        net_minor=1149,
        kind="ORIGINAL",
        match_kind="SESSION_ID",
    )
    return line._replace(**override)


def day_of(line: StatementLine) -> DayTotal:
    """Return what a line adds to its day."""
    receives = line.direction is Direction.RECEIVABLE
    return DayTotal(
        line.ended_at[:10],
        1,
        line.energy_wh,
        line.net_minor if receives else 0,
        0 if receives else line.net_minor,
    )


def merged(days: Iterable[DayTotal]) -> tuple[DayTotal, ...]:
    """Return one total for each day."""
    by_day: dict[str, list[DayTotal]] = {}
    for total in days:
        by_day.setdefault(total.day, []).append(total)
    return tuple(
        DayTotal(
            day,
            sum(total.sdr_count for total in found),
            sum(total.energy_wh for total in found),
            sum(total.receivable_minor for total in found),
            sum(total.payable_minor for total in found),
        )
        for day, found in sorted(by_day.items())
    )


def make_statement(*lines: StatementLine, **override: Any) -> Statement:  # noqa: ANN401
    """Make the statement of the visited CSO that these lines add up to."""
    net_minor = sum(line.net_minor for line in lines)
    energy_wh = sum(line.energy_wh for line in lines)
    total = CounterpartyTotal(
        party_id="DEABC",
        name="Home CSP",
        direction=Direction.RECEIVABLE,
        sdr_count=len(lines),
        energy_wh=energy_wh,
        net_minor=net_minor,
    )
    month = MonthTotal(
        month="2026-11", sdr_count=len(lines), energy_wh=energy_wh, net_minor=net_minor
    )
    days = tuple(day_of(line) for line in lines)
    statement = Statement(
        statement_id="ST-2026-000001",
        window_id=7,
        window_label="2026-11",
        currency="EUR",
        participant_id=1,
        party_id="CHREP",
        participant_name="Repower & Söhne <AG>",
        participant_country="CH",
        issuer_party_id="CHCLR",
        issuer_name="Clearing house",
        opened_at=AT - timedelta(days=30),
        closed_at=AT + timedelta(days=2),
        counterparties=(total,) if lines else (),
        months=(month,) if lines else (),
        days=merged(days),
        receivable_minor=net_minor,
        payable_minor=0,
        net_minor=net_minor,
        line_count=len(lines),
        energy_wh=energy_wh,
    )
    return replace(statement, **override)


def written(
    writer: StatementWriter, statement: Statement, *batches: Sequence[StatementLine]
) -> bytes:
    """Return a whole statement; its lines come batch by batch."""
    numbers = LineNumbers(statement)
    lines = [writer.lines(numbers.texts(batch)) for batch in batches]
    return b"".join([writer.head(), *lines, writer.foot()])
