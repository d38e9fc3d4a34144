"""The doctor: says what is wrong on this machine and what to do about it."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import typer

from clearinghouse.cli.context import EXIT_REFUSED, output_of, settings
from clearinghouse.cli.processes import ChildError, answers, free_port
from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.settings import Settings
from clearinghouse.storage import schema
from clearinghouse.storage.connect import addresses
from clearinghouse.storage.database import Database

FREE_BYTES_MIN = 1_000_000_000
"""Less free disk than this is a warning: the database must never fill it."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``advice`` says what to do when it is not well."""

    what: str
    well: bool
    found: str
    advice: str = ""


def _python(_own: Settings) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    well = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", well, version, "use Python 3.11, 3.12 or 3.13")


def _contract(_own: Settings) -> Iterator[Finding]:
    services = len(Contract.load().services)
    yield Finding("contract", services > 0, f"{services} services")


def _disk(own: Settings) -> Iterator[Finding]:
    place = own.state_dir if own.state_dir.exists() else own.state_dir.absolute().parent
    free = shutil.disk_usage(place).free
    yield Finding(
        "disk",
        free >= FREE_BYTES_MIN,
        f"{free // 1_000_000} MB free at {place}",
        "free some disk, or name another state_dir",
    )


def _key(own: Settings) -> Iterator[Finding]:
    path = own.key_path
    if not path.exists():
        yield Finding("key file", True, f"{path} is made at the first start")
        return
    private = not path.stat().st_mode & _OTHERS
    yield Finding(
        "key file", private, str(path), f"chmod 600 {path}: others can read the key"
    )


def _endpoints(own: Settings) -> Iterator[Finding]:
    loose = own.allow_http_endpoints or own.allow_private_endpoints
    yield Finding(
        "partner endpoints",
        not loose or own.host == "127.0.0.1",
        "http or private addresses allowed" if loose else "https and public only",
        "unset allow_http_endpoints and allow_private_endpoints on a public server",
    )


def _port(own: Settings) -> Iterator[Finding]:
    if answers(f"{own.url}/livez"):
        ready = answers(f"{own.url}/readyz")
        yield Finding(
            "server",
            ready,
            f"runs at {own.url}",
            "it runs but is not ready: look at the database lines here",
        )
        return
    try:
        free = free_port(own.port, host=own.host) == own.port
    except ChildError:
        free = False
    yield Finding(
        "server",
        free,
        f"not running; port {own.port} is {'free' if free else 'taken'}",
        "another program has the port: set port or use serve --port",
    )


def _database(own: Settings) -> Iterator[Finding]:
    from clearinghouse import app

    try:
        with addresses(own) as at:
            database = Database(at.business, pool_size=1)
            with database.begin() as tx:
                found = schema.current(tx)
            ready = app.is_ready(database)
            database.close()
    except ClearingHouseError as error:
        advice = error.detail or "look at the database's log in state_dir"
        yield Finding("database", False, error.code.text, advice)
        return
    yield Finding(
        "database",
        ready or found is None,
        f"schema {found or 'not there yet'}, this version has {schema.head()}",
        "run: clearinghouse database upgrade",
    )


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _contract,
    _disk,
    _key,
    _endpoints,
    _port,
    _database,
)


def doctor(context: typer.Context) -> None:
    """Look at everything the clearing house needs; exit 1 when something is wrong."""
    own = settings()
    findings = [finding for check in CHECKS for finding in check(own)]
    output = output_of(context)
    rows = [
        {
            "what": finding.what,
            "state": "ok" if finding.well else "WRONG",
            "found": finding.found,
            "do": "" if finding.well else finding.advice,
        }
        for finding in findings
    ]
    output.rows("Doctor", rows, empty="Nothing was looked at.")
    if not all(finding.well for finding in findings):
        raise typer.Exit(EXIT_REFUSED)
