"""The composition root: puts settings, storage, façades and engine together.

Nothing else knows how the parts are joined. ``rsgi`` is what the application server
loads in each of its processes; ``environment`` is what the operator's verbs use, and
``environment_with_partners`` what the worker uses. Floors and their order: see
``clearinghouse/__init__.py``.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import SecretStr
from sqlalchemy import text

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.clock import Clock, ShiftedClock, SystemClock
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services.environment import Environment, Limits
from clearinghouse.settings import Settings
from clearinghouse.storage import schema
from clearinghouse.storage.connect import Addresses, addresses
from clearinghouse.storage.database import Database
from clearinghouse.storage.signing import Signer
from clearinghouse.storage.vault import Vault
from clearinghouse.telemetry import logging

if TYPE_CHECKING:
    from clearinghouse.facades.iec63119.gateway import Gateway
    from clearinghouse.soap.reception import Reception
    from clearinghouse.soap.server import Engine

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_GC_THRESHOLDS = (20_000, 50, 100)
_PARENT_DIED = 1  # PR_SET_PDEATHSIG of prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_WRITE_PROBE = text("SELECT pg_current_xact_id()")


def clock(settings: Settings) -> Clock:
    """Return the clock: the machine's, moved when the settings name a clock file."""
    path = settings.clock_file
    return SystemClock() if path is None else ShiftedClock(lambda: _offset(path))


def _offset(path: Path) -> timedelta:
    try:
        return timedelta(seconds=int(path.read_text(encoding="ascii")))
    except (FileNotFoundError, ValueError):
        return timedelta(0)  # being written, or not there yet


def reached(settings: Settings, at: Addresses) -> Settings:
    """Return the settings with the DSNs of a running database, for child processes."""
    return settings.model_copy(
        update={
            "database_url": SecretStr(at.business),
            "database_privacy_url": SecretStr(at.privacy),
            "database_owner_url": SecretStr(at.owner),
        }
    )


@contextmanager
def environment(settings: Settings) -> Iterator[Environment]:
    """Give what the operator's acts need, with a database that runs meanwhile.

    No partner is called from here. Raises :class:`ClearingHouseError` when the database
    cannot be reached or lacks steps of this version.
    """
    with addresses(settings) as at, _opened(settings, at) as env:
        yield env


@contextmanager
def environment_with_partners(
    settings: Settings, at: Addresses
) -> Iterator[Environment]:
    """Give what a worker needs on these addresses; raises as :func:`environment`."""
    with _opened(settings, at) as env, closing(_partners(env, settings)) as partners:
        yield replace(env, partners=partners)


def _partners(env: Environment, settings: Settings) -> Gateway:
    """Return the partners at the other end of the line; the caller hangs up."""
    # Loaded here: the operator's verbs know neither contract nor façades.
    from clearinghouse.facades import iec63119  # noqa: PLC0415

    return iec63119.gateway(env.database, env.vault, env.clock, settings)


@contextmanager
def _opened(settings: Settings, at: Addresses) -> Iterator[Environment]:
    env = build(settings, at)
    try:
        place = f" in {settings.state_dir.absolute()}" if at.embedded else ""
        _check_schema(env.database, place)
        yield env
    finally:
        env.database.close()
        env.vault.close()


def build(settings: Settings, at: Addresses) -> Environment:
    """Return an environment on these addresses, without partners."""
    return Environment(
        database=Database(at.business, pool_size=settings.database_pool_size),
        vault=Vault(at.privacy, key_path=settings.key_path),
        clock=clock(settings),
        partners=NoPartners(),
        limits=Limits.of(settings),
        signer=Signer(settings.signing_key_path),
    )


def _check_schema(database: Database, place: str) -> None:
    with database.begin_read_only() as tx:
        found = schema.current(tx)
    if found is None or found < schema.head():
        has = "has no tables yet" if found is None else f"is at step {found}"
        detail = f"the database{place} {has}; run: clearinghouse database upgrade"
        raise ClearingHouseError(UNAVAILABLE, detail)


