"""Deadlines, and calls that are left to themselves."""

from __future__ import annotations

import _thread
import threading
from functools import partial

import pytest

from clearinghouse.soap import deadlines
from clearinghouse.soap.deadlines import Caller, Deadline
from tests.waiting import PATIENCE_SECONDS, eventually


def test_deadline_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(deadlines, "monotonic", lambda: now[0])
    deadline = Deadline.after(0.5)

    assert deadline.remaining() == 0.5
    now[0] += 0.25
    assert deadline.remaining() == 0.25
    now[0] += 0.25
    with pytest.raises(TimeoutError):
        deadline.remaining()


def test_caller_returns_what_the_call_returns() -> None:
    caller = Caller()
    jobs = [partial(pow, number, 2) for number in range(3)]

    assert [caller.call(_long(), job) for job in jobs] == [
        0,
        1,
        4,
    ]


@pytest.mark.parametrize("error", [OSError("x"), ValueError("x"), RuntimeError("x")])
def test_caller_raises_what_the_call_raises(error: Exception) -> None:
    def job() -> None:
        raise error

    with pytest.raises(type(error)):
        Caller().call(_long(), job)


def test_caller_leaves_a_call_that_takes_too_long() -> None:
    caller = Caller()
    release = threading.Event()

    with pytest.raises(TimeoutError):
        caller.call(Deadline.after(0.05), release.wait)

    assert caller.call(_long(), lambda: "next") == "next"
    release.set()


def test_caller_uses_one_thread_for_many_calls() -> None:
    caller = Caller()

    idents = {caller.call(_long(), threading.get_ident) for _ in range(10)}

    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_second_threads_end() -> None:
    """Neither a finished nor an abandoned one stays for ever."""
    before = _threads()
    release = threading.Event()
    for _ in range(5):
        caller = Caller()
        caller.call(_long(), lambda: None)
        with pytest.raises(TimeoutError):
            caller.call(Deadline.after(0.01), release.wait)
        del caller
    release.set()

    eventually(lambda: _threads() <= before)


def _long() -> Deadline:
    return Deadline.after(PATIENCE_SECONDS)


def _threads() -> int:
    return _thread._count()  # noqa: SLF001  # the only count of threads without objects
