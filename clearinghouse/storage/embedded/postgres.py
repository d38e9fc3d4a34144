"""The supervisor of the embedded server: start, attach, recover, stop.

One cluster lives below the state directory. The process that holds the lock file owns
the server; any other process attaches to it. When the owner dies the lock is free, and
the next one who starts adopts the server that still runs, or recovers it.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage.embedded import pidfile
from clearinghouse.storage.embedded.binaries import locate
from clearinghouse.storage.embedded.bootstrap import DATABASE, SUPERUSER, bootstrap
from clearinghouse.storage.embedded.identity import Launch, choose
from clearinghouse.storage.embedded.uncut import uncut

#: Seconds until a server must answer; recovery after a crash is part of it. It stops a
#: broken cluster from being waited for without end.
START_SECONDS = 60

#: Seconds a server may take to stop before it is stopped harder.
STOP_SECONDS = 15

#: Seconds between two looks at a server that starts or stops.
POLL_SECONDS = 0.05

#: Seconds to keep trying while the remains of a killed server are still in the way.
STALE_SECONDS = 15

#: A Unix socket's path must fit into 108 bytes; long temporary folders do not.
SOCKET_DIR_LENGTH_MAX = 80

#: How much of the server's first words goes into an error.
LOG_TAIL_BYTES = 2_000

_SOCKET_PREFIX = "chpg-"
_STALE_MARKS = ("shared memory block", "lock file")

_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    # A list of a million entries needs statistics soon, not after a minute.
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A week of logs, each day over the same day of last week.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    # No statement and no row in the log: they hold partners' data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """A private PostgreSQL server below a state directory; a context manager.

    ``options`` are further settings of the server, by name.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        bindir: Path | None = None,
        options: dict[str, str] | None = None,
    ) -> None:
        self._state_dir = state_dir.absolute()
        self._home = self._state_dir / "postgres"
        self._data = self._home / "data"
        self._lock_path = self._state_dir / "postgres.lock"
        self._log_path = self._state_dir / "postgres-start.log"
        self._bindir = bindir
        self._options = _CONFIGURATION | (options or {})
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def is_owner(self) -> bool:
        """Whether this process started (or adopted) the server and will stop it."""
        return self._lock is not None

    @property
    def owner_pid(self) -> int | None:
        """Process id of the owner as it noted it, ``None`` when there is no note."""
        try:
            noted = self._lock_path.read_text("ascii")
        except OSError:
            return None
        return int(noted) if noted.isdigit() else None

    @property
    def exists(self) -> bool:
        """Whether there is a cluster, running or not."""
        return self._data.exists()

    @property
    def pid(self) -> int | None:
        """The process id of the server, ``None`` when none runs."""
        postmaster = pidfile.read(self._data)
        return postmaster.pid if postmaster and postmaster.is_alive else None

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the URL for a role, for SQLAlchemy and psycopg.

        Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) before :meth:`start`.
        """
        if self._socket_dir is None:
            raise _error("the embedded database is not started")
        return f"postgresql+psycopg://{role}@/{database}?host={self._socket_dir}"

    def start(self) -> None:
        """Start the server, or attach to the one that another process owns.

        Safe to call in several processes at once and on a running server. Raises
        :class:`ClearingHouseError` (``CH.UNAVAILABLE``); the detail says what is wrong.
        """
        self._make_folders()
        try:
            self._start_or_attach()
        except PermissionError as error:
            raise _error(
                f"{error.filename} belongs to another user: run this as that user, or "
                "name another state_dir"
            ) from error

    def _start_or_attach(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.is_owner or self._take_lock():
                self._start_as_owner()
                return
            if self._attach():
                return
            time.sleep(POLL_SECONDS)
        raise _error(
            f"another process holds {self._lock_path} but its server does not answer"
        )

    def ensure_running(self) -> bool:
        """Start the server again if it does not answer; say whether that was needed."""
        if self._socket_dir is not None and self._answers(self._socket_dir):
            return False
        self.start()
        return True

    def stop(self) -> None:
        """Stop the server if this process owns it; let go of it otherwise.

        Fast stop: open transactions are rolled back, nobody is waited for. A signal
        that arrives meanwhile has its effect afterwards.
        """
        atexit.unregister(self.stop)
        if not self.is_owner:
            self._socket_dir = None
            return
        with uncut():
            self._end()
            if self._socket_dir is not None:
                shutil.rmtree(self._socket_dir, ignore_errors=True)
                self._socket_dir = None
            self._release_lock()

    def _end(self) -> None:
        """End the server, harder each time it does not go."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._process is not None:  # it may not have written its number yet
                self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._reap()
            postmaster = pidfile.read(self._data)
            if postmaster is not None and postmaster.is_alive:
                postmaster.signal(number)
                self._wait_until_gone(postmaster)
            elif self._process is None:
                return

    def _make_folders(self) -> None:
        try:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            self._home.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _error(f"state_dir cannot be used: {error}") from error

    def _take_lock(self) -> bool:
        """Try to become the owner; the kernel frees the lock when we die."""
        handle = os.open(
            self._lock_path,
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
        )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        # For who asks which process that is; the lock itself needs no content.
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._lock = handle
        return True

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _attach(self) -> bool:
        postmaster = pidfile.read(self._data)
        if postmaster is None or not self._answers(postmaster.socket_dir, DATABASE):
            return False
        self._socket_dir = postmaster.socket_dir
        return True

    def _start_as_owner(self) -> None:
        # A signal between two steps of a caller may keep it from stopping us.
        atexit.register(self.stop)
        try:
            if not self._adopt():
                self._run(choose(locate(self._bindir), self._home, self._data))
            self._bootstrap()
        except BaseException:
            self.stop()
            self._release_lock()
            raise

    def _adopt(self) -> bool:
        """Take over a server whose owner died; ``False`` when none answers."""
        postmaster = pidfile.read(self._data)
        if postmaster is None:
            return False
        self._socket_dir = postmaster.socket_dir
        deadline = time.monotonic() + STALE_SECONDS
        while postmaster.is_alive and postmaster.has_socket:
            if self._answers(postmaster.socket_dir):
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        # It lives and cannot be reached, as after somebody emptied the temporary
        # folder: a fresh start is quicker than a riddle.
        postmaster.signal(signal.SIGINT)
        self._wait_until_gone(postmaster)
        return False

    def _run(self, launch: Launch) -> None:
        self._initialize(launch)
        self._make_socket_dir(launch)
        deadline = time.monotonic() + STALE_SECONDS
        while True:
            self._spawn(launch)
            if self._wait_until_ready():
                return
            words = self._log_tail()
            stale = any(mark in words for mark in _STALE_MARKS)
            if not stale or time.monotonic() > deadline:
                raise _error(f"PostgreSQL did not start: {words}")
            # The last processes of a killed server are still going down, or one whose
            # owner died while it started is coming up.
            time.sleep(10 * POLL_SECONDS)
            if self._adopt():
                return

    def _initialize(self, launch: Launch) -> None:
        version_file = self._data / "PG_VERSION"
        if version_file.exists():
            found = version_file.read_text("ascii").strip()
            if found != str(launch.binaries.major):
                raise _error(
                    f"{self._data} was made by PostgreSQL {found}, the programs in "
                    f"{launch.binaries.bindir} are {launch.binaries.major}: set "
                    "pg_bindir to the old ones, or move the data with pg_dump"
                )
            return
        # Under another name until it is complete: a killed initdb leaves no cluster.
        unfinished = self._data.with_name("data.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            launch.binaries.program("initdb"),
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            # The same order of texts on every engine and every machine.
            "--locale=C.UTF-8",
            "--data-checksums",
        ]
        if self._options.get("fsync") == "off":
            command.append("--no-sync")
        process = None
        try:
            with self._log_path.open("wb") as log, uncut():
                process = launch.identity.popen(command, output=log)
            code = process.wait(START_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise _error(f"initdb takes longer than {START_SECONDS} s") from error
        finally:
            # Left alone, it would go on writing where the next start begins anew.
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code != 0:
            raise _error(f"initdb failed: {self._log_tail()}")
        unfinished.rename(self._data)

    def _make_socket_dir(self, launch: Launch) -> None:
        """Use the folder of the last run again: then its URLs stay good.

        An owner that stopped has removed it, and those who shared its server go on.
        """
        last = self._socket_dir
        if last is not None and last.name.startswith(_SOCKET_PREFIX):
            if last.is_dir():
                return
            with suppress(OSError):  # somebody else's by now: another one then
                last.mkdir(mode=0o700)
                launch.identity.give(last)
                return
        base = tempfile.gettempdir()
        if len(base) > SOCKET_DIR_LENGTH_MAX:
            base = "/tmp"  # noqa: S108 -- mkdtemp makes an own folder, mode 0700
        self._socket_dir = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=base))
        launch.identity.give(self._socket_dir)

    def _spawn(self, launch: Launch) -> None:
        self._reap()
        settings = self._options | {"unix_socket_directories": str(self._socket_dir)}
        command = [launch.binaries.program("postgres"), "-D", str(self._data)]
        command += _flags(f"{name}={value}" for name, value in settings.items())
        with self._log_path.open("wb") as log, uncut():
            self._process = launch.identity.popen(command, output=log)

    def _reap(self) -> None:
        """Wait for our dead child: while nobody does, its process id looks alive."""
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None

    def _wait_until_ready(self) -> bool:
        """Say whether the server came up; ``False`` when its process ended."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if self._socket_dir is not None and self._answers(self._socket_dir):
                return True
            time.sleep(POLL_SECONDS)
        raise _error(
            f"PostgreSQL did not answer in {START_SECONDS} s: {self._log_tail()}"
        )

    def _answers(self, socket_dir: Path, database: str = "postgres") -> bool:
        try:
            self._connect(socket_dir, database).close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(
        self, socket_dir: Path, database: str
    ) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(socket_dir),
            user=SUPERUSER,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def _bootstrap(self) -> None:
        if self._socket_dir is not None:
            with self._connect(self._socket_dir, "postgres") as connection:
                bootstrap(connection)

    def _wait_until_gone(self, postmaster: pidfile.Postmaster) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while postmaster.is_alive and time.monotonic() < deadline:
            if self._process is not None:
                self._process.poll()
            time.sleep(POLL_SECONDS)

    def _log_tail(self) -> str:
        with suppress(OSError):
            words = self._log_path.read_bytes()[-LOG_TAIL_BYTES:]
            return words.decode("utf-8", "replace").strip()
        return ""


def _flags(settings: Iterable[str]) -> list[str]:
    return [word for setting in settings for word in ("-c", setting)]


def _error(detail: str) -> ClearingHouseError:
    return ClearingHouseError(UNAVAILABLE, detail)
