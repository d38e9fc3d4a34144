"""A small HTTP/1.1 server for one endpoint: one process, a thread per connection.

Enough for a sandbox and for a small partner behind a proxy; any WSGI server may take
its place. It keeps connections open, because the clearing house does, bounds their
number, and holds nothing that a kill could lose.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import ssl
import threading
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedIOBase
from queue import Empty, SimpleQueue
from socketserver import ThreadingMixIn
from types import FrameType
from typing import IO, cast
from wsgiref.handlers import SimpleHandler
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

Request = socket.socket | tuple[bytes, socket.socket]
Peer = tuple[str, int] | str

_LOG = logging.getLogger(__name__)

# The clearing house opens 6 connections to a partner; stops a flood of threads.
CONNECTIONS_MAX = 64
# Longest wait for the next bytes of a connection; frees threads of silent peers.
IDLE_SECONDS = 30
# How often the listener looks whether it shall stop.
_STOP_LOOK_SECONDS = 0.05
# How often the main thread looks up from its wait, to run what signals left for it.
_LOOK_SECONDS = 0.5
# Longest request line; stops unbounded reads.
REQUEST_LINE_BYTES_MAX = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; port 0 takes a free one. With TLS when a context is given."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and 1.3, nothing older (clause 6-L5)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class _Body:
    """The body of one request: ends where Content-Length says."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream = stream
        self.left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        data = self._stream.read(wanted)
        self.left -= len(data)
        return data


class _Answer(SimpleHandler):
    http_version = "1.1"
    server_software = "roaming-endpoint"


class _Connection(WSGIRequestHandler):
    """Handles the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        self.close_connection = False
        try:
            while not self.close_connection:
                self.close_connection = True
                self._handle_request()
        except (TimeoutError, ConnectionError, ssl.SSLError):
            self.close_connection = True

    def _handle_request(self) -> None:
        self.raw_requestline = self.rfile.readline(REQUEST_LINE_BYTES_MAX + 1)
        if not self.raw_requestline:
            return
        if len(self.raw_requestline) > REQUEST_LINE_BYTES_MAX:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if not self.parse_request():
            return
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        body = _Body(self.rfile, int(length))
        answer = _Answer(
            cast("IO[bytes]", body),
            cast("IO[bytes]", self.wfile),
            self.get_stderr(),
            self.get_environ(),
            multithread=True,
        )
        answer.run(self.server.app)
        self.close_connection = self.close_connection or body.left > 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        _LOG.debug(format, *args)


class _Server(ThreadingMixIn, WSGIServer):
    """Bounds the connections; one above the bound is closed at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: Address, application: WSGIApplication) -> None:
        super().__init__((address.host, address.port), _Connection)
        self.app = application
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._open: set[Request] = set()
        if address.tls is not None:
            # The handshake is the connection thread's work, not the listener's.
            self.socket = address.tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def process_request(self, request: Request, client_address: Peer) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Request, client_address: Peer) -> None:
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)
            self._places.release()

    def close_connections(self) -> None:
        """End the connections that are kept open."""
        for request in list(self._open):
            self.shutdown_request(request)

    def handle_error(self, request: Request, client_address: Peer) -> None:
        _ = request, client_address
        _LOG.debug("connection failed", exc_info=True)


class Serving:
    """A running server; ends with :meth:`stop`."""

    def __init__(self, application: WSGIApplication, address: Address) -> None:
        self.application = application
        self._server = _Server(address, application)
        scheme = "http" if address.tls is None else "https"
        self.url = f"{scheme}://{address.host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_STOP_LOOK_SECONDS,),
            name="endpoint",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections."""
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        self._thread.join()


def end_signals() -> SimpleQueue[int]:
    """Return a queue that gets the signals which ask the process to end.

    No event: a second signal would wait for ever for the lock that setting it for the
    first one holds.
    """
    asked: SimpleQueue[int] = SimpleQueue()

    def end(number: int, frame: FrameType | None) -> None:
        _ = frame
        asked.put(number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return asked


def wait_for(asked: SimpleQueue[int]) -> None:
    """Wait until a signal asks to end.

    With a look now and then: a signal that the system hands to another thread leaves
    its handler to this one, and wakes nobody.
    """
    while True:
        with contextlib.suppress(Empty):
            asked.get(timeout=_LOOK_SECONDS)
            return
