"""What a running (or killed) server wrote about itself: ``postmaster.pid``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_LINE_PID = 0
_LINE_SOCKET_DIR = 4
_LINES_MIN = 5


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The process id of a server and the folder of its socket."""

    pid: int
    socket_dir: Path

    @property
    def is_alive(self) -> bool:
        """Whether a process with this id runs and is a PostgreSQL server.

        The number alone may belong to somebody else by now, and a dead child that
        nobody has waited for still answers to signals.
        """
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text("utf-8")
        except OSError:
            return False
        name, _, rest = status.partition("(")[2].rpartition(")")
        return name.startswith("postgres") and rest.split()[0] != "Z"

    @property
    def has_socket(self) -> bool:
        """Whether its socket is still there: somebody may empty temporary folders."""
        return any(self.socket_dir.glob(".s.PGSQL.*"))

    def signal(self, number: int) -> None:
        """Send a signal; a process that is gone is no error."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def read(data: Path) -> Postmaster | None:
    """Return what the pid file of a cluster says; ``None`` when there is none.

    A file that is half written counts as none: the server is just starting.
    """
    try:
        lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < _LINES_MIN or not lines[_LINE_PID].strip().isdigit():
        return None
    socket_dir = lines[_LINE_SOCKET_DIR].strip()
    if not socket_dir.startswith("/"):
        return None
    return Postmaster(int(lines[_LINE_PID]), Path(socket_dir))
