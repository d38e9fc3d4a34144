"""The demo as a first user runs it: one command, a whole day, as often as wished."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.database import make_state_dir
from tests.flows.pages import block
from tests.running.program import Program, own_port, reap

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_LINE = re.compile(
    r"demo: \d+ sessions, \d+ SDRs accepted, \d+ refused, \d+ statements, net sum 0"
)
INTERRUPTED = 130
CALL_SECONDS = 120
RUNNING = "running; Ctrl-C stops"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give all tests of this module one place: each goes on where the last ended."""
    made = make_state_dir()
    yield made
    reap(made)
    shutil.rmtree(made, ignore_errors=True)


def demo(folder: Path, port: int, *words: str) -> Program:
    """Return the demo that will play in a folder; ``words`` are further options."""
    return Program(folder, "demo", ("--port", str(port), *words), port=port)


def _code_of(cut: Program) -> int:
    """Return how a demo ends that was cut off; a machine may let it finish before."""
    return 0 if RUNNING in cut.said else INTERRUPTED


def _pasted(said: str, heading: str) -> str:
    """Return the program that stands below a heading, as a person would copy it."""
    below = said.partition(heading)[2].partition("\n\n")[2]
    return re.split(r"\n(?:The same without|running; Ctrl-C)", below)[0]


def _run_elsewhere(program: str, cwd: Path, *, with_us: bool) -> str:
    """Run a pasted program; without us only what is installed beside zeep is there."""
    file = cwd / "pasted.py"
    file.write_text(program, encoding="utf-8")
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if with_us or not name.startswith(("PYTHON", "CLEARINGHOUSE"))
    }
    done = subprocess.run(
        [sys.executable, str(file)],
        cwd=cwd,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=CALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("4.2-dual", "4.2-visited", "4.2-central", "4.3-I3", "5-B2")
def test_demo_that_was_cut_off_plays_its_day_and_its_calls_work_as_printed(
    folder: Path, tmp_path: Path
) -> None:
    for words in ("a live question", "[3/4]"):
        cut = demo(folder, own_port(6)).start().until_says(words)
        code = cut.signal(signal.SIGINT).ended()
        assert code == _code_of(cut), cut.said
        assert not cut.left()
        assert "Traceback" not in cut.said
    cluster = (folder / "demo" / "postgres" / "data").stat().st_ino

    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        last = demo(folder, taken).start().until_says(RUNNING)
    said = last.said
    ours = _pasted(said, "A call to paste into")
    plain = _pasted(said, "The same without this package")
    submit = block("partners.rst", "   :name: submit")
    answers = (
        _run_elsewhere(ours, tmp_path, with_us=True),
        _run_elsewhere(f"{plain}\n{submit}", tmp_path, with_us=False),
    )
    code = last.signal(signal.SIGINT).ended()

    assert f"port {taken} is taken; using" in said
    assert LAST_LINE.search(said)
    assert (folder / "demo" / "postgres" / "data").stat().st_ino == cluster
    assert "clearinghouse" in ours
    assert "clearinghouse" not in plain
    assert all("'AUTHORIZED'" in answer for answer in answers)
    assert "accepted 1 held 0 refused 0" in answers[1]
    assert "--operator demo-operator" in said
    assert "--operator demo-second-operator" in said
    assert code == 0
    assert not last.left()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_once_stops_by_itself_and_its_last_line_counts_the_day(
    folder: Path,
) -> None:
    once = demo(folder, own_port(9), "--once").start()

    assert once.ended() == 0, once.said
    assert "sdr release" in once.said  # one is held, and a person has to know
    assert "all is proved" in once.said
    made = {path.name for path in (folder / "demo" / "statements").rglob("*.*")}
    assert {"audit-bundle.zip", "public-key.pem"} <= made
    for ending in ("-ubl.xml", "-cii.xml", "-pain.001.xml", "-EUR.pdf"):
        assert any(name.endswith(ending) for name in made), ending
    assert LAST_LINE.fullmatch(once.said.strip().splitlines()[-1])
    assert not once.left()


@pytest.mark.parametrize("seconds", [1, 3])
def test_demo_that_is_cut_off_while_it_starts_leaves_no_process(seconds: int) -> None:
    place = make_state_dir()
    try:
        cut = demo(place, own_port(12)).start().until_says("[1/4]")
        time.sleep(seconds)  # wherever it is by then

        code = cut.signal(signal.SIGTERM).ended()

        assert code == _code_of(cut), cut.said
        assert not cut.left()
    finally:
        reap(place)
        shutil.rmtree(place, ignore_errors=True)


def test_second_demo_in_one_place_is_told_who_plays_there(folder: Path) -> None:
    (folder / "demo").mkdir(exist_ok=True)
    with (
        (folder / "demo" / "demo.lock").open("ab") as lock,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = demo(folder, taken.getsockname()[1]).start()
        code = other.ended()

    assert code == 1
    assert "another one plays in" in other.said
    assert "is taken; using" not in other.said  # it will use none
