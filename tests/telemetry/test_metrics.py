"""Messages are counted as the metrics library does, over several processes too."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from clearinghouse.telemetry.exposition import FOLDER_VARIABLE
from clearinghouse.telemetry.metrics import observer

if TYPE_CHECKING:
    from pathlib import Path

COUNTS_TWICE = """
from clearinghouse.telemetry.metrics import MESSAGE_SECONDS, observer
observe = observer(MESSAGE_SECONDS, "AuthorizeStart", "OK")
observe(0.001)
observe(2.5)
"""


def samples(registry: CollectorRegistry) -> dict[tuple[str, str | None], float]:
    """Return all values by name and bound, without the time of their creation."""
    return {
        (sample.name, sample.labels.get("le")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_counts_as_the_library_does() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    observe = observer(Histogram("x_seconds", "X.", ["code"], registry=ours), "OK")
    known = Histogram("x_seconds", "X.", ["code"], registry=theirs).labels("OK")

    for amount in (0.0, 0.001, 0.005, 0.0051, 0.075, 1.0, 10.0, 10.1, 1e9, math.inf):
        observe(amount)
        known.observe(amount)

    assert samples(ours) == samples(theirs)


def test_counts_together_with_other_processes(tmp_path: Path) -> None:
    environment = {**os.environ, FOLDER_VARIABLE: str(tmp_path)}
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", COUNTS_TWICE], check=True, env=environment
        )

    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))  # type: ignore[no-untyped-call]
    found = samples(registry)

    name = "clearinghouse_message_seconds"
    assert found[f"{name}_bucket", "0.005"] == 2.0
    assert found[f"{name}_bucket", "2.5"] == 4.0
    assert found[f"{name}_count", None] == 4.0
    assert found[f"{name}_sum", None] == 5.002
