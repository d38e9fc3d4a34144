"""Proving a month from its audit bundle alone, as an auditor does."""

from __future__ import annotations

import time
from itertools import pairwise

from clearinghouse.services import bundles, seals
from clearinghouse.verify.bundle import verify
from tests.benchmarks._figures import Figure
from tests.benchmarks._month import Month, show

NAME = "verify"
DESCRIPTION = "prove a month of a million SDRs from its bundle (MONTH_SDRS=n)"

#: Seconds that a million SDRs may take.
TARGET_SECONDS = 60
_MILLION = 1_000_000
_STEPS = 8


def of_month(made: Month) -> Figure:
    """Write the bundle of the month and prove it."""
    made.close()
    bundle, key = made.folder / "audit-bundle.zip", made.folder / "public-key.pem"
    with made.timed("bundle"):
        written = bundles.write_bundle(made.env, made.window_id, bundle)
    key.write_text(seals.keys(made.env)[-1].pem)
    steps: list[tuple[float, str]] = []
    with made.timed("verify"):
        report = verify(bundle, key, lambda at: steps.append((time.perf_counter(), at)))
    steps.append((time.perf_counter(), ""))
    if report.count:
        raise SystemExit(f"a true bundle has {report.count} differences")
    lasted = [(after - before, step) for (before, step), (after, _) in pairwise(steps)]
    lasted.sort(reverse=True)
    return Figure(
        name="verify, 1 M SDRs",
        reached=made.seconds["verify"] * _MILLION / made.sdrs,
        target=TARGET_SECONDS,
        unit="s",
        where=(
            f"bundle of {written.size} bytes in {made.seconds['bundle']:.1f} s before",
            made.cpu["verify"],
            *(f"{seconds:8.1f} s  {step}" for seconds, step in lasted[:_STEPS]),
        ),
    )


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    show(of_month, "seconds_per_million", json=json)
