"""Statements of a closed month: each SDR is a line of two, as XML and as CSV."""

from __future__ import annotations

import json as json_text
import time

from clearinghouse.services import statements
from tests.benchmarks._database import Stopwatch
from tests.benchmarks._figures import Figure
from tests.benchmarks._month import Month, month

NAME = "statements"
DESCRIPTION = "issue the statements of a month of a million SDRs (MONTH_SDRS=n)"

#: Seconds that a million lines may take.
TARGET_SECONDS = 15
_MILLION = 1_000_000


def of_month(made: Month) -> Figure:
    """Issue the statements of the closed month."""
    made.close()
    watch = Stopwatch()
    cpu = time.process_time()
    with made.timed("statements"):
        count = statements.issue_pending(made.env)
    watch.stop()
    cpu = time.process_time() - cpu
    seconds = made.seconds["statements"]
    lines = 2 * made.sdrs
    return Figure(
        name="statements, 1 M lines",
        reached=seconds * _MILLION / lines,
        target=TARGET_SECONDS,
        unit="s",
        where=(
            f"{count} statements, {lines} lines as XML and CSV in {seconds:.1f} s",
            f"CPU of this process {cpu:.1f} s",
            *watch.lines(),
        ),
    )


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    with month() as made:
        figure = of_month(made)
    if json:
        print(json_text.dumps({"seconds_per_million_lines": figure.reached}))
        return
    figure.show()
