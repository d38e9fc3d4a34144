"""What a program leaves behind when it ends: processes of its session or its folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

GONE_SECONDS = 90.0
"""Longest wait for processes that were told to end; a slow machine needs some."""
_POLL_SECONDS = 0.05
_LISTENING = "0A"  # the kernel's number for it


def processes_of(folder: Path | None, sessions: Collection[int] = ()) -> dict[int, str]:
    """Return the living processes that name a folder, or belong to a session.

    A database server and what we start for it have sessions of their own, and name
    their folder; the processes of the server inherit the session of their parent.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended while we looked
            state, session = _state_and_session(entry)
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            named = folder is not None and str(folder) in words
            if state != "Z" and (session in sessions or named):
                found[int(entry.name)] = words.strip()
    return found


def left_behind(folder: Path, sessions: Collection[int] = ()) -> dict[int, str]:
    """Return what still runs after all that should end has had its time."""
    deadline = time.monotonic() + GONE_SECONDS
    while (found := processes_of(folder, sessions)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return found


def _state_and_session(entry: Path) -> tuple[str, int]:
    fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
    return fields[0], int(fields[3])


def listening_ports(pids: Collection[int]) -> set[int]:
    """Return the TCP ports on which processes listen, as the kernel lists them."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended while we looked
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    sockets.add(str(handle.readlink()))
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text("ascii").splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTENING and f"socket:[{words[9]}]" in sockets:
                found.add(int(words[1].rpartition(":")[2], 16))
    return found
