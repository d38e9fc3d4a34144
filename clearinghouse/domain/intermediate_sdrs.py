"""Intermediate SDRs: what a running session has used so far (3.10, 4.3-I3).

They inform and count nothing: no window, no posting, no total knows them. One is
numbered by the CSO; over the numbers of a session time, energy and meter rise together,
in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from clearinghouse import codes
from clearinghouse.domain.clock import CLOCK_AHEAD_SECONDS, seconds_between
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import CURRENCIES, minor_or_none
from clearinghouse.domain.sessions import Session, SessionEventKind
from clearinghouse.domain.usage import Interval, Usage

#: Intermediate SDRs of one session: two days with one every three minutes. It bounds
#: what a stuck station can fill.
PER_SESSION_MAX = 1_000

#: Seconds from one to the next, at least. It bounds what a home CSP is told.
INTERVAL_SECONDS = 60

#: Where a request has what is checked here.
_PATH = "intermediateSdr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the submitter says that the session costs so far, without taxes."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a CSO adds to a report of progress to make it an intermediate SDR.

    ``meter_wh``: what the meter shows, in Wh. ``tariff_id``: by which tariff the
    session shall be rated; without it nothing is estimated.
    """

    sequence_no: int
    meter_wh: int | None = None
    tariff_id: str | None = None
    claim: Claim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntermediateSdr:
    """One intermediate SDR: figures since the start of the session.

    ``claimed_minor``: the submitter's cost so far; ``estimated_minor``: ours by the
    tariff, charging only. Both are in minor units without taxes.
    """

    session_id: UUID
    sequence_no: int
    event_id: UUID
    occurred_at: datetime
    energy_wh: int
    meter_wh: int | None = None
    claimed_currency: str | None = None
    claimed_minor: int | None = None
    tariff_id: str | None = None
    tariff_version_id: int | None = None
    estimated_currency: str | None = None
    estimated_minor: int | None = None


class Neighbours(NamedTuple):
    """The next ones by number on one side of a number, of those that are known.

    ``metered``: the next one that tells its meter. It lies further away when the next
    one of all tells none.
    """

    nearest: IntermediateSdr | None
    metered: IntermediateSdr | None


def field_problems(
    told: Told, event: SessionEventKind, energy_wh: int | None
) -> Iterator[Item]:
    """Give what one lacks, or holds and must not, whatever the session."""
    if event is not SessionEventKind.PROGRESS:
        yield _item(codes.INTERMEDIATE_FIELD, "event", "PROGRESS", event.value)
    if energy_wh is None:
        expected = "the energy so far, in Wh"
        yield _item(codes.INTERMEDIATE_FIELD, "energyWh", expected, "nothing")
    if told.meter_wh is not None and told.meter_wh < 0:
        path = f"{_PATH}/meterWh"
        yield _item(codes.INTERMEDIATE_FIELD, path, "0 or more", told.meter_wh)
    if told.claim is not None and claimed_minor(told.claim) is None:
        expected = "a known currency, and an amount of 0 or more with its decimals"
        found = f"{told.claim.amount} {told.claim.currency}"
        path = f"{_PATH}/claimedNet"
        yield _item(codes.INTERMEDIATE_FIELD, path, expected, found)


def claimed_minor(claim: Claim) -> int | None:
    """Return a claim in minor units, ``None`` when there is no such amount."""
    currency = CURRENCIES.get(claim.currency)
    if currency is None or claim.amount < 0:
        return None
    return minor_or_none(claim.amount, currency)


def order_problems(
    new: IntermediateSdr, before: Neighbours, after: Neighbours
) -> Iterator[Item]:
    """Give how a new one contradicts its neighbours by number.

    ``before`` has the next lower numbers of those that are known, ``after`` the same
    or the next higher ones.
    """
    same = after.nearest
    if same is not None and same.sequence_no == new.sequence_no:
        path, expected = f"{_PATH}/sequenceNo", "a number that is not used"
        yield _item(codes.INTERMEDIATE_ORDER, path, expected, new.sequence_no)
        return
    for side, is_before in ((before, True), (after, False)):
        if side.nearest is not None:
            yield from _energy_problems(new, side.nearest, is_before=is_before)
        if side.metered is not None:
            yield from _meter_problems(new, side.metered, is_before=is_before)
        if side.nearest is not None:
            yield from _time_problems(new, side.nearest, is_before=is_before)


