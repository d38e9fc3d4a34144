"""The reception: takes a request's body in before a thread is spent on it.

The application server calls us by RSGI, in its event loop, where a thousand slow
senders cost nothing but their bytes. A body that came whole, in time and within its
bounds is handed to the WSGI callable in a thread; every other one is refused here.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, Any, Protocol
from urllib.parse import unquote

from clearinghouse.soap import replies
from clearinghouse.soap.correlation import CorrelationId
from clearinghouse.soap.http import (
    BODY_BYTES_PER_SECOND_MIN,
    BodyLimits,
    Refusal,
    declared_length,
)
from clearinghouse.soap.threads import Threads
from clearinghouse.telemetry.logging import logger

# What a body may hold in memory while it comes; the rest goes to a temporary file.
SHORT_BYTES_MAX = 65_536
# Bodies longer than that which are taken in at once; bounds the disk they need.
LONG_BODIES_MAX = 64
# What is written to the file at once.
PIECE_BYTES = 262_144
# What is read and forgotten of a refused body, and how long: a sender that is still
# sending can read the answer then.
DRAIN_BYTES_MAX = 16_777_216
DRAIN_SECONDS = 5.0
# What we call ourselves: neither the program behind it nor its version.
SERVER = ("Server", "clearinghouse")

# A sender who is refused like this has not sent all yet.
_SENDER_GOES_ON = frozenset(
    {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.SERVICE_UNAVAILABLE}
)
_RETRY_AFTER = (("Retry-After", "15"),)
_CLOSE = ("Connection", "close")
_LOG = logger(__name__)
_NO_CGI_PREFIX = frozenset({"content-type", "content-length"})
_BASE = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Body = IO[bytes]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class HeaderFields(Protocol):
    """The headers of a request as the application server shows them."""

    def items(self) -> list[tuple[str, str]]:
        """Return lower-case names with values, repeated ones too."""


class Scope(Protocol):
    """What the application server says of a request, as far as we use it."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None

    @property
    def headers(self) -> HeaderFields:
        """The headers."""


class Exchange(Protocol):
    """The other end: a body to be read, an answer to be given, once."""

    async def __call__(self) -> bytes:
        """Return the whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; an empty piece where it breaks off or ends."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Give the answer."""


class Reception:
    """The RSGI callable in front of a WSGI callable.

    ``limits`` returns the bounds of a body sent to a path; None: none is read there.
    """

    def __init__(
        self,
        app: WsgiApp,
        limits: Callable[[str], BodyLimits | None],
        *,
        threads: int,
    ) -> None:
        self._app = app
        self._limits = limits
        self._threads = Threads(threads)
        self._long_bodies = 0

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        environ = environ_of(scope)
        pieces = Pieces(exchange)
        try:
            length = _checked_length(environ)
            limits = None
            if length != 0 and environ["REQUEST_METHOD"] == "POST":
                limits = self._limits(environ["PATH_INFO"])
            if limits is not None:
                body = await self._receive(exchange, pieces, length, limits)
                await self._call(environ, body, exchange)
                return
            await self._call(environ, io.BytesIO(), exchange)
            is_rest_expected = length != 0
        except Refusal as refusal:
            _refuse(refusal, environ, exchange)
            is_rest_expected = refusal.status in _SENDER_GOES_ON
        if is_rest_expected:
            await pieces.drain()

    async def _call(self, environ: Environ, body: Body, exchange: Exchange) -> None:
        environ["CONTENT_LENGTH"] = str(_length_of(body))
        environ["wsgi.input"] = body
        try:
            await self._threads.run(partial(self._answer, environ, body, exchange))
        finally:
            self._long_bodies -= not isinstance(body, io.BytesIO)

    async def _receive(
        self,
        exchange: Exchange,
        pieces: Pieces,
        length: int | None,
        limits: BodyLimits,
    ) -> Body:
        """Return the whole body.

        Raises :class:`Refusal` 413 when it is too long, 408 when it comes too slowly,
        400 when it breaks off, 503 when too many long ones come at once.
        """
        if length is not None and length > limits.bytes_max:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            if length is None or length > SHORT_BYTES_MAX:
                return await self._receive_pieces(pieces, limits)
            async with asyncio.timeout(limits.seconds):
                return io.BytesIO(await exchange())
        except TimeoutError as error:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT) from error
        except RuntimeError as error:  # the application server's: it broke off
            raise Refusal(HTTPStatus.BAD_REQUEST) from error

    async def _receive_pieces(self, pieces: Pieces, limits: BodyLimits) -> Body:
        start = await pieces.next(SHORT_BYTES_MAX, limits)
        if pieces.have_ended():
            return io.BytesIO(start)
        if self._long_bodies >= LONG_BODIES_MAX:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, _RETRY_AFTER)
        self._long_bodies += 1
        file = TemporaryFile()  # noqa: SIM115  # closed when it is answered
        try:
            await asyncio.to_thread(file.write, start)
            while not pieces.have_ended():
                piece = await pieces.next(PIECE_BYTES, limits)
                await asyncio.to_thread(file.write, piece)
        except BaseException:
            self._long_bodies -= 1
            file.close()
            raise
        return file

    def _answer(self, environ: Environ, body: Body, exchange: Exchange) -> None:
        """Let the WSGI callable answer; runs in a thread."""
        started: list[tuple[str, Headers]] = []
        try:
            with body:
                parts = self._app(environ, lambda *line: started.append(line[:2]))
                answer = b"".join(parts)
            ((status, headers),) = started
        except Exception:  # noqa: BLE001  # the top of the thread
            _LOG.exception("request_failed")
            _refuse(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR), environ, exchange)
            return
        _respond(exchange, status, headers, answer)


