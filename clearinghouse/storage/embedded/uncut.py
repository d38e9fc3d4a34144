"""Steps that no signal may cut in two: a server that is started and not yet known."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Signals that ask a program to stop: Ctrl-C, a supervisor, a terminal that closes.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uncut() -> Iterator[None]:
    """Hold back signals that ask us to stop until the block is done.

    They are heard by the main thread only, so elsewhere there is nothing to hold back.
    One that is ignored stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda heard, _frame: held.append(heard))
        for number in STOPS
        if signal.getsignal(number) not in {signal.SIG_IGN, None}
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for heard in held[:1]:
            signal.raise_signal(heard)
