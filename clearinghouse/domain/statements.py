"""Settlement statements: the facts that one is rendered from, and what must add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from clearinghouse.domain.vat import VatCategory, vat_of

#: Layout of the documents that are made now. What was booked under an earlier one is
#: rendered in that one for ever: 1 knows neither kind, match nor referenced window.
LAYOUT = 2

#: Characters of a month in a day, as in ``2026-11``.
_MONTH_LENGTH = 7


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


class TaxedShare(NamedTuple):
    """What one document holds under one category and rate of VAT.

    Amounts of a credit note are negative here: they lower what the invoice says.
    """

    document: str
    category: VatCategory
    rate_bp: int
    net_minor: int
    vat_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterpartyTotal:
    """What a participant gets from or owes to one other in the window: one side.

    ``net_minor`` is without VAT; ``taxed`` are in order of their documents.
    """

    party_id: str
    name: str
    direction: Direction
    sdr_count: int
    energy_wh: int
    net_minor: int
    taxed: tuple[TaxedShare, ...] = ()

    @property
    def vat_minor(self) -> int:
        """VAT of the documents of this side."""
        return sum(share.vat_minor for share in self.taxed)

    @property
    def gross_minor(self) -> int:
        """Net and VAT: what is due on this side."""
        return self.net_minor + self.vat_minor


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


def months_of(days: Iterable[DayTotal]) -> tuple[MonthTotal, ...]:
    """Return what the days of each month add up to; days come in order.

    >>> days = (
    ...     DayTotal("2026-10-31", 1, 500, 70, 20),
    ...     DayTotal("2026-11-01", 2, 9, 0, 5),
    ... )
    >>> [(one.month, one.net_minor) for one in months_of(days)]
    [('2026-10', 50), ('2026-11', -5)]
    """
    return tuple(
        MonthTotal(
            month=month,
            sdr_count=sum(day.sdr_count for day in found),
            energy_wh=sum(day.energy_wh for day in found),
            net_minor=sum(day.receivable_minor - day.payable_minor for day in found),
        )
        for month, found in (
            (month, tuple(same))
            for month, same in groupby(days, key=lambda day: day.day[:_MONTH_LENGTH])
        )
    )


class StatementLine(NamedTuple):
    """One SDR on a statement, without personal data: one of perhaps a million.

    Instants are in UTC as documents write them, ``2026-11-01T12:30:00Z``; a text is
    empty where there is nothing to say. ``submitter_id`` and ``home_csp_id`` are party
    ids; ``net_minor`` is negative for a credit only, the direction says who owes.
    ``rules`` are the rules it met, with blanks between, ``reference`` the SDR that a
    credit or a replacement corrects. ``document`` is the invoice or credit note that it
    stands on, empty when it is on none. With the tariff version and the engine version
    anybody can rate the line again. ``kind`` is that of the SDR, ``match_kind`` how its
    session was found, ``reference_window`` the window of the SDR that it corrects.
    """

    sdr_id: str
    submitter_id: str
    home_csp_id: str
    session_id: str
    evse_id: str
    started_at: str
    ended_at: str
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
    rules: str = ""
    reference: str = ""
    vat_category: str = ""
    vat_rate_bp: int = 0
    document: str = ""
    kind: str = ""
    match_kind: str = ""
    reference_window: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """All of a statement but its lines, which may be a million and are streamed.

    ``net_minor`` > 0: the participant gets it; like all amounts but ``gross_minor`` it
    is without VAT. ``gross_minor`` is what is due; ``None`` for a window that was
    closed before there was VAT. ``counterparties`` are in order of their
    party ids, receivable before payable; months and days in order; lines in order of
    start, submitter and SDR id. ``layout``: which fields its lines have.
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
    gross_minor: int | None = None
    layout: int = LAYOUT

    def gross_of(self, direction: Direction) -> int:
        """Return the sum of one direction, with VAT."""
        totals = self.counterparties
        return sum(one.gross_minor for one in totals if one.direction is direction)


#: What the proof of a statement counts of a line: counterparty, whether the participant
#: receives the amount, document, category and rate of VAT, energy in Wh, net.
Counted = tuple[str, bool, str, str, int, int, int]


