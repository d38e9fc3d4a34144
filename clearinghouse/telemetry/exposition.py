"""Where monitoring reads the metrics: plain HTTP on a port of the loopback address.

Apart from the port that partners reach, so that no proxy shows it by mistake.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

HOST = "127.0.0.1"
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Tells the metrics library of a process where it counts together with others."""


@contextmanager
def exposed(port: int, *, folder: Path | None = None) -> Iterator[None]:
    """Answer ``/metrics`` meanwhile: of this process, or of all that count in a folder.

    Raises :class:`OSError` when the port is taken.
    """
    registry = REGISTRY
    if folder is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    server, thread = start_http_server(port, addr=HOST, registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def emptied(folder: Path) -> Path:
    """Return a folder without what processes of an earlier start counted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder
