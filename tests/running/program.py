"""One of our programs as a person or a supervisor runs it, in a session of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from clearinghouse.cli.processes import answers, free_port
from tests.running.remains import (
    left_behind,
    listening_ports,
    processes_of,
)

READY_SECONDS = 240.0
"""Longest wait for what a program does when it starts."""
END_SECONDS = 240.0
"""Longest wait for a program that was asked to stop."""
_POLL_SECONDS = 0.05
_TURNS = 5
_FIRST_PORT = 20_063
_PORTS = 3
"""How many ports one program may need: its own, and two for metrics."""


class ProgramError(AssertionError):
    """A program ended or stayed silent; the text holds what it said."""


def own_port(offset: int = 0) -> int:
    """Return a free port that other runs of the tests hardly choose."""
    return free_port(_FIRST_PORT + os.getpid() % 1500 * 2 * _PORTS + offset)


@dataclass(slots=True)
class Program:
    """``clearinghouse VERB`` on a state directory; ``settings`` by variable."""

    folder: Path
    verb: str
    words: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    with_metrics: bool = False
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics_port(self) -> int:
        """Where it tells its metrics, 0 when it does not."""
        return int(self.environment.get("CLEARINGHOUSE_METRICS_PORT", "0"))

    @property
    def environment(self) -> dict[str, str]:
        """The settings as variables."""
        given = {
            "CLEARINGHOUSE_STATE_DIR": str(self.folder),
            "CLEARINGHOUSE_PORT": str(self.port),
            "CLEARINGHOUSE_WORKERS": "1",
        }
        if self.with_metrics:
            given["CLEARINGHOUSE_METRICS_PORT"] = str(self.port + 1)
        return given | self.settings

    @property
    def surroundings(self) -> dict[str, str]:
        """The whole environment of its processes."""
        return {**os.environ, **self.environment}

    @property
    def log_path(self) -> Path:
        """Where what it says goes."""
        return self.folder / f"{self.verb}-{self.port}.txt"

    @property
    def said(self) -> str:
        """All that it said until now."""
        return self.log_path.read_text(encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its first process, and of its session."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        """Start it; return at once."""
        self.port = self.port or own_port()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "clearinghouse", self.verb, *self.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.surroundings,
                start_new_session=True,
            )
        return self

    def ready(self) -> Self:
        """Wait until the server takes messages; raises :class:`ProgramError`."""
        return self._wait(lambda: answers(f"{self.url}/readyz"))

    def until_says(self, words: str) -> Self:
        """Wait until it has said some words; raises :class:`ProgramError`."""
        return self._wait(lambda: words in self.said)

    def until_there(self, *files: str) -> Self:
        """Wait until one of these is in its folder; raises :class:`ProgramError`."""
        return self._wait(lambda: any((self.folder / one).exists() for one in files))

    def _wait(self, come: Callable[[], bool]) -> Self:
        deadline = time.monotonic() + READY_SECONDS
        while not come():
            if not self.running:
                raise ProgramError(f"it ended: {self.said}")
            if time.monotonic() > deadline:
                raise ProgramError(f"it stays silent: {self.said}")
            time.sleep(_POLL_SECONDS)
        return self

    def signal(self, number: int) -> Self:
        """Send a signal to its first process, as a supervisor does."""
        assert self.process is not None
        self.process.send_signal(number)  # not to another one, should it have ended
        return self

    def ended(self) -> int:
        """Wait for its end and return the exit code."""
        assert self.process is not None
        return self.process.wait(END_SECONDS)

    def left(self) -> dict[int, str]:
        """Return its processes that do not go; wait for those that do."""
        return left_behind(self.folder, {self.pid})

    def listens_on(self) -> set[int]:
        """Return the ports on which its processes listen."""
        return listening_ports(processes_of(None, {self.pid}))

    def stop(self) -> int:
        """Stop it and return the exit code."""
        if self.process is None:
            return 0
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            return self.ended()
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            raise


def met(
    start: Callable[[], Program], moment: tuple[str, ...], number: int, *, late: int
) -> Program:
    """Return a program that a signal met before it was done, and that ended.

    It is started again when it had come to its own end, with the code ``late``: a
    machine may pause us for longer than it takes.
    """
    for _ in range(_TURNS):
        program = start()
        with contextlib.suppress(ProgramError):  # it ended meanwhile
            program.until_there(*moment)
        if program.signal(number).ended() != late:
            return program
    raise ProgramError(f"it was never met: {program.said}")


def reap(folder: Path) -> None:
    """Kill whatever still runs on a folder that will be removed."""
    for pid in processes_of(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
