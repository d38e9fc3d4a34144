"""Deadlines, and bodies that come slowly."""

from __future__ import annotations

import _thread
import threading
import time
from functools import partial
from http import HTTPStatus

import pytest

from clearinghouse.soap.deadlines import Caller, Deadline
from clearinghouse.soap.http import BodyLimits, Refusal, read_body, read_chunks


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


class Slow:
    """A body that comes a byte at a time."""

    def __init__(self, pause: float) -> None:
        self._pause = pause

    def read(self, _size: int) -> bytes:
        time.sleep(self._pause)
        return b"x"


@pytest.mark.parametrize("length", ["1000", ""])
def test_slow_body_ends_at_its_deadline(length: str) -> None:
    """H31: dribbling does not extend it."""
    environ = {
        "CONTENT_LENGTH": length,
        "wsgi.input": Slow(0.02),
        "wsgi.input_terminated": True,
    }
    before = time.monotonic()

    with pytest.raises(Refusal) as raised:
        b"".join(read_chunks(environ, BodyLimits(100_000, 0.2)))

    assert raised.value.status is HTTPStatus.REQUEST_TIMEOUT
    assert time.monotonic() - before < 2


class Stream:
    """A body that comes at a steady pace."""

    def __init__(self, pieces: int, pause: float) -> None:
        self._pieces = pieces
        self._pause = pause

    def read(self, size: int) -> bytes:
        self._pieces -= 1
        if self._pieces < 0:
            return b""
        time.sleep(self._pause)
        return b"x" * size


def test_long_body_has_time_as_long_as_it_comes_fast_enough() -> None:
    """The deadline grows with what has come: 64 KiB a second."""
    environ = {
        "CONTENT_LENGTH": "",
        "wsgi.input": Stream(20, 0.02),
        "wsgi.input_terminated": True,
    }

    data = read_body(environ, BodyLimits(10_000_000, 0.1))

    assert len(data) == 20 * 65_536


def test_no_deadline_where_a_front_server_buffers() -> None:
    environ = {"CONTENT_LENGTH": "1", "wsgi.input": Slow(0.05)}

    assert read_body(environ, BodyLimits(10, None)) == b"x"
