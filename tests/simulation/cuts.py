"""Crashes: the house is cut off from its database in the midst of something."""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import Any

import psycopg

#: Milliseconds within which the server ends a connection.
_GONE_MS = 5_000


@dataclass(slots=True)
class Cuts:
    """Cuts the house off from its database in the midst of a message, as a crash does.

    The server ends the connection; what it had not committed never was.
    """

    admin: psycopg.Connection[tuple[object, ...]]
    statements: int | None = None
    made: int = 0

    def after(self, statements: int) -> None:
        """Cut before the statement of this number from now; 1 is the next."""
        self.statements = statements

    def none(self) -> None:
        """Let the messages after this one pass."""
        self.statements = None

    def before(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        """Count a statement of the house, and cut when it is the one."""
        if self.statements is None:
            return
        self.statements -= 1
        if self.statements == 0:
            self.statements = None
            self.made += 1
            raw = connection.connection.driver_connection
            pid = raw.info.backend_pid
            gone = select.poll()
            gone.register(raw.fileno(), select.POLLRDHUP)
            self.admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
            # The server's own wait looks ten times a second only.
            if not gone.poll(_GONE_MS):
                raise TimeoutError(f"backend {pid} lives on")
