"""Settlement statements: the facts that one is rendered from, and what must add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Direction(StrEnum):
    """Whether the participant gets or owes an amount."""

    RECEIVABLE = "RECEIVABLE"
    PAYABLE = "PAYABLE"


class StatementFormat(StrEnum):
    """The renderings of a statement."""

    XML = "XML"
    CSV = "CSV"
    PDF = "PDF"
    HTML = "HTML"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterpartyTotal:
    """What a participant gets from or owes to one other in the window: one side."""

    party_id: str
    name: str
    direction: Direction
    sdr_count: int
    energy_wh: int
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotal:
    """What the sessions that ended in one calendar month of UTC add up to.

    ``month`` is written ``2026-11``; ``net_minor`` > 0: the participant gets it.
    """

    month: str
    sdr_count: int
    energy_wh: int
    net_minor: int


class DayTotal(NamedTuple):
    """What the sessions that ended on one day of UTC, as ``2026-11-21``, add up to."""

    day: str
    sdr_count: int
    energy_wh: int
    receivable_minor: int
    payable_minor: int


class StatementLine(NamedTuple):
    """One SDR on a statement, without personal data.

    ``submitter_id`` and ``home_csp_id`` are party ids; ``net_minor`` is negative for a
    credit only, the direction says who owes. ``rules`` are the rules it met,
    ``reference`` the SDR that a credit or a replacement corrects. With the
    tariff version and the engine version anybody can rate the line again.
    """

    sdr_id: str
    submitter_id: str
    home_csp_id: str
    session_id: UUID | None
    evse_id: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    charge_seconds: int
    idle_seconds: int
    parking_seconds: int
    tariff_id: str
    tariff_version: int
    engine_version: int
    direction: Direction
    claimed_minor: int
    net_minor: int
    rules: tuple[str, ...] = ()
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """All of a statement but its lines, which may be a million and are streamed.

    ``net_minor`` > 0: the participant gets it. ``counterparties`` are in order of their
    party ids, receivable before payable; months and days in order; lines in order of
    start, submitter and SDR id.
    """

    statement_id: str
    window_id: int
    window_label: str
    currency: str
    participant_id: int
    party_id: str
    participant_name: str
    participant_country: str
    issuer_party_id: str
    issuer_name: str
    opened_at: datetime
    closed_at: datetime
    counterparties: tuple[CounterpartyTotal, ...]
    months: tuple[MonthTotal, ...]
    days: tuple[DayTotal, ...]
    receivable_minor: int
    payable_minor: int
    net_minor: int
    line_count: int
    energy_wh: int


def counterparty_of(line: StatementLine) -> str:
    """Return the party id of the other side of a line."""
    if line.direction is Direction.RECEIVABLE:
        return line.home_csp_id
    return line.submitter_id


class Audit:
    """Adds up the lines of a statement as they pass, and compares at the end.

    Partner by partner, with what is owed as negative: more credits than charges turn a
    total round, and then its lines stand on the other side.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._sums: dict[str, list[int]] = {}

    def add(self, lines: Iterable[StatementLine]) -> None:
        """Count lines."""
        sums = self._sums
        for line in lines:
            entry = sums.setdefault(counterparty_of(line), [0, 0, 0])
            entry[0] += 1
            entry[1] += line.energy_wh
            entry[2] += _signed(line.direction, line.net_minor)

    def violations(self) -> tuple[str, ...]:
        """Return what does not add up, from the lines up; empty proves it."""
        statement = self._statement
        stated: dict[str, list[int]] = {}
        for total in statement.counterparties:
            entry = stated.setdefault(total.party_id, [0, 0, 0])
            entry[0] += total.sdr_count
            entry[1] += total.energy_wh
            entry[2] += _signed(total.direction, total.net_minor)
        sums = dict(self._sums)
        broken = _total_violations(statement)
        for party_id, total_of in stated.items():
            if sums.pop(party_id, [0, 0, 0]) != total_of:
                broken.append(f"the lines with {party_id} add up otherwise")
        broken.extend(f"lines with {party_id} have no total" for party_id in sums)
        return tuple(broken)


def _signed(direction: Direction, amount_minor: int) -> int:
    return amount_minor if direction is Direction.RECEIVABLE else -amount_minor


def violations(statement: Statement, lines: Iterable[StatementLine]) -> tuple[str, ...]:
    """Return what does not add up, from the lines up; empty proves the statement."""
    audit = Audit(statement)
    audit.add(lines)
    return audit.violations()


def _total_violations(statement: Statement) -> list[str]:
    broken: list[str] = []
    if statement.net_minor != statement.receivable_minor - statement.payable_minor:
        broken.append("net is not receivable less payable")
    for direction, stated in (
        (Direction.RECEIVABLE, statement.receivable_minor),
        (Direction.PAYABLE, statement.payable_minor),
    ):
        totals = [p for p in statement.counterparties if p.direction is direction]
        if stated != sum(total.net_minor for total in totals):
            broken.append(f"{direction.value} is not the sum of the counterparties")
    for name, totals_of in (
        ("counterparties", statement.counterparties),
        ("months", statement.months),
        ("days", statement.days),
    ):
        count = sum(total.sdr_count for total in totals_of)
        energy_wh = sum(total.energy_wh for total in totals_of)
        if (statement.line_count, statement.energy_wh) != (count, energy_wh):
            broken.append(f"count or energy is not that of the {name}")
    if statement.net_minor != sum(month.net_minor for month in statement.months):
        broken.append("net is not the sum of the months")
    by_day = (day.receivable_minor - day.payable_minor for day in statement.days)
    if statement.net_minor != sum(by_day):
        broken.append("net is not the sum of the days")
    return broken
