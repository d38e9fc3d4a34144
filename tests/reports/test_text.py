"""How values are written in documents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.reports.text import kwh


@given(st.integers(-(10**9), 10**9))
def test_energy_is_written_exactly(energy_wh: int) -> None:
    sign, digits = (-1, 1) if energy_wh < 0 else (1, 0)
    whole, _, rest = kwh(energy_wh)[digits:].partition(".")

    assert len(rest) == 3
    assert sign * (int(whole) * 1000 + int(rest)) == energy_wh