def counted(line: StatementLine) -> Counted:
    """Return what the proof counts of a line."""
    return (
        counterparty_of(line),
        line.direction is Direction.RECEIVABLE,
        line.document,
        line.vat_category,
        line.vat_rate_bp,
        line.energy_wh,
        line.net_minor,
    )


def counterparty_of(line: StatementLine) -> str:
    """Return the party id of the other side of a line."""
    if line.direction is Direction.RECEIVABLE:
        return line.home_csp_id
    return line.submitter_id


#: Counterparty, whether it is received, document, category, rate: all but the sums.
_Key = tuple[str, bool, str, str, int]


class Audit:
    """Adds up the lines of a statement as they pass, and compares at the end.

    Partner by partner, with what is owed as negative: more credits than charges turn a
    total round, and then its lines stand on the other side.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        # Lines, energy and net by all else that is counted of a line.
        self._sums: dict[_Key, list[int]] = {}

    def add(self, lines: Iterable[Counted]) -> None:
        """Count lines."""
        sums = self._sums
        for line in lines:
            party, receives, document, category, rate_bp, energy_wh, net_minor = line
            key = party, receives, document, category, rate_bp
            entry = sums.setdefault(key, [0, 0, 0])
            entry[0] += 1
            entry[1] += energy_wh
            entry[2] += net_minor

    def violations(self) -> tuple[str, ...]:
        """Return what does not add up, from the lines up; empty proves it."""
        statement = self._statement
        stated: dict[str, list[int]] = {}
        for total in statement.counterparties:
            entry = stated.setdefault(total.party_id, [0, 0, 0])
            entry[0] += total.sdr_count
            entry[1] += total.energy_wh
            entry[2] += _signed(total.direction, total.net_minor)
        sums = self._by_counterparty()
        broken = _total_violations(statement)
        for party_id, total_of in stated.items():
            if sums.pop(party_id, [0, 0, 0]) != total_of:
                broken.append(f"the lines with {party_id} add up otherwise")
        broken.extend(f"lines with {party_id} have no total" for party_id in sums)
        if statement.gross_minor is not None:
            broken.extend(_vat_violations(statement, statement.gross_minor))
            broken.extend(self._share_violations())
        return tuple(broken)

    def _by_counterparty(self) -> dict[str, list[int]]:
        """Return lines, energy and net, negative where it is owed."""
        sums: dict[str, list[int]] = {}
        for key, (count, energy_wh, net_minor) in self._sums.items():
            entry = sums.setdefault(key[0], [0, 0, 0])
            entry[0] += count
            entry[1] += energy_wh
            entry[2] += net_minor if key[1] else -net_minor
        return sums

    def _share_violations(self) -> Iterable[str]:
        """Give the documents whose base is not the sum of their lines."""
        taxed: dict[tuple[str, str, int], int] = {}
        for key, entry in self._sums.items():
            taxed[key[2:]] = taxed.get(key[2:], 0) + entry[2]
        for total in self._statement.counterparties:
            for share in total.taxed:
                found = taxed.pop((share.document, share.category, share.rate_bp), 0)
                if found != share.net_minor:
                    yield f"{share.document}: the lines add up otherwise"
        if any(taxed.values()):
            yield "lines stand on no document"


def _signed(direction: Direction, amount_minor: int) -> int:
    return amount_minor if direction is Direction.RECEIVABLE else -amount_minor


def violations(statement: Statement, lines: Iterable[StatementLine]) -> tuple[str, ...]:
    """Return what does not add up, from the lines up; empty proves the statement."""
    audit = Audit(statement)
    audit.add(counted(line) for line in lines)
    return audit.violations()


def _vat_violations(statement: Statement, gross_minor: int) -> Iterable[str]:
    for total in statement.counterparties:
        if total.net_minor != sum(share.net_minor for share in total.taxed):
            yield f"the documents with {total.party_id} add up otherwise"
        for share in total.taxed:
            if share.vat_minor != vat_of(share.net_minor, share.rate_bp):
                yield f"{share.document}: VAT is not the rate on its base"
    due = [statement.gross_of(direction) for direction in Direction]
    if gross_minor != due[0] - due[1]:
        yield "gross is not receivable less payable, with VAT"


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
