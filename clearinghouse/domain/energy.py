"""Energy in whole watt-hours, power in whole watts; integers throughout."""

from __future__ import annotations

#: One kilowatt-hour.
WH_PER_KWH = 1000

#: The largest energy that one record may state. It stops a meter overflow, or watt-
#: seconds sent as watt-hours, from reaching sums; rules judge far smaller values.
ENERGY_WH_MAX = 1_000_000_000


def average_power_w(energy_wh: int, duration_seconds: int) -> int:
    """Return the mean power in watts, rounded down; 0 for no duration."""
    if duration_seconds <= 0:
        return 0
    return energy_wh * 3600 // duration_seconds


def exceeds_power(
    energy_wh: int, duration_seconds: int, *, power_w: int, percent: int
) -> bool:
    """Say whether the mean power passes ``percent`` of the rated power.

    Compared by products, so that nothing is rounded: Wh x 3600 x 100 against
    W x percent x s.
    """
    return energy_wh * 360_000 > power_w * percent * duration_seconds
