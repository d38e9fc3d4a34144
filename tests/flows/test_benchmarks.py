"""The benchmarks go through: what they measure is a month that proves itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

RUN_SECONDS_MAX = 240


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_month_of_the_benchmarks_is_proved_from_its_bundle() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "verify"],
        env={**os.environ, "MONTH_SDRS": "600"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "verify, 1 M SDRs" in done.stdout
