"""Hostile connections, against the engine behind the real application server.

Where the server answers by itself, its own answer is what is asserted.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.contract.authored import ROOT
from tests.soap.house import authorize
from tests.soap.served import READ_SECONDS

pytestmark = pytest.mark.clause("6-L7", "7.1-protect")

GOOD = authorize()
HEADER_SECONDS = 2
START_SECONDS = 20
PATH = "/services/authorization"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n".encode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve the engine with granian, as in production but for shorter times."""
    number = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi"),
        *("--host", "127.0.0.1", "--port", str(number), "--http", "1"),
        *("--workers", "1", "--blocking-threads", "64", "--backpressure", "2048"),
        *("--http1-header-read-timeout", str(HEADER_SECONDS * 1_000)),
        *("--http1-buffer-size", "16384"),
        "tests.soap.served:application",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(number)
            yield number
        finally:
            server.terminate()
            server.wait(timeout=20)


def wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if post(port) == 200:
                return
        time.sleep(0.1)
    raise TimeoutError


def post(port: int, data: bytes = GOOD) -> int:
    """Send a message the ordinary way and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", PATH, data, {"Content-Type": "text/xml"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def receive(connection: socket.socket) -> bytes:
    """Return everything up to the end of the connection."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def exchange(port: int, data: bytes) -> bytes:
    """Send raw bytes and return everything that comes until the server closes."""
    with connect(port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        return receive(connection)


def statuses(answer: bytes) -> list[int]:
    """Return the statuses of all answers, which follow each other without a gap."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


CLOSE = b"Connection: close\r\n"
SECOND = HEAD + CLOSE + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
TE = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(GOOD)

SMUGGLED = {
    "two lengths": HEAD + LENGTH + b"Content-Length: 3\r\n\r\n" + GOOD + SECOND,
    "list of lengths": HEAD + b"Content-Length: 3, 4\r\n\r\n" + GOOD + SECOND,
    "folded header": HEAD + b"X-A: 1\r\n 2\r\n" + LENGTH + b"\r\n" + GOOD + SECOND,
    "space before colon": HEAD
    + b"Content-Length : %d\r\n\r\n" % len(GOOD)
    + GOOD
    + SECOND,
    "other coding": HEAD
    + b"Transfer-Encoding: chunked, identity\r\n\r\n"
    + CHUNKED
    + SECOND,
    "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED + SECOND,
    "negative length": HEAD + b"Content-Length: -5\r\n\r\n" + GOOD + SECOND,
    "NUL in header": HEAD + b"X-A: \x00\r\n" + LENGTH + b"\r\n" + GOOD + SECOND,
    "no version": b"POST /services/authorization\r\n\r\n" + SECOND,
}


@pytest.mark.parametrize("data", SMUGGLED.values(), ids=SMUGGLED)
def test_ambiguous_request_ends_the_connection(port: int, data: bytes) -> None:
    """H57: a second request in the same bytes is never seen."""
    answer = exchange(port, data)

    assert statuses(answer) == [400]
    assert post(port) == 200


def test_length_and_chunks_together_end_the_connection(port: int) -> None:
    """H57: the chunks count, as RFC 9112, 6.3 says, and nothing after them."""
    for headers in (LENGTH + TE, TE + b"Content-Length: 3\r\n"):
        answer = exchange(port, HEAD + headers + b"\r\n" + CHUNKED + SECOND)

        assert statuses(answer) in ([200], [400])
        assert post(port) == 200


BAD_CHUNKS = {
    "no number": b"zz\r\n",
    "negative": b"-1\r\n",
    "too large": b"f" * 20 + b"\r\n",
    "hexadecimal mark": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "no line end": b"3\r\nabcdef",
}


@pytest.mark.parametrize("chunk", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_broken_chunk_ends_the_connection(port: int, chunk: bytes) -> None:
    answer = exchange(port, HEAD + TE + b"\r\n" + chunk + SECOND)

    assert len(statuses(answer)) <= 1
    assert 200 not in statuses(answer)
    assert post(port) == 200


def test_line_feeds_alone_smuggle_nothing(port: int) -> None:
    """H57: the server reads them as line ends, of one request after the other."""
    head = HEAD.replace(b"\r\n", b"\n")
    first = head + b"Content-Length: %d\n\n" % len(GOOD) + GOOD

    answer = exchange(port, first + SECOND)

    assert statuses(answer) in ([200, 200], [400])
    assert post(port) == 200


def test_refuses_announced_length(port: int) -> None:
    """H29: ten gigabytes are refused at once."""
    before = time.monotonic()

    answer = exchange(port, HEAD + b"Content-Length: 10000000000\r\n\r\n" + GOOD)

    assert statuses(answer) == [413]
    assert time.monotonic() - before < READ_SECONDS
    assert post(port) == 200


@pytest.mark.parametrize("service", ["authorization", "sdr"])
def test_stops_endless_chunks(port: int, service: str) -> None:
    """H29: a body without an end is not taken in."""
    head = HEAD.replace(b"authorization", service.encode())
    chunk = b"10000\r\n" + b"<a/>" * 16_384 + b"\r\n"
    with connect(port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head + TE + b"\r\n")
            for _ in range(2_000):
                connection.sendall(chunk)
            pytest.fail("130 MB were taken in")
        answer = receive(connection)

    # The answer is lost when the connection is reset under what is still on the way.
    assert statuses(answer) in ([413], [])
    assert post(port) == 200


def test_refuses_long_header(port: int) -> None:
    """H29: the server's own bound."""
    answer = exchange(port, HEAD + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n")

    assert statuses(answer) in ([431], [400], [])
    assert post(port) == 200


SLOW_BODIES = {"silent": b"", "a byte now and then": b" "}


@pytest.mark.parametrize("drip", SLOW_BODIES.values(), ids=SLOW_BODIES)
@pytest.mark.parametrize("service", ["authorization", "sdr"])
def test_ends_slow_body(port: int, drip: bytes, service: str) -> None:
    """H31: a body has its time, however it is dribbled."""
    head = HEAD.replace(b"authorization", service.encode())
    before = time.monotonic()
    answer = b""
    with connect(port) as connection:
        connection.sendall(head + LENGTH + b"\r\n" + GOOD[:10])
        connection.settimeout(0.2)
        while not answer and time.monotonic() - before < 4 * READ_SECONDS:
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                connection.sendall(drip)

    assert statuses(answer) == [408]
    assert time.monotonic() - before < 3 * READ_SECONDS
    assert post(port) == 200


def test_ends_slow_headers(port: int) -> None:
    """H31: the server's own bound."""
    before = time.monotonic()

    answer = exchange(port, HEAD)

    assert statuses(answer) in ([408], [])
    assert time.monotonic() - before < 3 * HEADER_SECONDS
    assert post(port) == 200


def test_idle_and_slow_connections_hold_up_nobody(port: int) -> None:
    """H31: 500 idle connections and 40 slow bodies beside an honest partner."""

    def seconds() -> float:
        times = []
        for _ in range(20):
            before = time.monotonic()
            assert post(port) == 200
            times.append(time.monotonic() - before)
        return sorted(times)[10]

    quiet = seconds()
    with contextlib.ExitStack() as stack:
        for number in range(540):
            connection = stack.enter_context(connect(port))
            if number >= 500:
                connection.sendall(HEAD + LENGTH + b"\r\n" + GOOD[:10])
        busy = seconds()

    # Twice as long, and what a busy machine adds.
    assert busy < 2 * quiet + 0.05
