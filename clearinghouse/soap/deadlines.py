"""Deadlines: an end for waits that have none of their own.

A deadline is absolute: a peer that sends one byte now and then does not extend it.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Self, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline so many seconds from now."""
        return cls(monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left.

        Raises :class:`TimeoutError` when there are none.
        """
        left = self.at - monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Caller(threading.local):
    """Makes blocking calls in a second thread, one at a time for each thread."""

    def __init__(self) -> None:
        self._assistant: _Assistant | None = None

    def call(self, deadline: Deadline, job: Callable[[], T]) -> T:
        """Make the call and wait for it until the deadline.

        Raises :class:`TimeoutError`, and what the call raises of OSError, ValueError
        and RuntimeError. A call that takes longer is left to itself; the next one
        gets another thread.
        """
        assistant = self._assistant or _Assistant()
        self._assistant = None
        answer = assistant.call(job, deadline.remaining())
        self._assistant = assistant
        if isinstance(answer, _Raised):
            raise answer.error
        return cast("T", answer)


class _Raised:
    """What a call raised, on its way to the thread that waits."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Assistant:
    """One thread that makes calls for another."""

    def __init__(self) -> None:
        self._mailbox = _Mailbox()
        _thread.start_new_thread(self._mailbox.serve, ())

    def call(self, job: Callable[[], object], seconds: float) -> object:
        mailbox = self._mailbox
        mailbox.job = job
        mailbox.go.release()
        if not mailbox.done.acquire(timeout=seconds):
            raise TimeoutError
        mailbox.job = None
        return mailbox.answer

    def __del__(self) -> None:
        """Let the thread end: nobody will ask it again."""
        self._mailbox.closed = True
        if self._mailbox.go.locked():
            self._mailbox.go.release()


class _Mailbox:
    """What the two threads share; it does not keep the assistant alive."""

    def __init__(self) -> None:
        self.go = _thread.allocate_lock()
        self.done = _thread.allocate_lock()
        self.go.acquire()
        self.done.acquire()
        self.job: Callable[[], object] | None = None
        self.answer: object = None
        self.closed = False

    def serve(self) -> None:
        """Make one call after the other until nobody is left to ask."""
        while True:
            self.go.acquire()
            job = self.job
            if self.closed or job is None:
                return
            # What stands here when the job ends in a way that nobody foresaw.
            self.answer = _Raised(OSError("the call ended without an answer"))
            try:
                self.answer = job()
            except (OSError, ValueError, RuntimeError) as error:
                self.answer = _Raised(error)
            finally:
                self.done.release()