def _energy_problems(
    new: IntermediateSdr, one: IntermediateSdr, *, is_before: bool
) -> Iterator[Item]:
    low, high = (one, new) if is_before else (new, one)
    if low.energy_wh > high.energy_wh:
        expected = _bound(one.energy_wh, one, is_before=is_before)
        yield _item(codes.INTERMEDIATE_ORDER, "energyWh", expected, new.energy_wh)


def _meter_problems(
    new: IntermediateSdr, one: IntermediateSdr, *, is_before: bool
) -> Iterator[Item]:
    low, high = (one, new) if is_before else (new, one)
    if _is_below(high.meter_wh, low.meter_wh):
        expected = _bound(one.meter_wh, one, is_before=is_before)
        path = f"{_PATH}/meterWh"
        yield _item(codes.INTERMEDIATE_ORDER, path, expected, new.meter_wh)


def _time_problems(
    new: IntermediateSdr, one: IntermediateSdr, *, is_before: bool
) -> Iterator[Item]:
    low, high = (one, new) if is_before else (new, one)
    found = new.occurred_at.isoformat()
    if low.occurred_at >= high.occurred_at:
        word = "after" if is_before else "before"
        expected = f"{word} {one.occurred_at.isoformat()}"
        yield _item(codes.INTERMEDIATE_ORDER, "occurredAt", expected, found)
    elif seconds_between(low.occurred_at, high.occurred_at) < INTERVAL_SECONDS:
        expected = f"{INTERVAL_SECONDS} s from {one.occurred_at.isoformat()}"
        yield _item(codes.INTERMEDIATE_LIMIT, "occurredAt", expected, found)


def _bound(wh: int | None, one: IntermediateSdr, *, is_before: bool) -> str:
    side = "at least" if is_before else "at most"
    return f"{side} {wh} Wh, as number {one.sequence_no} has"


def start_problems(new: IntermediateSdr, session: Session) -> Iterator[Item]:
    """Give how a new one lies before its session.

    Before the start is reported the session's own making bounds it, by our clock: as
    far as the clocks of partners may differ.
    """
    earliest = session.started_at
    if earliest is None:
        earliest = session.created_at - timedelta(seconds=CLOCK_AHEAD_SECONDS)
    if new.occurred_at < earliest:
        expected = f"from the start of the session on, {earliest.isoformat()}"
        found = new.occurred_at.isoformat()
        yield _item(codes.INTERMEDIATE_ORDER, "occurredAt", expected, found)


def count_problems(count: int) -> Iterator[Item]:
    """Give why a session takes no more when it has so many already."""
    if count >= PER_SESSION_MAX:
        path = f"{_PATH}/sequenceNo"
        expected = f"at most {PER_SESSION_MAX} of a session"
        yield _item(codes.INTERMEDIATE_LIMIT, path, expected, count + 1)


def tariff_problem(tariff_id: str, started_at: datetime) -> Item:
    """Return why nothing is estimated by a tariff that was not in force."""
    path = f"{_PATH}/tariffId"
    expected = f"a tariff in force at {started_at.isoformat()}"
    return _item(codes.INTERMEDIATE_FIELD, path, expected, tariff_id)


def usage_so_far(started_at: datetime, known: Iterable[IntermediateSdr]) -> Usage:
    """Return what a session used up to the last of these, which are in order.

    Each time from one to the next is a stretch of its own, as with meter readings.
    """
    intervals: list[Interval] = []
    at, energy_wh = started_at, 0
    for one in known:
        seconds = max(0, seconds_between(at, one.occurred_at))
        intervals.append(Interval(at, one.energy_wh - energy_wh, seconds))
        at, energy_wh = one.occurred_at, one.energy_wh
    return Usage(started_at, at, tuple(intervals))


def is_same(stored: IntermediateSdr | None, new: Told | None) -> bool:
    """Say whether a repeated report adds what it added before."""
    if stored is None or new is None:
        return stored is None and new is None
    claim = new.claim
    return (
        stored.sequence_no == new.sequence_no
        and stored.meter_wh == new.meter_wh
        and stored.claimed_currency == (None if claim is None else claim.currency)
        and stored.claimed_minor == (None if claim is None else claimed_minor(claim))
        and stored.tariff_id == new.tariff_id
    )


def _is_below(later_wh: int | None, earlier_wh: int | None) -> bool:
    return later_wh is not None and earlier_wh is not None and later_wh < earlier_wh


def _item(code: codes.Code, path: str, expected: str, found: object) -> Item:
    return Item(code=code, path=path, expected=expected, found=str(found))
