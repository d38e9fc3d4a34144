"""A verb that is asked to stop says so, puts away what it began, and shows no trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.cli.processes import Child
from clearinghouse.services import participants
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from tests.fixtures.database import FAST, given_bindir, make_state_dir
from tests.running.program import Program, met, reap
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

STOPPED = 130
ADMISSION = ("participant", "add", "DEABC", "--name", "A", "--country", "DE")

_STOPPABLE = """
import gc, logging, signal, sys, time
from clearinghouse.cli.stops import ignore_stops, interrupt_on_stop, is_stop

def stop(number=signal.SIGINT):
    signal.raise_signal(number)

interrupt_on_stop()
try:
{body}
except BaseException as error:
    print(is_stop(error))
"""


def _played(body: str) -> tuple[list[str], str]:
    """Run lines in a program that can be stopped; return its lines and its errors."""
    indented = "\n".join(f"    {line}" for line in body.strip().splitlines())
    done = subprocess.run(
        [sys.executable, "-c", _STOPPABLE.format(body=indented)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_later_signals_do_not_cut_off_the_putting_away(number: str) -> None:
    said, errors = _played(f"""
try:
    stop(signal.{number})
finally:
    stop(signal.SIGTERM)
    stop(signal.SIGINT)
    print("away")
""")

    assert said == ["away", "True"]
    assert not errors


def test_interrupt_that_python_drops_comes_again() -> None:
    said, errors = _played("""
class Freed:
    def __del__(self):
        stop()

Freed()
time.sleep(30)
print("lost")
""")

    assert said == ["True"]
    assert not errors


def test_stop_stays_one_when_the_putting_away_fails() -> None:
    said, errors = _played("""
try:
    stop()
finally:
    raise LookupError("a ROLLBACK is refused")
""")

    assert said == ["True"]
    assert not errors


def test_library_says_nothing_of_what_was_cut_off() -> None:
    said, errors = _played("""
from sqlalchemy.pool import QueuePool

class Connection:
    def rollback(self):
        stop()
    def close(self):
        pass

QueuePool(Connection).connect().close()
""")

    assert said == ["True"]
    assert not errors


def test_interrupt_that_a_library_drops_is_known_before_a_wait() -> None:
    said, errors = _played("""
from clearinghouse.cli.stops import is_asked
print(is_asked())
try:
    stop()
except KeyboardInterrupt:
    pass
print(is_asked())
""")

    assert said == ["False", "True"]
    assert not errors


@pytest.mark.parametrize("dropped", [False, True])
def test_server_that_was_asked_while_it_started_does_not_wait(*, dropped: bool) -> None:
    said, _ = _played(f"""
from granian.server.mp import MPServer
from clearinghouse.cli.server import _Server
MPServer._serve_loop = lambda *_: print("waits")
if {dropped}:
    try:
        stop()
    except KeyboardInterrupt:
        pass
_Server("x")._serve_loop(None, None)
""")

    assert said == ([] if dropped else ["waits"])


def test_error_without_a_stop_is_one_and_is_told() -> None:
    said, errors = _played("""
logging.getLogger("library").error("it broke")
raise LookupError
""")

    assert said == ["False"]
    assert errors == "it broke\n"


def test_signal_that_is_ignored_stays_ignored() -> None:
    said, _ = _played("""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
interrupt_on_stop()
stop(signal.SIGHUP)
print("on")
""")

    assert said == ["on"]


def test_interrupt_that_was_handled_is_no_violent_death() -> None:
    program = """
import signal
from clearinghouse.cli.stops import ignore_stops
try:
    exec("signal.raise_signal(signal.SIGINT)")
except KeyboardInterrupt:
    ignore_stops()
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)

    assert done.returncode == 0


