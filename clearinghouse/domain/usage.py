"""What a service session used, in the finest stretches that are known.

A restricted price is chosen for each stretch by its beginning: for a charging
transaction or, where its meter was read in between, for each time from one reading to
the next (:func:`clearinghouse.domain.meters.split`). Wh and whole seconds; nothing here
knows a price.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

_SECONDS_PER_HOUR = 3600


# Tuples and not dataclasses: the bulk path makes two of these for each record.
class Interval(NamedTuple):
    """A stretch of charging: when it started, what it took, how long it lasted.

    It is a charging transaction or a part of one. ``power_w``: average power of the
    whole charging transaction where this is a part; ``None`` where it is the whole.
    """

    started_at: datetime
    energy_wh: int
    seconds: int
    power_w: int | None = None


class Usage(NamedTuple):
    """What a service session used; ``intervals`` are its charging, in order."""

    started_at: datetime
    ended_at: datetime
    intervals: tuple[Interval, ...]
    parking_seconds: int = 0
    idle_seconds: int = 0


def average_power_w(energy_wh: int, seconds: int) -> int:
    """Return the average power in whole watts, rounded down; 0 when it took no time.

    Whole watts are enough: bounds of power are whole, so nothing is decided otherwise.

    >>> average_power_w(11_000, 3_600), average_power_w(1, 2), average_power_w(5, 0)
    (11000, 1800, 0)
    """
    return energy_wh * _SECONDS_PER_HOUR // seconds if seconds > 0 else 0
