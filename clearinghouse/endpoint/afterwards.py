"""Work that follows an answer: calls to the clearing house, one after the other.

A partner must not call back while it is being called: the clearing house waits for
the answer. What is queued here is also in the journal, so nothing is lost when the
process ends first.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from clearinghouse.endpoint.errors import CallError

_LOG = logging.getLogger(__name__)

Task = Callable[[], None]

# Tasks that wait; a delivery of 500 SDRs is one task. Stops growth of the memory.
TASKS_MAX = 10_000


class Afterwards:
    """Runs tasks in one thread, in the order they came."""

    def __init__(self) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue(TASKS_MAX)
        self._thread = threading.Thread(
            target=self._run, name="afterwards", daemon=True
        )
        self._thread.start()

    def add(self, task: Task) -> None:
        """Run a task when those before it are done; waits while the queue is full."""
        self._tasks.put(task)

    def finish(self, timeout_seconds: float | None = None) -> None:
        """Run what is queued and end the thread."""
        self._tasks.put(None)
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except CallError as error:
                # The journal still says what is to be done; the next start does it.
                _LOG.warning("the clearing house did not take it: %s", error)
