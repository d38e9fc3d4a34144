"""A database of a benchmark's own, synced to disk as in production, and its clock."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event

from clearinghouse.domain.clock import SystemClock
from clearinghouse.services.environment import Environment
from clearinghouse.storage import schema
from clearinghouse.storage.database import Database
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.roles import APP_ROLE, OWNER_ROLE, PRIVACY_ROLE
from clearinghouse.storage.vault import Vault
from tests.fixtures.partners import ScriptedPartners

_WORDS = 7


@contextmanager
def fresh_environment() -> Iterator[Environment]:
    """Give an environment over an empty, migrated database with fsync on."""
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder) as server:
            schema.upgrade(server.url(OWNER_ROLE))
            database = Database(server.url(APP_ROLE))
            vault = Vault(server.url(PRIVACY_ROLE), key_path=folder / "kek.key")
            yield Environment(
                database=database,
                vault=vault,
                clock=SystemClock(),
                partners=ScriptedPartners(),
            )
            database.close()
            vault.close()


class Stopwatch:
    """Where the time of this process' statements goes, by their first words."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._began: float = 0.0
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)

    def stop(self) -> None:
        """Listen no more."""
        event.remove(Engine, "before_cursor_execute", self._before)
        event.remove(Engine, "after_cursor_execute", self._after)

    def lines(self, most: int = 6) -> list[str]:
        """Return the statements that took longest, with their seconds."""
        ranked = sorted(self.seconds.items(), key=lambda pair: -pair[1])
        return [f"{seconds:8.3f} s  {words}" for words, seconds in ranked[:most]]

    def _before(self, *_: object) -> None:
        self._began = time.perf_counter()

    def _after(
        self, _connection: object, _cursor: object, sql: str, *_: object
    ) -> None:
        words = " ".join(sql.split()[:_WORDS])
        self.seconds[words] += time.perf_counter() - self._began
