"""A clearing house in processes of its own, on a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from clearinghouse.cli.processes import Child, free_port
from tests.running.soap import Speaker
from tests.waiting import PATIENCE_SECONDS, eventually

COMMAND_SECONDS_MAX = 120.0
"""Longest run of one command of the command line."""
FIRST_PORT = 18_063
"""Where the search for a free port begins."""


@dataclass(slots=True)
class House:
    """Server and worker on ``folder``; use as a context manager."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    server: Child | None = None
    worker: Child | None = None
    speakers: list[Speaker] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start the server (which brings its database and migrations) and wait."""
        # Processes with neighbouring numbers look for their ports apart.
        self.port = self.port or free_port(FIRST_PORT + os.getpid() % 200 * 8)
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, the database last."""
        for speaker in self.speakers:
            speaker.close()
        for child in (self.worker, self.server):
            if child is not None:
                child.stop()
        self.command("database", "stop")

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings as a child process reads them."""
        return {
            "CLEARINGHOUSE_STATE_DIR": str(self.folder),
            "CLEARINGHOUSE_PORT": str(self.port),
            "CLEARINGHOUSE_ALLOW_HTTP_ENDPOINTS": "true",
            "CLEARINGHOUSE_ALLOW_PRIVATE_ENDPOINTS": "true",
            **self.settings,
        }

    def _child(self, verb: str) -> Child:
        return Child(
            name=verb,
            command=["clearinghouse", verb],
            log_path=self.folder / f"{verb}.log",
            environment=self.environment,
        ).start()

    def start_server(self) -> None:
        """Start (again) the server on its port, and wait until it is ready."""
        eventually(lambda: free_port(self.port) == self.port)
        self.server = self._child("serve")
        self.server.wait_until_ready(f"{self.url}/readyz", seconds=PATIENCE_SECONDS)

    def start_worker(self) -> None:
        """Start (again) the delivery worker."""
        self.worker = self._child("worker")

    def command(self, *words: str, text: str = "") -> object:
        """Run one verb of the command line with ``--json`` and return its value."""
        done = subprocess.run(
            [sys.executable, "-m", "clearinghouse", "--json", *words],
            input=text,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
            env={**os.environ, **self.environment},
        )
        if done.returncode:
            message = f"{words}: {done.stderr or done.stdout}"
            raise RuntimeError(message)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def admit(
        self, party_id: str, *roles: str, aliases: tuple[str, ...] = ()
    ) -> Speaker:
        """Admit a partner with one machine account and return its speaker."""
        options = [word for role in roles for word in ("--role", role)]
        options += [word for alias in aliases for word in ("--alias", alias)]
        self.command(
            "participant",
            "add",
            party_id,
            "--name",
            f"Partner {party_id}",
            "--country",
            party_id[:2],
            *options,
        )
        password = f"a long password of {party_id}"
        username = f"{party_id.lower()}-backend"
        self.command(
            "account",
            "add",
            party_id,
            "--username",
            username,
            "--password-stdin",
            text=password + "\n",
        )
        speaker = Speaker(self.url, party_id, username, password)
        self.speakers.append(speaker)
        return speaker
