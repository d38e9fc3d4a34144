"""The verbs that stay running: serve and worker."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from granian import Granian
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings

from clearinghouse.cli.context import output_of, refuse, settings
from clearinghouse.cli.output import Output
from clearinghouse.cli.processes import ChildError, free_port
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services.settlement import ensure_window
from clearinghouse.settings import Settings, environment_for
from clearinghouse.storage import schema
from clearinghouse.storage.connect import Addresses, addresses
from clearinghouse.telemetry import logging

HEADER_READ_MS = 10_000
"""Longest wait for a request's headers: ends clients that send them drop by drop."""
BACKLOG = 1024
"""Connections waiting to be accepted."""
RESPAWN_SECONDS = 1.0
"""Pause before a server process that died is started again."""
STOP_SECONDS = 15
"""Longest wait for calls in flight at a stop."""
DATABASE_LOOK_SECONDS = 1.0
"""How often the owner of the embedded database looks whether it still runs."""


def serve(
    context: typer.Context,
    port: int | None = typer.Option(None, help="Port; default from the settings."),
    host: str | None = typer.Option(None, help="Address to listen on."),
) -> None:
    """Run the server: SOAP services, WSDLs and health pages.

    Without database_url it brings its own PostgreSQL, and migrations are applied. Stop
    it with Ctrl-C.
    """
    from clearinghouse import app

    output = output_of(context)
    chosen = {"port": port, "host": host}
    own = settings().model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    _check_port(output, own)
    try:
        with addresses(own) as at, _watched(at):
            schema.upgrade(at.owner)
            _open_first_window(own, at)
            output.remark(f"clearing house at {own.url}/services/  (Ctrl-C stops)")
            _serve(app.reached(own, at))
    except ClearingHouseError as error:
        refuse(output, f"{error.code.text} {error.detail}", code=error.code.number)


def _open_first_window(own: Settings, at: Addresses) -> None:
    """Open the window of this month when none is open: SDRs need one from the start."""
    from clearinghouse import app

    env = app.build(own, at)
    ensure_window(env, f"{env.clock.now():%Y-%m}")
    env.database.close()
    env.vault.close()


def _check_port(output: Output, own: Settings) -> None:
    try:
        free = free_port(own.port, host=own.host)
    except ChildError as error:
        refuse(output, str(error))
    if free != own.port:
        refuse(
            output,
            f"port {own.port} is taken; try: clearinghouse serve --port {free}",
        )


def _serve(own: Settings) -> None:
    # The server processes are spawned, not forked: they read their settings anew.
    os.environ.update(environment_for(own))
    tls = own.tls_certificate is not None
    Granian(
        "clearinghouse.app:wsgi",
        address=own.host,
        port=own.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=own.workers,
        blocking_threads=own.threads,
        backlog=BACKLOG,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_READ_MS),
        ssl_cert=own.tls_certificate,
        ssl_key=own.tls_key,
        ssl_protocol_min=SSLProtocols.tls12 if tls else SSLProtocols.tls13,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
        log_access=False,
    ).serve()


@contextmanager
def _watched(at: Addresses) -> Iterator[None]:
    """Start the embedded database again when it dies; a DSN is somebody else's."""
    server = at.embedded
    if server is None:
        yield
        return
    stopping = threading.Event()

    def watch() -> None:
        log = logging.logger(__name__)
        while not stopping.wait(DATABASE_LOOK_SECONDS):
            try:
                if server.ensure_running():
                    log.warning("database_restarted")
            except ClearingHouseError as error:
                log.error("database_down", detail=error.detail)  # noqa: TRY400  known

    watcher = threading.Thread(target=watch, name="database-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stopping.set()
        watcher.join()


def worker(context: typer.Context) -> None:
    """Run the delivery worker: outbox, timers, stale statuses. Stop with Ctrl-C."""
    from clearinghouse import app
    from clearinghouse.delivery.worker import Worker

    output = output_of(context)
    own = settings()
    logging.configure(own.log_level)
    try:
        with app.environment(own) as env:
            working = Worker(env)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: working.stop())
            output.remark("delivering  (Ctrl-C stops)")
            working.run()
    except ClearingHouseError as error:
        refuse(output, f"{error.code.text} {error.detail}", code=error.code.number)
