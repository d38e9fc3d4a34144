"""Usage: the average power of a stretch of charging."""

from __future__ import annotations

import pytest

from clearinghouse.domain.usage import average_power_w


@pytest.mark.parametrize(
    ("energy_wh", "seconds", "power_w"),
    [(11_000, 3_600, 11_000), (10_999, 3_601, 10_995), (1, 2, 1_800), (5, 0, 0)],
)
def test_power_is_energy_by_time_in_whole_watts(
    energy_wh: int, seconds: int, power_w: int
) -> None:
    assert average_power_w(energy_wh, seconds) == power_w
