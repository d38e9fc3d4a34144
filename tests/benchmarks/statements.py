"""Statements of a closed month: each SDR is a line of two, as XML and as CSV."""

from __future__ import annotations

from clearinghouse.services import statements
from tests.benchmarks._database import Stopwatch
from tests.benchmarks._figures import Figure
from tests.benchmarks._month import Month, show

NAME = "statements"
DESCRIPTION = "issue the statements of a month of a million SDRs (MONTH_SDRS=n)"

#: Seconds that a million lines may take.
TARGET_SECONDS = 15
_MILLION = 1_000_000


def of_month(made: Month) -> Figure:
    """Issue the statements of the closed month."""
    made.close()
    watch = Stopwatch()
    with made.timed("statements"):
        count = statements.issue_pending(made.env)
    watch.stop()
    seconds = made.seconds["statements"]
    lines = 2 * made.sdrs
    return Figure(
        name="statements, 1 M lines",
        reached=seconds * _MILLION / lines,
        target=TARGET_SECONDS,
        unit="s",
        where=(
            f"{count} statements, {lines} lines as XML and CSV in {seconds:.1f} s",
            made.cpu["statements"],
            *watch.lines(),
        ),
    )


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    show(of_month, "seconds_per_million_lines", json=json)
