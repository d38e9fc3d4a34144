"""The demo as a first user runs it: one command, a whole day, twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.database import make_state_dir

LAST_LINE = re.compile(
    r"demo: \d+ sessions, \d+ SDRs accepted, \d+ refused, \d+ statements, net sum 0"
)


def _demo(state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clearinghouse", "demo", "--once", "--port", "19063"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "CLEARINGHOUSE_STATE_DIR": str(state)},
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("4.2-dual", "4.2-visited", "4.2-central", "4.3-I3", "5-B2")
def test_demo_plays_a_day_and_a_second_run_reuses_what_is_there() -> None:
    state = make_state_dir()
    try:
        first = _demo(state / "var")
        second = _demo(state / "var")
    finally:
        shutil.rmtree(state, ignore_errors=True)

    for done in (first, second):
        assert done.returncode == 0, done.stderr
        assert LAST_LINE.fullmatch(done.stdout.strip().splitlines()[-1])
