"""Child processes of the demo and the flows: started, awaited, stopped in order."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from clearinghouse.app import die_with_parent
from clearinghouse.storage.embedded.uncut import uncut

READY_SECONDS_MAX = 60.0
"""Longest wait for a child to answer; stops a hang when a child dies silently."""
STOP_SECONDS_MAX = 15.0
"""Longest wait for a clean stop before a child is killed."""
_SETTINGS = "CLEARINGHOUSE_"
_POLL_SECONDS = 0.05
_PORTS_TRIED_MAX = 50
"""Ports tried after the wanted one; stops an endless search on an odd machine."""
_HTTP_OK = 200


class ChildError(Exception):
    """A child process did not start or died; the text says where its log is."""


def free_port(wanted: int, *, host: str = "127.0.0.1") -> int:
    """Return ``wanted`` when nothing listens there, else the next free port.

    Raises :class:`ChildError` when none of the next ports is free, or when the address
    or the port is not for us to use at all.
    """
    for port in range(wanted, min(wanted + _PORTS_TRIED_MAX, 65536)):
        try:
            _bind(host, port)
        except PermissionError as error:
            message = f"port {port} is for root only; name one from 1024 on"
            raise ChildError(message) from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            message = f"{host} is no address of this machine; see the setting host"
            raise ChildError(message) from error
        return port
    message = f"no free port from {wanted} on; name another with --port"
    raise ChildError(message)


def _bind(host: str, port: int) -> None:
    """Take a port for a moment; raises :class:`OSError` when that cannot be done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _follower() -> Callable[[], None] | None:
    """Return what makes a child end with us, even if we are killed.

    The kernel means the thread that starts the child: only the main one lasts.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    return partial(die_with_parent, os.getpid())


@dataclass(slots=True)
class Child:
    """One child process with its own process group and log file.

    ``environment`` is added to ours; an ``isolated`` child gets no other settings, from
    wherever ours come.
    """

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    isolated: bool = False
    process: subprocess.Popen[bytes] | None = None
    _asked: bool = False

    def start(self) -> Self:
        """Start the program; its output is appended to the log file."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._asked = False
        with self.log_path.open("ab") as log, uncut():
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._surroundings(), **self.environment},
                start_new_session=True,  # the terminal's Ctrl-C must reach us first
                preexec_fn=_follower(),  # noqa: PLW1509 - two system calls, no lock
            )
        return self

    def _surroundings(self) -> dict[str, str]:
        if not self.isolated:
            return dict(os.environ)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_SETTINGS)
        }
        return kept | {f"{_SETTINGS}CONFIG": os.devnull}

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def wait_until_ready(self, url: str, *, seconds: float = READY_SECONDS_MAX) -> None:
        """Wait until ``url`` answers 200.

        Raises :class:`ChildError` when the child dies or stays silent.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running:
                raise ChildError(
                    f"{self.name} stopped while starting: {self._last_word()}; "
                    f"see {self.log_path}"
                )
            if answers(url):
                return
            time.sleep(_POLL_SECONDS)
        message = f"{self.name} does not answer at {url}; see {self.log_path}"
        raise ChildError(message)

    def _last_word(self) -> str:
        said = self.log_path.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(said) if line.strip()), "no word")

    def ask_to_stop(self) -> None:
        """Ask the child to stop, once, and do not wait."""
        if not self._asked and self.process is not None and self.process.poll() is None:
            self._asked = True
            self.process.terminate()

    def stop(self, *, seconds: float = STOP_SECONDS_MAX) -> None:
        """Ask the child to stop, kill its group when it does not."""
        self.ask_to_stop()
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """Kill the whole group at once, as a power cut would."""
        process = self.process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it may end before the signal
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS_MAX)
        self.process = None


def stop_all(children: Iterable[Child]) -> None:
    """Stop children side by side: each takes its time, nobody waits in a queue."""
    stopping = list(children)
    for child in stopping:
        child.ask_to_stop()
    for child in stopping:
        child.stop()


def answers(url: str) -> bool:
    """Whether ``url`` answers with 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1.0) as response:  # noqa: S310  loopback
            return bool(response.status == _HTTP_OK)
    except (OSError, urllib.error.URLError):
        return False