@pytest.mark.parametrize(("verb", "code"), [("serve", 0), ("demo", STOPPED)])
def test_stop_before_the_verb_is_loaded_ends_as_the_verb_would(
    verb: str, code: int
) -> None:
    program = """
import signal
from clearinghouse.cli import verbs
from clearinghouse.cli.main import main
verbs.application = lambda: signal.raise_signal(signal.SIGTERM)
main()
"""
    done = subprocess.run([sys.executable, "-c", program, verb], check=False)

    assert done.returncode == code


@pytest.mark.parametrize(
    "module", ["clearinghouse.cli.verbs", "typer.core", "rich.columns"]
)
def test_stop_while_the_program_is_loaded_is_no_trace(module: str) -> None:
    program = f"""
import signal, sys

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from clearinghouse.cli.main import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (STOPPED, "", "stopped\n")


def _interrupted(*_words: object) -> None:
    raise KeyboardInterrupt


def _interrupted_and_covered(*_words: object) -> None:
    try:
        raise KeyboardInterrupt
    finally:
        raise OSError("the connection is in use")


@pytest.mark.parametrize("act", [_interrupted, _interrupted_and_covered])
def test_verb_that_is_stopped_has_a_word_and_its_code(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, act: Callable[..., Any]
) -> None:
    monkeypatch.setattr(participants, "admit", act)

    told = run(*ADMISSION, "--role", "CSO")
    machine = run("--json", *ADMISSION, "--role", "CSO")

    assert told.exit_code == machine.exit_code == STOPPED
    assert told.stderr.splitlines()[-1] == "participant: stopped"
    found = json.loads(machine.stdout.splitlines()[-1])
    assert found == {"error": "participant: stopped", "code": "STOPPED"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_short_verb_that_is_stopped_leaves_no_database(
    state_dir: Path, number: int
) -> None:
    def start() -> Program:
        return Program(state_dir, "settlement", ("close",)).start()

    verb = met(start, ("postgres/data/postmaster.pid",), number, late=1)

    assert verb.ended() == STOPPED, verb.said
    assert verb.said.splitlines()[-1] == "settlement: stopped"
    assert "Traceback" not in verb.said
    assert not verb.left()


def test_upgrade_that_is_stopped_while_the_database_is_made_leaves_nothing() -> None:
    folders = []

    def start() -> Program:
        folders.append(make_state_dir())
        return Program(folders[-1], "database", ("upgrade",)).start()

    try:
        verb = met(
            start, ("postgres/data.new", "postgres/data"), signal.SIGTERM, late=0
        )

        assert verb.ended() == STOPPED, verb.said
        assert verb.said == "database: stopped\n"
        assert not verb.left()
        again = Program(verb.folder, "database", ("upgrade",)).start()
        assert again.ended() == 0, again.said
    finally:
        for folder in folders:
            reap(folder)
            shutil.rmtree(folder, ignore_errors=True)


def test_database_of_a_living_process_is_left_to_it_and_the_process_named(
    state_dir: Path,
) -> None:
    with EmbeddedPostgres(state_dir, bindir=given_bindir(), options=FAST) as server:
        verb = Program(state_dir, "database", ("stop",)).start()

        assert verb.ended() == 1, verb.said
        assert f"process {os.getpid()} owns the database: end it first" in verb.said
        assert server.pid is not None


def test_child_is_known_before_a_signal_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **how: Any) -> None:  # noqa: ANN401
            super().__init__(command, **how)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    child = Child(name="idle", command=["this"], log_path=tmp_path / "log")

    with pytest.raises(KeyboardInterrupt):
        child.start()

    assert child.process is not None
    child.kill()


def test_child_is_asked_to_stop_once(tmp_path: Path) -> None:
    class Slow:
        asked = 0

        def poll(self) -> None:
            return None

        def terminate(self) -> None:
            self.asked += 1

        def wait(self, _seconds: float) -> int:
            return 0

    slow = Slow()
    child = Child(name="slow", command=["this"], log_path=tmp_path / "log")
    child.process = slow  # type: ignore[assignment]  # as far as it is used

    child.ask_to_stop()
    child.stop()

    assert slow.asked == 1