def _absent(_self: object, *_what: object, **_how: object) -> NoReturn:
    raise LookupError("this process calls no partner")


class NoPartners:
    """The gateway of a process that calls no partner; to call one is our mistake."""

    authorize = start_session = stop_session = _absent
    notify_session = deliver_sdrs = notify_sdrs = notify_settlement = _absent


class Front:
    """The WSGI callable: health for the machine, everything else for the engine."""

    def __init__(self, soap: WsgiApp, ready: Callable[[], bool]) -> None:
        self._soap = soap
        self._ready = ready

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer ``/livez`` and ``/readyz``; pass on the rest."""
        path = environ.get("PATH_INFO", "")
        if path == "/livez":
            return _plain(start_response, "200 OK", b"alive\n")
        if path == "/readyz":
            if self._ready():
                return _plain(start_response, "200 OK", b"ready\n")
            return _plain(start_response, "503 Service Unavailable", b"not ready\n")
        return self._soap(environ, start_response)


def _plain(start_response: StartResponse, status: str, body: bytes) -> list[bytes]:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(status, headers)
    return [body]


def is_ready(database: Database) -> bool:
    """Say whether the database takes writes and has all steps of this version.

    It may have later ones: while hosts are upgraded one by one, the old program works.
    """
    try:
        with database.begin("realtime") as tx:
            tx.execute(_WRITE_PROBE)
            found = schema.current(tx)
    except ClearingHouseError:
        return False
    return found is not None and found >= schema.head()


def rsgi() -> Reception:
    """Build the application of one server process from the environment variables."""
    from clearinghouse.soap.reception import Reception  # noqa: PLC0415

    parent = parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)
        atexit.register(_leave)
    settings = Settings()
    logging.configure(settings.log_level)
    at = Addresses(
        business=_secret(settings.database_url),
        privacy=_secret(settings.database_privacy_url),
        owner=_secret(settings.database_owner_url),
    )
    env = build(settings, at)
    env = replace(env, partners=_partners(env, settings))
    soap = engine(env, settings)
    front = Front(soap, lambda: is_ready(env.database))
    reception = Reception(
        behind_proxies(front, settings.trusted_proxies),
        soap.body_limits,
        threads=settings.threads,
    )
    _settle_down()
    return reception


def _leave() -> NoReturn:
    """End a server process, all answered, without taking the interpreter apart.

    Threads of the application server outlive the work; one that asks for the
    interpreter when it is half gone aborts the process with a panic.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _settle_down() -> None:
    """Take what was built at the start out of the collector's rounds.

    It lives as long as the process, and messages leave few cycles behind: a batch of
    SDRs spent a tenth of its time on being looked through.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def behind_proxies(inner: WsgiApp, trusted: str) -> WsgiApp:
    """Let a call that a trusted proxy passes on come from where the proxy says.

    Otherwise all partners would share one address, and one bound on logins.
    """
    from granian.utils.proxies import wrap_wsgi_with_proxy_headers  # noqa: PLC0415

    wrapped: WsgiApp = wrap_wsgi_with_proxy_headers(inner, trusted_hosts=trusted)
    return wrapped


def engine(env: Environment, settings: Settings) -> Engine:
    """Return the SOAP engine with all façades mounted."""
    from clearinghouse.contract.catalogue import Contract  # noqa: PLC0415
    from clearinghouse.facades import iec63119  # noqa: PLC0415
    from clearinghouse.soap.operations import EngineSettings  # noqa: PLC0415

    return iec63119.engine(env, Contract.load(), EngineSettings.of(settings))


def _secret(value: SecretStr | None) -> str:
    if value is None:
        raise LookupError("a server process needs the DSNs; start it with 'serve'")
    return value.get_secret_value()


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to end this process with its parent, even by ``kill -9``.

    Otherwise orphaned server processes would hold the port and answer for a server
    that is gone. Linux only; elsewhere nothing happens.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PARENT_DIED, signal.SIGTERM)
        if os.getppid() != parent_pid:  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)
