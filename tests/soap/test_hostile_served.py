"""Hostile connections, against the engine behind the real application server.

Where the server answers by itself, its own answer is what is asserted.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from clearinghouse.soap.http import CHUNK_BYTES
from clearinghouse.soap.reception import LONG_BODIES_MAX, SHORT_BYTES_MAX
from tests.contract.authored import ROOT
from tests.soap.desk import batch
from tests.soap.house import authorize
from tests.soap.served import READ_SECONDS
from tests.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.clause("6-L7", "7.1-protect")

GOOD = authorize()
# How often something is tried that a pause of the machine may spoil.
TURNS = 5
PATH = "/services/authorization"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n".encode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve the engine as in production but for shorter times."""
    with served() as (number, _):
        yield number


@contextlib.contextmanager
def served(
    read_seconds: float = READ_SECONDS,
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    number, server = started(read_seconds)
    with server:
        try:
            yield number, server
        finally:
            server.terminate()
            server.wait(PATIENCE_SECONDS)


def started(read_seconds: float) -> tuple[int, subprocess.Popen[bytes]]:
    """Start a server; once more where somebody else took the port before it."""
    while True:
        number = free_port()
        command = [sys.executable, "-m", "tests.soap.served"]
        command += [str(number), str(read_seconds)]
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(lambda: server.poll() is not None or answers(number))  # noqa: B023
        if server.poll() is None:
            return number, server


def answers(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return post(port) == 200
    return False


def post(port: int, data: bytes = GOOD, service: str = "authorization") -> int:
    """Send a message the ordinary way and return the status."""
    connection = patient(port)
    try:
        headers = {"Content-Type": "text/xml"}
        connection.request("POST", f"/services/{service}", data, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def patient(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)


def livez(port: int) -> int:
    connection = patient(port)
    with contextlib.closing(connection):
        connection.request("GET", "/livez")
        return connection.getresponse().status


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


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
    """H57: the chunks count, as RFC 9112, 6.3 says, and nothing after them.

    The server drops the length before we see it.
    """
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

    assert statuses(answer) == [400]
    assert post(port) == 200


def test_line_feeds_alone_smuggle_nothing(port: int) -> None:
    """H57: the server reads them as line ends, of one request after the other."""
    head = HEAD.replace(b"\r\n", b"\n")
    first = head + b"Content-Length: %d\n\n" % len(GOOD) + GOOD

    answer = exchange(port, first + SECOND)

    assert statuses(answer) in ([200, 200], [400])
    assert post(port) == 200


def test_refuses_announced_length(port: int) -> None:
    """H29: ten gigabytes are refused at once, while they are still being sent."""
    with connect(port) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\n" + GOOD)
        answer = connection.recv(65_536)
        connection.sendall(GOOD)

    assert statuses(answer) == [413]
    assert post(port) == 200


@pytest.mark.parametrize("path", ["directory", "nowhere"])
def test_refusal_can_be_read_by_who_sends_all_first(port: int, path: str) -> None:
    """H29: four megabytes too many break no pipe."""
    connection = patient(port)
    with contextlib.closing(connection):
        body = b"<a/>" * 1_048_576
        headers = {"Content-Type": "text/xml"}
        connection.request("POST", f"/services/{path}", body, headers)
        status = connection.getresponse().status

    assert status == (413 if path == "directory" else 404)


def test_refuses_request_without_host(port: int) -> None:
    answer = exchange(port, SECOND.replace(b"Host: x\r\n", b""))

    assert statuses(answer) == [400]


def test_answers_name_no_program(port: int) -> None:
    for data in (SECOND, b"GET / HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n"):
        answer = exchange(port, data).lower()

        assert b"granian" not in answer
        assert answer.count(b"\r\nserver: clearinghouse\r\n") == 1


def test_speaks_no_http_2(port: int) -> None:
    """H29, H31: its bounds would be others."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"

    answer = exchange(port, preface + settings)

    assert settings[3:] not in answer
    assert statuses(answer) in ([], [400])


@pytest.mark.parametrize("count", [1, 40, 3_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_takes_body_of_any_length_whole(
    port: int, count: int, *, is_chunked: bool
) -> None:
    """In memory or in a file, in one piece or in many."""
    data = batch(count)
    body = (data[at : at + 10_000] for at in range(0, len(data), 10_000))
    connection = patient(port)
    with contextlib.closing(connection):
        connection.request(
            "POST",
            "/services/sdr",
            body if is_chunked else data,
            {"Content-Type": "text/xml"},
            encode_chunked=is_chunked,
        )
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()


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
        while not answer and time.monotonic() - before < PATIENCE_SECONDS:
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                connection.sendall(drip)

    assert statuses(answer) == [408]
    assert post(port) == 200


def test_long_body_has_time_as_long_as_it_comes_fast_enough(port: int) -> None:
    """H31: twice the time of a short one, at many times the least pace."""
    head = HEAD.replace(b"authorization", b"sdr")
    pieces = 20

    pause = 2 * READ_SECONDS / pieces

    def send() -> tuple[bytes, float]:
        """Return the answer, and the longest of our pauses as it was in the end."""
        longest = 0.0
        with connect(port) as connection, contextlib.suppress(ConnectionError):
            length = pieces * CHUNK_BYTES
            connection.sendall(head + CLOSE + b"Content-Length: %d\r\n\r\n" % length)
            for _ in range(pieces):
                connection.sendall(b" " * CHUNK_BYTES)
                before = time.monotonic()
                time.sleep(pause)
                longest = max(longest, time.monotonic() - before)
            return receive(connection), longest
        return b"", longest

    for _ in range(TURNS):
        answer, longest = send()
        # Only a machine that pauses us makes us a slow sender: then once more.
        if statuses(answer) == [500] or longest < 2 * pause:
            break

    assert statuses(answer) == [500]
    assert b"CH.XML.EMPTY" in answer


def test_slow_bodies_that_stay_open_hold_up_nobody(port: int) -> None:
    """H31: 200 senders who keep their connections past the refusal."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(port)) for _ in range(200)]
        for connection in slow:
            connection.sendall(HEAD + LENGTH + b"\r\n" + GOOD[:10])
        assert post(port) == 200
        for connection in slow:
            assert statuses(connection.recv(65_536)) == [408]
        for _ in range(20):
            assert post(port) == 200
            assert livez(port) == 200


def test_sheds_long_bodies_over_their_bound(port: int) -> None:
    """H31: files on their way in are bounded; short messages go on."""
    head = HEAD.replace(b"authorization", b"sdr")
    start = head + b"Content-Length: 9000000\r\n\r\n" + b" " * 2 * SHORT_BYTES_MAX

    def send() -> list[bytes]:
        with contextlib.ExitStack() as stack:
            connections = [
                stack.enter_context(connect(port)) for _ in range(LONG_BODIES_MAX + 1)
            ]
            for connection in connections:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(start)
            assert post(port) == 200
            return [connection.recv(65_536) for connection in connections]

    for _ in range(TURNS):
        came = send()
        # The first ones were over before the last one came: then once more.
        if [503] in map(statuses, came):
            break

    found = [statuses(answer) for answer in came]
    assert found.count([503]) == 1
    assert found.count([408]) == LONG_BODIES_MAX
    assert any(b"\r\nretry-after: " in answer for answer in came)
    assert post(port, batch(3_000), "sdr") == 200


def test_stop_lets_a_request_come_to_its_end() -> None:
    """A body on its way in at the stop is taken in and answered."""
    expecting = HEAD + LENGTH + b"Expect: 100-continue\r\n\r\n"
    with served(read_seconds=PATIENCE_SECONDS) as (port, server):
        with connect(port) as connection:
            connection.sendall(expecting)
            assert statuses(connection.recv(65_536)) == [100], "it is taken up"
            connection.sendall(GOOD[:10])
            server.terminate()
            eventually(lambda: not listens(port))
            connection.sendall(GOOD[10:])
            answer = receive(connection)

        assert statuses(answer) == [200]
        assert server.wait(PATIENCE_SECONDS) == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_ends_slow_headers(port: int) -> None:
    """H31: the server's own bound."""
    answer = exchange(port, HEAD)

    assert statuses(answer) in ([408], [])
    assert post(port) == 200


def test_idle_and_slow_connections_hold_up_nobody() -> None:
    """H31: 500 idle connections and 40 slow bodies beside an honest partner.

    Each request is answered while all the slow ones still have their time, and most
    are as soon as without the others.
    """
    with served(read_seconds=PATIENCE_SECONDS) as (port, _):
        quiet, busy = [], []
        for _ in range(TURNS):
            quiet.append(median_seconds(port))
            with contextlib.ExitStack() as stack:
                many = [stack.enter_context(connect(port)) for _ in range(540)]
                slow = many[500:]
                for connection in slow:
                    connection.sendall(HEAD + LENGTH + b"\r\n" + GOOD[:10])
                busy.append(median_seconds(port))
                for connection in slow:
                    connection.settimeout(0)
                    with pytest.raises(BlockingIOError):
                        connection.recv(1)
            # Twice as long, and what a busy machine adds. One that was busier with the
            # others there than without them tells nothing: then once more.
            if min(busy) < 2 * max(quiet) + 0.05:
                break

        assert min(busy) < 2 * max(quiet) + 0.05, f"with them {busy}, without {quiet}"


def median_seconds(port: int) -> float:
    """Return how long an honest request takes, most of the time."""
    times = []
    for _ in range(20):
        before = time.monotonic()
        assert post(port) == 200
        times.append(time.monotonic() - before)
    return statistics.median(times)
