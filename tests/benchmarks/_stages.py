"""Where a server's CPU time goes: samples of a run in this process, by stage.

A profiler that looks at each call makes small calls expensive. This one looks a
thousand times a second at what runs, and gives the time to the innermost place that a
stage claims.
"""

from __future__ import annotations

import io
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Self
from unittest import mock

#: Seconds of CPU time from one look to the next.
_EVERY_SECONDS = 0.001

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: What a stage's files are called, the first that fits counts.
STAGES = (
    ("read", ("/soap/", "/facades/", "<bindings>")),
    ("rate", ("/domain/rating", "/domain/quantities")),
    ("row, leaf", ("/services/sdr_rows", "/domain/sdr_rows", "/domain/merkle")),
    ("write", ("/storage/sdr_intake",)),
    (
        "facts",
        (
            "/storage/",
            "/services/sdr_facts",
            "/services/sdr_matching",
            "/services/sdr_neighbours",
            "/services/sdr_vat",
            "/services/sdr_candidates",
            "/services/sdr_debits",
        ),
    ),
    ("judge", ("_rules.py", "/domain/sdr_facts", "/domain/sdrs")),
    (
        "batch",
        ("/services/sdr_batch", "/services/sdr_intake", "/services/sdr_delivery"),
    ),
)


class Sampler:
    """Counts what runs while it is open; of the main thread alone."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.seconds = 0.0

    def __enter__(self) -> Self:
        """Begin to look."""
        self._before = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self.seconds = time.process_time() - self._began
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def microseconds(self, count: int) -> dict[str, float]:
        """Return what each stage took for one of ``count``, most first."""
        all_seen = max(1, self.seen.total())
        one = self.seconds / count * 1e6
        return {name: one * n / all_seen for name, n in self.seen.most_common()}

    def _look(self, _: int, frame: FrameType | None) -> None:
        self.seen[_stage_of(frame)] += 1


def _stage_of(frame: FrameType | None) -> str:
    while frame is not None:
        name = frame.f_code.co_filename
        for stage, places in STAGES:
            if any(place in name for place in places):
                return stage
        frame = frame.f_back
    return "other"


def answered_here(app: _Wsgi, path: str, message: bytes) -> bytes:
    """Return what a WSGI callable answers to a message, all of it in this thread."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": str(len(message)),
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "wsgi.input": io.BytesIO(message),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    with mock.patch("clearinghouse.soap.dispatch.apart", lambda job: job()):
        return b"".join(app(environ, lambda *_: None))
