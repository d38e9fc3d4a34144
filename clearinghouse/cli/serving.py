"""The verbs that stay running: serve and worker."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clearinghouse.cli.context import output_of, refusals, refuse, settings
from clearinghouse.cli.output import Output
from clearinghouse.cli.processes import ChildError, free_port
from clearinghouse.cli.stops import LOOK_SECONDS, is_asked
from clearinghouse.cli.tls import fault_of_pair
from clearinghouse.domain.errors import ClearingHouseError

if TYPE_CHECKING:  # loaded by what is called, not by --help
    from clearinghouse.settings import Settings
    from clearinghouse.storage.connect import Addresses

DATABASE_LOOK_SECONDS = 1.0
"""How often a process with an embedded database looks whether it still runs."""


def serve(
    context: typer.Context,
    port: int | None = typer.Option(None, help="Port; default from the settings."),
    host: str | None = typer.Option(None, help="Address to listen on."),
) -> None:
    """Run the server: SOAP services, WSDLs and health pages.

    Without database_url it brings its own PostgreSQL, and migrations are applied. Stop
    it with Ctrl-C.
    """
    output = output_of(context)
    given = {"port": port, "host": host}
    chosen = {name: value for name, value in given.items() if value is not None}
    own = settings(**chosen)
    _tell_unknown(output)
    if fault := fault_of_pair(own):
        refuse(output, fault)
    _check_port(output, own)
    with refusals(output), _metrics_of_all(output, own), _database(own) as at:
        _prepare(own, at)
        output.remark(f"clearing house at {own.url}/services/  (Ctrl-C stops)")
        _serve(own, at)


def worker(context: typer.Context) -> None:
    """Run the delivery worker: outbox, timers, stale statuses. Stop with Ctrl-C."""
    output = output_of(context)
    own = settings()
    _tell_unknown(output)
    port = own.metrics_port and own.metrics_port + 1
    with refusals(output), _metrics(output, port), _database(own) as at:
        from clearinghouse import app
        from clearinghouse.delivery.worker import Worker

        with app.environment_with_partners(own, at) as env:
            working = Worker(env)
            # A signal finds the main thread waiting, and no lock of the worker taken.
            with ThreadPoolExecutor(1, "worker") as beside:
                try:
                    running = beside.submit(working.run)
                    output.remark("delivering  (Ctrl-C stops)")
                    while not is_asked() and not running.done():
                        wait([running], timeout=LOOK_SECONDS)
                    if running.done():
                        running.result()
                finally:
                    working.stop()


def _tell_unknown(output: Output) -> None:
    """Warn of variables that set nothing: a slip in a DSN's name starts a database."""
    from clearinghouse.settings import unknown_variables

    for name in unknown_variables():
        output.remark(f"{name} is no setting; see: clearinghouse config explain")


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


@contextmanager
def _metrics_of_all(output: Output, own: Settings) -> Iterator[None]:
    """Answer ``/metrics`` for all server processes, if the settings say so."""
    if own.metrics_port == 0:
        yield
        return
    from clearinghouse.telemetry import exposition

    folder = exposition.emptied(own.state_dir.absolute() / "metrics")
    os.environ[exposition.FOLDER_VARIABLE] = str(folder)  # the processes read it
    with _metrics(output, own.metrics_port, folder):
        yield


@contextmanager
def _metrics(output: Output, port: int, folder: Path | None = None) -> Iterator[None]:
    """Answer ``/metrics`` on a port, for this process or for those of a folder."""
    if port == 0:
        yield
        return
    from clearinghouse.telemetry import exposition

    with ExitStack() as stack:
        try:
            stack.enter_context(exposition.exposed(port, folder=folder))
        except OSError:
            refuse(output, f"port {port} for metrics is taken; see metrics_port")
        yield


@contextmanager
def _database(own: Settings) -> Iterator[Addresses]:
    """Give the database's addresses; an embedded one runs, and is kept running."""
    from clearinghouse.storage.connect import addresses
    from clearinghouse.telemetry import logging

    logging.configure(own.log_level)
    with addresses(own) as at:
        if at.embedded is None:  # somebody else's server
            yield at
            return
        stopping = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(at, stopping), name="database-watch", daemon=True
        )
        watcher.start()
        try:
            yield at
        finally:
            stopping.set()
            watcher.join()


def _watch(at: Addresses, stopping: threading.Event) -> None:
    """Start the embedded database again when it dies."""
    from clearinghouse.telemetry import logging

    log = logging.logger(__name__)
    while at.embedded is not None and not stopping.wait(DATABASE_LOOK_SECONDS):
        try:
            if at.embedded.ensure_running():
                log.warning("database_restarted")
        except ClearingHouseError as error:
            log.error("database_down", detail=error.detail)  # noqa: TRY400  known


def _prepare(own: Settings, at: Addresses) -> None:
    """Bring the schema to this version; open the first window when none is open."""
    from clearinghouse import app
    from clearinghouse.cli.database import upgraded
    from clearinghouse.services.settlement import ensure_window

    env = app.build(own, at)
    try:
        if not app.is_ready(env.database):
            upgraded(at)
        ensure_window(env, f"{env.clock.now():%Y-%m}")
    finally:
        env.database.close()
        env.vault.close()


def _serve(own: Settings, at: Addresses) -> None:
    from clearinghouse import app
    from clearinghouse.cli import server
    from clearinghouse.settings import environment_for

    reached = app.reached(own, at)
    os.environ.update(environment_for(reached))  # the server processes read it
    server.run(reached)
