"""The application server with our bounds; loaded by ``serve`` only."""

from __future__ import annotations

import multiprocessing
import threading
import time
from multiprocessing.connection import wait
from queue import SimpleQueue
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import logger
from granian.server.mp import MPServer

from clearinghouse.cli.stops import LOOK_SECONDS, is_asked
from clearinghouse.settings import Settings

HEADER_READ_MS = 10_000
"""Longest wait for a request's headers: ends clients that send them drop by drop."""
BACKLOG = 1024
"""Connections waiting to be accepted."""
CONNECTIONS_MAX = 2048
"""Open connections of one server process, idle ones too."""
HEADER_BYTES_MAX = 16_384
"""Longest headers of one request; longer ones are refused before they are kept."""
RESPAWN_SECONDS = 1.0
"""Pause before a server process that died is started again."""
STOP_SECONDS = 15
"""Longest wait for calls in flight at a stop."""


class _Bell(threading.Event):
    """What the main thread waits for: it is heard late when a signal wakes nobody."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or as long as given."""
        if timeout is not None:
            return super().wait(timeout)
        while not super().wait(LOOK_SECONDS):
            pass
        return True


class _Server(MPServer):
    """Granian, which may be asked to stop at any moment, twice in a row as well."""

    def __init__(self, *words: Any, **settings: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*words, **settings)
        self.main_loop_interrupt = _Bell()
        self._rung: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._hear, name="stop-bell", daemon=True).start()

    def signal_handler_interrupt(self, *_: object) -> None:
        """Ring: that takes no lock.

        Granian's own sets an event, and would wait for ever for the lock that the
        interrupted thread, or the first signal, holds at that moment.
        """
        self.interrupt_signal = True
        self._rung.put(None)

    def _hear(self) -> None:
        self._rung.get()
        self.main_loop_interrupt.set()

    def _serve_loop(self, *words: object) -> None:
        """Wait until asked to stop, unless that was asked while we started."""
        if not is_asked():
            super()._serve_loop(*words)  # type: ignore[no-untyped-call]  # granian's

    def _stop_workers(self) -> None:
        """Stop the server processes, and kill those that do not end.

        Granian's own takes one for alive that another of its threads is just burying,
        and says that it is killed.
        """
        for worker in self.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]  # granian's
        ends = time.monotonic() + STOP_SECONDS
        for worker in self.wrks:
            ended = worker.inner.sentinel
            if not wait([ended], timeout=max(0.0, ends - time.monotonic())):
                logger.warning("Killing worker-%d: it does not stop", worker.idx + 1)
                worker.kill()  # type: ignore[no-untyped-call]  # granian's
                wait([ended])
            logger.info("Stopped worker-%d", worker.idx + 1)
        self.wrks.clear()


def run(own: Settings, application: str = "clearinghouse.app:rsgi") -> None:
    """Serve until asked to stop; the processes build the application by this name.

    HTTP/2 is off: the bounds are those of HTTP/1. The processes are started afresh, not
    forked: this process has threads, and holds the lock of the embedded database, which
    nobody may inherit.
    """
    multiprocessing.set_start_method("spawn", force=True)
    tls = own.tls_certificate is not None
    _Server(
        application,
        address=own.host,
        port=own.port,
        interface=Interfaces.RSGI,
        factory=True,
        workers=own.workers,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
        websockets=False,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_READ_MS, max_buffer_size=HEADER_BYTES_MAX
        ),
        ssl_cert=own.tls_certificate,
        ssl_key=own.tls_key,
        ssl_protocol_min=SSLProtocols.tls12 if tls else SSLProtocols.tls13,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
        log_access=False,
    ).serve()
