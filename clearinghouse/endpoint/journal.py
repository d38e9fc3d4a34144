"""The reference endpoint's memory: a file of JSON lines, synced before each answer.

A partner keeps this in his database. The file is enough to show what must survive
a kill: which deliveries were taken, which SDRs are decided, which were submitted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import cast

# Every entry has a ``kind`` and an ``id``; an id is taken once for each kind.
Entry = dict[str, str]

# About 500 MB of memory; stops a demonstration from turning into a system.
ENTRIES_MAX = 1_000_000


class JournalFullError(Exception):
    """The journal holds as many entries as it takes: use a database."""


class Journal:
    """Takes each entry once and gives all back after a restart, in order."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self._kinds: dict[str, dict[str, Entry]] = {}
        self._count = 0
        for entry in _whole_lines(path):
            self._remember(entry)
        self._file = path.open("ab")

    def append(self, entries: Sequence[Entry]) -> list[Entry]:
        """Store those entries that are new and return them.

        They are on the disk when this returns. Raises :class:`JournalFullError`.
        """
        with self._lock:
            new = [entry for entry in entries if not self._knows(entry)]
            if self._count + len(new) > ENTRIES_MAX:
                raise JournalFullError
            if new:
                lines = "".join(json.dumps(entry) + "\n" for entry in new)
                self._file.write(lines.encode("utf-8"))
                self._file.flush()
                os.fsync(self._file.fileno())
            for entry in new:
                self._remember(entry)
            return new

    def find(self, kind: str, entry_id: str) -> Entry | None:
        """Return the entry with this id, or ``None``."""
        with self._lock:
            return self._kinds.get(kind, {}).get(entry_id)

    def entries(self, kind: str) -> list[Entry]:
        """Return the entries of one kind, oldest first."""
        with self._lock:
            return list(self._kinds.get(kind, {}).values())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _knows(self, entry: Entry) -> bool:
        return entry["id"] in self._kinds.get(entry["kind"], {})

    def _remember(self, entry: Entry) -> None:
        self._kinds.setdefault(entry["kind"], {})[entry["id"]] = entry
        self._count += 1


def _whole_lines(path: Path) -> Iterator[Entry]:
    """Read the entries and cut off a last line that a kill left unfinished."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for line in whole.splitlines():
        yield cast("Entry", json.loads(line))
