"""What two partners compare to know that both have the same SDRs: a digest per day.

Anybody can make it from his own list: SDR ids in capitals, without doubles, in the
order of their bytes, each followed by a line feed, SHA-256 over all of it. The database
makes the same one (:mod:`clearinghouse.storage.sdr_digests`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, Item

#: Days of one question. It bounds what one answer adds up.
DAYS_MAX = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Whole days of UTC, both ends counted."""

    first: date
    last: date

    @property
    def starts_at(self) -> datetime:
        """The first instant."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def ends_at(self) -> datetime:
        """The first instant after the last day."""
        return self.starts_at + (self.last - self.first + timedelta(days=1))


def days_of(first: str, last: str) -> Days:
    """Return the days from one to another, written as ``2026-11-23``.

    Raises :class:`ClearingHouseError` (``SDR_DAYS``) for a day that no calendar has, an
    end before the start, and more than :data:`DAYS_MAX` days.
    """
    try:
        days = Days(first=date.fromisoformat(first), last=date.fromisoformat(last))
    except ValueError as error:
        raise _no_days("firstDay", "days of the calendar") from error
    if days.last < days.first:
        raise _no_days("lastDay", f"{first} or later")
    if (days.last - days.first).days >= DAYS_MAX:
        raise _no_days("lastDay", f"at most {DAYS_MAX} days")
    return days


def _no_days(path: str, expected: str) -> ClearingHouseError:
    item = Item(code=codes.SDR_DAYS, path=path, expected=expected)
    return ClearingHouseError(codes.SDR_DAYS, items=(item,))


def digest_of(sdr_ids: Iterable[str]) -> bytes:
    r"""Return the digest of a set of SDR ids.

    >>> digest_of(["b-1", "A-1", "B-1"]) == sha256(b"A-1\nB-1\n").digest()
    True
    """
    hashed = sha256()
    for sdr_id in sorted({sdr_id.upper() for sdr_id in sdr_ids}):
        hashed.update(f"{sdr_id}\n".encode())
    return hashed.digest()
