"""Time: the clock as a port, and half-open periods.

Instants are aware; durations are differences in UTC and so do not jump with daylight
saving. The clock is read here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Protocol

#: How far a partner's clock may run ahead of ours before its reports are refused. It
#: stops a wrong clock from placing events that no later event could ever overtake.
CLOCK_AHEAD_SECONDS = 120

#: How long ago what a partner reports may have happened: as long as an SDR may take
#: (S-107). It stops a wrong clock from dating sessions by decades.
REPORT_AGE_DAYS_MAX = 60

#: Instants whose text is remembered: those of a few thousand SDRs.
_TEXTS_REMEMBERED_MAX = 8_192

_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


class Clock(Protocol):
    """Tells the time; tests hand in one that stands still."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)


class ShiftedClock:
    """The clock of the machine, moved: for rehearsals and for replaying the past."""

    def __init__(self, offset: Callable[[], timedelta]) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """Return the present instant plus the offset in force, aware, in UTC."""
        return datetime.now(UTC) + self._offset()


def instant_text(at: datetime) -> str:
    """Return an instant in ISO 8601, with its own offset.

    For the bulk path, which writes the same instants again and again: into a digest, a
    statement, two columns. Equal instants of two offsets are two texts.
    """
    return _text(at, at.tzinfo)


@lru_cache(maxsize=_TEXTS_REMEMBERED_MAX)
def _text(at: datetime, _zone: tzinfo | None) -> str:
    return at.isoformat()


def is_within(at: datetime, valid_from: datetime, valid_until: datetime | None) -> bool:
    """Say whether ``at`` lies in the half-open period; ``None`` is no end."""
    return valid_from <= at and (valid_until is None or at < valid_until)


def seconds_between(start: datetime, end: datetime) -> int:
    """Return the whole seconds from start to end, rounded down; negative backwards."""
    return (end - start) // _SECOND


def milliseconds_between(start: datetime, end: datetime) -> int:
    """Return the whole milliseconds from start to end, rounded down."""
    return (end - start) // (1000 * _MICROSECOND)


def is_too_far_ahead(occurred_at: datetime, now: datetime) -> bool:
    """Say whether a reported instant lies further ahead than clocks may differ."""
    return seconds_between(now, occurred_at) > CLOCK_AHEAD_SECONDS


def is_too_long_ago(occurred_at: datetime, now: datetime) -> bool:
    """Say whether a reported instant lies so far back that its clock must be wrong."""
    return now - occurred_at > timedelta(days=REPORT_AGE_DAYS_MAX)
