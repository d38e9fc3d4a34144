"""Child processes of the demo and the flows: started, awaited, stopped in order."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

READY_SECONDS_MAX = 60.0
"""Longest wait for a child to answer; stops a hang when a child dies silently."""
STOP_SECONDS_MAX = 15.0
"""Longest wait for a clean stop before a child is killed."""
_POLL_SECONDS = 0.05
_PORTS_TRIED_MAX = 50
"""Ports tried after the wanted one; stops an endless search on an odd machine."""
_HTTP_OK = 200


class ChildError(Exception):
    """A child process did not start or died; the text says where its log is."""


def free_port(wanted: int, *, host: str = "127.0.0.1") -> int:
    """Return ``wanted`` when nothing listens there, else the next free port.

    Raises :class:`ChildError` when none of the next ports is free.
    """
    for port in range(wanted, min(wanted + _PORTS_TRIED_MAX, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    message = f"no free port from {wanted} on; name another with --port"
    raise ChildError(message)


@dataclass(slots=True)
class Child:
    """One child process with its own process group and log file."""

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the program; its output is appended to the log file."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,  # the terminal's Ctrl-C must reach us first
            )
        return self

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
                message = f"{self.name} stopped while starting; see {self.log_path}"
                raise ChildError(message)
            if answers(url):
                return
            time.sleep(_POLL_SECONDS)
        message = f"{self.name} does not answer at {url}; see {self.log_path}"
        raise ChildError(message)

    def stop(self, *, seconds: float = STOP_SECONDS_MAX) -> None:
        """Ask the child to stop, kill its group when it does not."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(seconds)
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


def answers(url: str) -> bool:
    """Whether ``url`` answers with 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1.0) as response:  # noqa: S310  loopback
            return bool(response.status == _HTTP_OK)
    except (OSError, urllib.error.URLError):
        return False
