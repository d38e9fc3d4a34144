"""Deadlines, and calls that are left to themselves."""

from __future__ import annotations

import _thread
import threading
import time
from functools import partial

import pytest

from clearinghouse.soap.deadlines import Caller, Deadline


def test_deadline_comes_to_its_end() -> None:
    deadline = Deadline.after(0.05)

    assert 0 < deadline.remaining() <= 0.05
    time.sleep(0.06)
    with pytest.raises(TimeoutError):
        deadline.remaining()


def test_caller_returns_what_the_call_returns() -> None:
    caller = Caller()
    jobs = [partial(pow, number, 2) for number in range(3)]

    assert [caller.call(Deadline.after(5), job) for job in jobs] == [0, 1, 4]


@pytest.mark.parametrize("error", [OSError("x"), ValueError("x"), RuntimeError("x")])
def test_caller_raises_what_the_call_raises(error: Exception) -> None:
    def job() -> None:
        raise error

    with pytest.raises(type(error)):
        Caller().call(Deadline.after(5), job)


def test_caller_leaves_a_call_that_takes_too_long() -> None:
    caller = Caller()
    release = threading.Event()

    with pytest.raises(TimeoutError):
        caller.call(Deadline.after(0.05), release.wait)

    assert caller.call(Deadline.after(5), lambda: "next") == "next"
    release.set()


def test_caller_uses_one_thread_for_many_calls() -> None:
    caller = Caller()

    idents = {caller.call(Deadline.after(5), threading.get_ident) for _ in range(10)}

    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_second_threads_end() -> None:
    """Neither a finished nor an abandoned one stays for ever."""
    before = _threads()
    release = threading.Event()
    for _ in range(5):
        caller = Caller()
        caller.call(Deadline.after(5), lambda: None)
        with pytest.raises(TimeoutError):
            caller.call(Deadline.after(0.01), release.wait)
        del caller
    release.set()
    end = time.monotonic() + 5
    while _threads() > before and time.monotonic() < end:
        time.sleep(0.01)

    assert _threads() <= before


def _threads() -> int:
    return _thread._count()  # noqa: SLF001  # the only count of threads without objects