class Pieces:
    """A body as it comes, piece by piece."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._stream: AsyncIterator[bytes] | None = None
        self._began = asyncio.get_running_loop().time()
        self._length = 0
        self._ended = False

    def have_ended(self) -> bool:
        """Whether the last piece was returned."""
        return self._ended

    async def next(self, bytes_min: int, limits: BodyLimits) -> bytes:
        """Return the next piece; only the last one is shorter than ``bytes_min``.

        A long body has more time than ``limits.seconds`` as long as it comes fast
        enough on average. Raises :class:`Refusal` 413 or 400, :class:`TimeoutError`.
        """
        found = bytearray()
        async with asyncio.timeout_at(self._deadline(bytes_min, limits)):
            while len(found) < bytes_min and not self._ended:
                piece = await self._read()
                found += piece
                self._length += len(piece)
                if self._length > limits.bytes_max:
                    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return bytes(found)

    async def _read(self) -> bytes:
        """Return what comes next; nothing at the end.

        Raises :class:`Refusal` 400 for a body that breaks off, which shows in a second
        empty piece. One with trailers looks the same, and nobody needs them here.
        """
        if self._stream is None:
            self._stream = aiter(self._exchange)
        # With a default, anext would end the process: CPython cannot take what the
        # application server gives it to await there.
        try:
            piece = await anext(self._stream)
            if piece:
                return piece
            await anext(self._stream)
        except StopAsyncIteration:
            self._ended = True
            return b""
        raise Refusal(HTTPStatus.BAD_REQUEST)

    def _deadline(self, bytes_min: int, limits: BodyLimits) -> float | None:
        if limits.seconds is None:
            return None
        due = (self._length + bytes_min) / BODY_BYTES_PER_SECOND_MIN
        return self._began + max(limits.seconds, due)

    async def drain(self) -> None:
        """Read on for a while: who is still sending comes to read the answer then."""
        left = DRAIN_BYTES_MAX
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while left > 0 and not self._ended:
                    left -= len(await self._read())
        except (TimeoutError, RuntimeError, Refusal):
            pass  # it had its time, or is gone


def environ_of(scope: Scope) -> Environ:
    """Return what WSGI says of a request, but for its body.

    Names with an underscore are left out: they could pass for others.
    """
    host, _, port = scope.server.rpartition(":")
    environ: Environ = {
        **_BASE,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": unquote(scope.path, "latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "wsgi.url_scheme": scope.scheme,
    }
    if scope.authority:
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if name not in _NO_CGI_PREFIX:
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _checked_length(environ: Environ) -> int | None:
    """Return the length of the body; None when only its end will tell.

    Raises :class:`Refusal` 400 for a request that says two things of it, or lacks what
    each must have.
    """
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    is_doubtful = is_chunked and "CONTENT_LENGTH" in environ
    if is_doubtful or (
        "HTTP_HOST" not in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    ):
        raise Refusal(HTTPStatus.BAD_REQUEST)
    return None if is_chunked else declared_length(environ)


def _length_of(body: Body) -> int:
    length = body.seek(0, io.SEEK_END)
    body.seek(0)
    return length


def _refuse(refusal: Refusal, environ: Environ, exchange: Exchange) -> None:
    """Answer with a status alone; the connection ends with it."""

    def start_response(status: str, headers: Headers) -> None:
        _respond(exchange, status, [*headers, _CLOSE], body)

    reply = replies.refused(refusal)
    body = reply.body
    reply.send(environ, start_response, CorrelationId.new())


def _respond(exchange: Exchange, status: str, headers: Headers, body: bytes) -> None:
    exchange.response_bytes(int(status[:3]), [*headers, SERVER], body)
