"""The embedded server: one cluster, many processes, hard ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.settings import Settings
from clearinghouse.storage import connect
from clearinghouse.storage.embedded.binaries import locate
from clearinghouse.storage.embedded.identity import Identity
from clearinghouse.storage.embedded.pidfile import Postmaster, read
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from tests.fixtures.database import FAST, given_bindir, make_state_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWNER_PROGRAM = """
import sys, time
from pathlib import Path
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
bindir = Path(sys.argv[2]) if sys.argv[2] else None
server = EmbeddedPostgres(Path(sys.argv[1]), bindir=bindir, options={"fsync": "off"})
server.start()
print(server.pid, server.is_owner, flush=True)
time.sleep(600)
"""


@pytest.fixture
def bare_dir() -> Iterator[Path]:
    """Give the test a state directory in which nobody has started yet."""
    folder = make_state_dir()
    yield folder
    if read(folder / "postgres" / "data") is not None:
        server = _server(folder)
        server.start()
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stopped_cluster() -> Iterator[Path]:
    """Make a cluster once, for copies are quicker than new ones."""
    folder = make_state_dir()
    with _server(folder):
        pass
    yield folder / "postgres"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def state_dir(bare_dir: Path, stopped_cluster: Path) -> Path:
    """Give the test a state directory with a cluster that is not running."""
    subprocess.run(["cp", "-a", str(stopped_cluster), str(bare_dir)], check=True)
    return bare_dir


def _server(state_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(state_dir, bindir=given_bindir(), options=FAST)


def _count(server: EmbeddedPostgres) -> int:
    url = server.url("clearinghouse_owner").replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS public.mark (x int)")
        connection.execute("INSERT INTO public.mark VALUES (1)")
        row = connection.execute("SELECT count(*) FROM public.mark").fetchone()
    assert row is not None
    return int(str(row[0]))


def _other_process(state_dir: Path) -> subprocess.Popen[str]:
    bindir = given_bindir()
    return subprocess.Popen(
        [sys.executable, "-c", _OWNER_PROGRAM, str(state_dir), str(bindir or "")],
        stdout=subprocess.PIPE,
        text=True,
    )


def _first_line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_owner_that_forgets_to_stop_ends_its_server(state_dir: Path) -> None:
    """A signal between two steps may keep it from leaving its with statement."""
    forgetful = _OWNER_PROGRAM.replace("time.sleep(600)", "")
    bindir = str(given_bindir() or "")

    done = subprocess.run(
        [sys.executable, "-c", forgetful, str(state_dir), bindir],
        capture_output=True,
        text=True,
        check=True,
    )

    number, is_owner = done.stdout.split()
    assert is_owner == "True"
    assert not Path("/proc", number).exists()


def test_initdb_that_a_signal_meets_as_it_starts_is_ended(
    bare_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    popen = Identity.popen

    def start(
        self: Identity, command: list[str], *, output: int
    ) -> subprocess.Popen[bytes]:
        process = popen(self, command, output=output)
        if any(word.startswith("--pgdata") for word in command):
            begun.append(process)
            signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(Identity, "popen", start)

    with pytest.raises(KeyboardInterrupt):
        _server(bare_dir).start()

    assert [process.poll() for process in begun] == [-signal.SIGKILL]


def test_data_survive_a_stop_and_a_start(state_dir: Path) -> None:
    with _server(state_dir) as server:
        assert _count(server) == 1
        socket_dir = Path(server.url("x").partition("host=")[2])
    with _server(state_dir) as server:
        assert _count(server) == 2

    assert not socket_dir.exists()
    assert not read(state_dir / "postgres" / "data")


def test_nobody_but_its_account_may_enter_data_or_socket(state_dir: Path) -> None:
    with _server(state_dir) as server:
        socket_dir = Path(server.url("x").partition("host=")[2])
        modes = [
            path.stat().st_mode & 0o777
            for path in (
                socket_dir,
                state_dir / "postgres",
                state_dir / "postgres/data",
            )
        ]
        url = server.url("postgres", "postgres").replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            row = connection.execute("SHOW listen_addresses").fetchone()

    assert modes == [0o700, 0o700, 0o700]
    assert row == ("",)


def test_second_start_attaches_and_only_the_owner_stops(state_dir: Path) -> None:
    with _server(state_dir) as owner:
        with _server(state_dir) as guest:
            assert (owner.is_owner, guest.is_owner) == (True, False)
            assert guest.pid == owner.pid
            assert guest.owner_pid == os.getpid()
            assert _count(guest) == 1
        assert _count(owner) == 2

    assert _server(state_dir).pid is None


def test_processes_that_start_at_once_share_one_server(bare_dir: Path) -> None:
    processes = [_other_process(bare_dir) for _ in range(3)]
    try:
        lines = [_first_line(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()

    assert len({pid for pid, _ in lines}) == 1
    assert sorted(owner for _, owner in lines) == ["False", "False", "True"]


def test_server_of_a_killed_owner_is_adopted(state_dir: Path) -> None:
    process = _other_process(state_dir)
    pid, _ = _first_line(process)
    process.kill()
    process.communicate()

    with _server(state_dir) as server:
        assert server.pid == int(pid)
        assert server.is_owner
        assert _count(server) == 1

    assert _server(state_dir).pid is None


def test_killed_server_is_recovered_by_the_next_start(state_dir: Path) -> None:
    process = _other_process(state_dir)
    pid, _ = _first_line(process)
    os.kill(int(pid), signal.SIGKILL)
    process.kill()
    process.communicate()

    with _server(state_dir) as server:
        assert server.pid != int(pid)
        assert _count(server) == 1


def test_killed_server_is_restarted_at_the_same_address(state_dir: Path) -> None:
    with _server(state_dir) as server:
        before = server.url("x")
        assert server.pid is not None
        assert not server.ensure_running()
        os.kill(server.pid, signal.SIGKILL)

        assert server.ensure_running()
        assert server.url("x") == before
        assert _count(server) == 1


def test_server_without_its_socket_folder_is_started_afresh(state_dir: Path) -> None:
    process = _other_process(state_dir)
    _first_line(process)
    process.kill()
    process.communicate()
    postmaster = read(state_dir / "postgres" / "data")
    assert postmaster is not None
    shutil.rmtree(postmaster.socket_dir)

    with _server(state_dir) as server:
        assert _count(server) == 1


def test_interrupt_at_the_terminal_does_not_reach_the_server(state_dir: Path) -> None:
    with _server(state_dir) as server:
        assert server.pid is not None
        assert os.getsid(server.pid) != os.getsid(0)
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_killed_initdb_leaves_no_half_cluster(bare_dir: Path) -> None:
    half = bare_dir / "postgres" / "data.new"
    half.mkdir(parents=True)
    half.joinpath("PG_VERSION").write_text("99", "ascii")

    with _server(bare_dir) as server:
        assert _count(server) == 1


def test_cluster_of_another_version_is_told_with_the_way_out(state_dir: Path) -> None:
    with _server(state_dir):
        pass
    (state_dir / "postgres" / "data" / "PG_VERSION").write_text("9\n", "ascii")

    with pytest.raises(ClearingHouseError, match="was made by PostgreSQL 9") as caught:
        _server(state_dir).start()

    assert caught.value.code is UNAVAILABLE


def test_server_that_cannot_start_says_why(state_dir: Path) -> None:
    broken = EmbeddedPostgres(
        state_dir, bindir=given_bindir(), options={"max_connections": "none"}
    )

    with pytest.raises(ClearingHouseError, match="max_connections"):
        broken.start()
    assert not broken.is_owner


def test_url_before_the_start_is_an_error(state_dir: Path) -> None:
    with pytest.raises(ClearingHouseError, match="not started"):
        _server(state_dir).url("x")


def test_folder_without_programs_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ClearingHouseError, match="pg_bindir"):
        locate(tmp_path)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("postgres (PostgreSQL) 14.2", "15 is the oldest"),
        ("nothing", "says no version"),
    ],
)
def test_programs_that_are_too_old_are_refused(
    tmp_path: Path, words: str, reason: str
) -> None:
    for name in ("initdb", "postgres"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{words}'\n", "ascii")
        program.chmod(0o755)

    with pytest.raises(ClearingHouseError, match=reason):
        locate(tmp_path)


def test_program_that_does_not_run_is_told(tmp_path: Path) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).write_text("", "ascii")

    with pytest.raises(ClearingHouseError, match="does not run"):
        locate(tmp_path)


def test_program_of_another_account_gets_none_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_URL", "postgresql://secret")
    target = tmp_path / "environment"
    with target.open("wb") as output:
        Identity().popen(["/usr/bin/env"], output=output).wait(10)

    assert b"secret" not in target.read_bytes()


def test_number_of_another_program_is_no_server() -> None:
    assert not Postmaster(os.getpid(), Path("/tmp")).is_alive  # noqa: S108
    assert not Postmaster(2**22 + 1, Path("/tmp")).is_alive  # noqa: S108


@pytest.mark.parametrize(
    "written", ["", "12\n", "x\n/d\n1\n5432\n/tmp\n", "12\n/d\n1\n5432\n\n"]
)
def test_half_written_pid_file_counts_as_none(tmp_path: Path, written: str) -> None:
    (tmp_path / "postmaster.pid").write_text(written, "ascii")

    assert read(tmp_path) is None


def test_settings_without_dsn_run_the_embedded_server(state_dir: Path) -> None:
    settings = Settings(state_dir=state_dir, pg_bindir=given_bindir())

    with connect.addresses(settings) as found:
        assert found.embedded is not None
        assert found.embedded.is_owner
        assert "clearinghouse_app@" in found.business
        assert "clearinghouse_privacy@" in found.privacy
        assert "clearinghouse_owner@" in found.owner
        assert "host=" not in repr(found)


def test_settings_with_one_dsn_use_it_for_all_roles() -> None:
    settings = Settings(database_url=SecretStr("postgresql://one@h/db"))

    with connect.addresses(settings) as found:
        urls = {found.business, found.privacy, found.owner}

    assert urls == {"postgresql://one@h/db"}
    assert found.embedded is None


def test_start_waits_for_a_server_that_another_process_is_starting(
    state_dir: Path,
) -> None:
    process = _other_process(state_dir)
    lock = state_dir / "postgres.lock"
    while not lock.exists():
        time.sleep(0.01)
    guest = _server(state_dir)
    try:
        guest.start()
        assert _count(guest) == 1
    finally:
        guest.stop()
        process.kill()
        process.communicate()
