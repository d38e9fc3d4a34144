"""Server and worker as a supervisor sees them: started, stopped, killed, started."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from tests.fixtures.database import make_state_dir
from tests.running.program import Program, own_port
from tests.waiting import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from pathlib import Path

STOPPED = 0
#: How often something is tried that a pause of the machine may spoil.
TURNS = 5


def _complaints(program: Program) -> list[str]:
    """Return what nobody wants to read when a program stops."""
    words = ("Traceback", "panicked", "ignored", "Killing")
    return [
        line
        for line in program.said.splitlines()
        if any(word in line for word in words)
    ]


def test_server_finishes_the_message_in_work_and_stops(state_dir: Path) -> None:
    server = Program(state_dir, "serve").start().ready()
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.settimeout(PATIENCE_SECONDS)
        half.sendall(
            b"POST /services/access HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: text/xml; charset=utf-8\r\nContent-Length: 100\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert b" 100 " in half.recv(65_536)  # it is taken up
        half.sendall(b"<" * 50)

        server.signal(signal.SIGTERM).until_says("Stopping worker")
        half.sendall(b"<" * 50)
        answer = http.client.HTTPResponse(half)
        answer.begin()

        assert answer.status == 500  # a fault: this is no message
        assert b"Fault" in answer.read()
    assert server.ended() == STOPPED
    assert not server.left()
    assert not _complaints(server)


def test_impatient_person_leaves_no_process(state_dir: Path) -> None:
    server = Program(state_dir, "serve").start().ready()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        if server.running:
            server.signal(number)
            time.sleep(0.2)

    assert server.ended() == STOPPED, server.said
    assert not server.left()
    assert not _complaints(server)


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_flood_of_signals_is_one_wish_to_stop(state_dir: Path, verb: str) -> None:
    program = Program(state_dir, verb).start().until_says("Ctrl-C stops")
    time.sleep(1)

    for _ in range(2_000):
        if program.running:
            program.signal(signal.SIGTERM).signal(signal.SIGINT)

    assert program.ended() == STOPPED, program.said
    assert not program.left()
    assert not _complaints(program)


@pytest.mark.parametrize("moment", ["postgres.lock", "postgres/data/postmaster.pid"])
def test_server_that_is_stopped_while_it_starts_leaves_no_process(
    state_dir: Path, moment: str
) -> None:
    server = Program(state_dir, "serve").start().until_there(moment)

    server.signal(signal.SIGTERM)

    assert server.ended() == STOPPED, server.said
    assert not server.left()


def test_stop_while_the_database_is_made_leaves_nothing_half_made() -> None:
    for _ in range(TURNS):
        folder = make_state_dir()
        try:
            server = Program(folder, "serve").start()
            server.until_there("postgres/data.new", "postgres/data")

            code = server.signal(signal.SIGINT).ended()

            assert code == STOPPED, server.said
            assert not server.left()
            if not EmbeddedPostgres(folder).exists:
                return
            # It was made by then. Nothing of it is half made.
            assert not (folder / "postgres" / "data.new").exists()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise AssertionError("the database was made each time")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_worker_stops_cleanly_and_leaves_no_process(
    state_dir: Path, number: int
) -> None:
    worker = Program(state_dir, "worker").start().until_says("delivering")

    worker.signal(number)

    assert worker.ended() == STOPPED, worker.said
    assert worker.said.splitlines()[-1] == "worker: stopped"
    assert not worker.left()


def test_killed_server_is_started_again_on_the_same_database(state_dir: Path) -> None:
    first = Program(state_dir, "serve").start().ready()
    database = EmbeddedPostgres(state_dir).pid
    first.signal(signal.SIGKILL)
    first.ended()

    second = Program(state_dir, "serve", port=first.port)
    _until_free(first.port)
    second.start().ready()

    assert EmbeddedPostgres(state_dir).pid == database  # adopted, not made anew
    assert second.stop() == STOPPED
    assert not second.left()
    assert not first.left()


def _until_free(port: int) -> None:
    """Wait until the server processes of a killed server have gone too."""

    def is_free() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    eventually(is_free)


def test_second_server_shares_the_database_and_outlives_the_first(
    state_dir: Path,
) -> None:
    first = Program(state_dir, "serve").start().ready()
    second = Program(state_dir, "serve", port=own_port(1)).start().ready()

    assert first.stop() == STOPPED  # it owned the database, and stops it
    second.until_says("database_restarted").ready()

    assert second.stop() == STOPPED
    assert not second.left()


def test_taken_port_is_told_with_a_free_one(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Program(state_dir, "serve", port=port).start()
        code = server.ended()

    assert code == 1
    assert f"port {port} is taken; try: clearinghouse serve --port" in server.said
    assert not server.left()
