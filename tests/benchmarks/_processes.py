"""CPU time of a server and of its database, counted apart.

A process that ends hands its time to the one that waits for it, so that a connection
counts whether it was there at the start, came later, or left before the end.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_OWN = slice(11, 13)
_OWN_AND_ENDED = slice(11, 15)


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """What a server with a database of its own has used so far."""

    server: float
    database: float

    def __sub__(self, before: Self) -> CpuSeconds:
        return CpuSeconds(self.server - before.server, self.database - before.database)


def cpu_seconds(server_pid: int) -> CpuSeconds:
    """Return what a server's processes, and those of its database, have used."""
    server, database = split(server_pid)
    return CpuSeconds(
        sum(_used(pid, _OWN) for pid in server),
        sum(_used(pid, _OWN_AND_ENDED) for pid in database),
    )


def split(server_pid: int) -> tuple[list[int], list[int]]:
    """Return the processes of a server, and those of the database it brought."""
    everything = children(server_pid)
    database = [pid for pid in everything if _name(pid) == "postgres"]
    return [pid for pid in everything if pid not in database], database


def children(pid: int) -> list[int]:
    """Return a process with all that came from it and still run."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = task.read_text().split()
        except OSError:
            continue  # the thread ended while we looked
        for child in below:
            found += children(int(child))
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""  # it ended while we looked


def _used(pid: int, which: slice) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return 0.0  # it ended between the look and the read; its parent has its time
    return sum(int(value) for value in after_name.split()[which]) / _TICKS
