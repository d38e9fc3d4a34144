"""Sealing a closed month: every leaf read, checked and hashed up to the signed root."""

from __future__ import annotations

from clearinghouse.services import seals
from tests.benchmarks._database import Stopwatch
from tests.benchmarks._figures import Figure
from tests.benchmarks._month import Month, show

NAME = "seal"
DESCRIPTION = "seal a closed month of a million SDRs (MONTH_SDRS=n)"

#: Seconds that a million SDRs may take.
TARGET_SECONDS = 10
_MILLION = 1_000_000


def of_month(made: Month) -> Figure:
    """Seal the closed month."""
    made.close()
    watch = Stopwatch()
    with made.timed("seal"):
        sealed = seals.seal_pending(made.env)
    watch.stop()
    if sealed != 1:
        raise SystemExit(f"{sealed} windows were sealed")
    return Figure(
        name="seal, 1 M SDRs",
        reached=made.seconds["seal"] * _MILLION / made.sdrs,
        target=TARGET_SECONDS,
        unit="s",
        where=(made.cpu["seal"], *watch.lines()),
    )


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    show(of_month, "seconds_per_million", json=json)
