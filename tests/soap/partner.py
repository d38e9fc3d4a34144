"""A partner's endpoint on a socket, in every mood a partner can have."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from clearinghouse.soap.binding import Record
from clearinghouse.soap.client import Client, ClientSettings, Outcome, TimedOut
from tests.waiting import PATIENCE_SECONDS

# Longest that a test waits for a partner who does answer.
SECONDS = PATIENCE_SECONDS
# Short deadlines, one after the other: a message may not go out before the first.
SHORT_SECONDS = (0.4, 2.0, 10.0)
Talk = Callable[[socket.socket, bytes], None]


@dataclass(slots=True)
class Partner:
    """A server that reads one request after the other and lets ``talk`` answer."""

    talk: Talk
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


def read_request(connection: socket.socket) -> bytes:
    """Return one whole HTTP request; empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def _serve(partner: Partner, connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while request := read_request(connection):
            partner.requests.append(request)
            partner.talk(connection, request)


@contextlib.contextmanager
def serving(talk: Talk, *, tls: ssl.SSLContext | None = None) -> Iterator[Partner]:
    """Run a partner on a free port until the block ends."""
    partner = Partner(talk)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        scheme = "https" if tls else "http"
        partner.url = f"{scheme}://localhost:{port}/re"

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                partner.connections += 1
                threading.Thread(target=meet, args=(connection,), daemon=True).start()

        def meet(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                _serve(partner, connection)

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield partner
        # Closing alone does not wake who waits in accept.
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()


def reply(
    body: bytes,
    *,
    status: str = "200 OK",
    content_type: str = "text/xml; charset=utf-8",
    headers: str = "",
) -> Talk:
    """Return a partner's mood: always the same answer."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()

    def talk(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head + body)

    return talk


class Caller:
    """Makes the same call again and again."""

    def __init__(self, client: Client, request: Record, header: Record) -> None:
        self._client = client
        self._request = request
        self._header = header

    def __call__(self, url: str, seconds: float = SECONDS) -> Outcome:
        return self._client.call(self._request, self._header, url=url, seconds=seconds)

    def in_vain(self, url: str) -> Outcome:
        """Call a partner who does not answer until the message was sent in time."""
        for seconds in SHORT_SECONDS:
            outcome = self(url, seconds)
            if outcome != TimedOut(sent=False):
                break
        return outcome


Calling = Callable[[ClientSettings], Caller]
