"""The doctor: says what is wrong on this machine and what to do about it."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from clearinghouse import app
from clearinghouse.cli.context import EXIT_REFUSED, output_of, settings
from clearinghouse.cli.processes import ChildError, answers, free_port
from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings, unknown_variables
from clearinghouse.storage import schema
from clearinghouse.storage.connect import addresses
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.sealing import KEY_BYTES, read_key

FREE_BYTES_MIN = 1_000_000_000
"""Less free disk than this is a warning: the database must never fill it."""


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


def _variables(_own: Settings) -> Iterator[Finding]:
    unknown = unknown_variables()
    yield Finding(
        "settings",
        not unknown,
        f"no setting: {' '.join(unknown)}" if unknown else "all names are known",
        "correct the names or unset them: clearinghouse config show",
    )


def _disk(own: Settings) -> Iterator[Finding]:
    folder = own.state_dir.absolute()
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    yield Finding(
        "state",
        place.is_dir() and os.access(place, os.W_OK | os.X_OK),
        str(folder),
        f"{place} is closed to this user: name another state_dir, or open it",
    )
    yield Finding(
        "disk",
        free >= FREE_BYTES_MIN,
        f"{free // 1_000_000} MB free at {place}",
        "free some disk, or name another state_dir",
    )


def _key(own: Settings) -> Iterator[Finding]:
    path = own.key_path
    try:
        key = read_key(path)
    except ClearingHouseError as error:
        yield Finding("key file", False, str(path), error.detail)
        return
    if key is None:
        yield Finding("key file", True, f"{path} is made when it is first needed")
        return
    well = len(key) == KEY_BYTES
    advice = f"it must hold {KEY_BYTES} bytes: restore the right one"
    yield Finding("key file", well, f"{path}, {len(key)} bytes", advice)


def _tls(own: Settings) -> Iterator[Finding]:
    if own.tls_certificate is None and own.tls_key is None:
        yield Finding("TLS", True, "none here; nginx in front ends it")
        return
    try:
        _load_pair(own.tls_certificate, own.tls_key)
    except (OSError, ValueError) as error:
        advice = f"set tls_certificate and tls_key to a PEM pair: {error}"
        yield Finding("TLS", False, "certificate and key do not load", advice)
        return
    yield Finding("TLS", True, str(own.tls_certificate))


def _load_pair(certificate: Path | None, key: Path | None) -> None:
    if certificate is None or key is None:
        raise ValueError("one of the two is missing")
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        certificate, key, password=""
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
    host = "127.0.0.1" if own.host in {"0.0.0.0", "::"} else own.host  # noqa: S104
    here = own.model_copy(update={"host": host, "public_url": None}).url
    if answers(f"{here}/livez"):
        yield Finding(
            "server",
            answers(f"{here}/readyz"),
            f"runs at {here}",
            "it runs but is not ready: look at the database lines here",
        )
        return
    advice = f"another program has port {own.port}: set port, or use serve --port"
    try:
        free = free_port(own.port, host=own.host)
    except ChildError as error:
        free, advice = 0, str(error)
    well = free == own.port
    found = f"not running; port {own.port} is {'free' if well else 'taken'}"
    yield Finding("server", well, found, advice)


def _database(own: Settings) -> Iterator[Finding]:
    embedded = own.database_url is None
    if embedded and not EmbeddedPostgres(own.state_dir).exists:
        yield Finding("database", True, "an embedded one is made at the first start")
        return
    try:
        with addresses(own) as at:
            env = app.build(own, at)
            try:
                yield from _schema(env)
                yield from _vault(env, own)
            finally:
                env.database.close()
                env.vault.close()
    except ClearingHouseError as error:
        log = f"the log is in {own.state_dir / 'postgres' / 'data' / 'log'}"
        cure = log if embedded else "start it, or correct database_url"
        advice = f"{cure}; it says: {error.detail}"
        yield Finding("database", False, "does not answer", advice)


def _schema(env: Environment) -> Iterator[Finding]:
    with env.database.begin() as tx:
        found = schema.current(tx)
    here = f"this program needs {schema.head()}"
    has = f"it is at {found}" if found else "it has no tables"
    advice = "run: clearinghouse database upgrade"
    yield Finding("database", app.is_ready(env.database), f"{has}, {here}", advice)


def _vault(env: Environment, own: Settings) -> Iterator[Finding]:
    """Look whether key and database belong together; a missing key is not made."""
    if not own.key_path.exists() or not app.is_ready(env.database):
        return
    try:
        env.vault.reveal([])
    except ClearingHouseError as error:
        yield Finding("vault", False, "does not open", error.detail)
        return
    yield Finding("vault", True, "opens with this key")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _contract,
    _variables,
    _disk,
    _key,
    _tls,
    _endpoints,
    _port,
    _database,
)


def doctor(context: typer.Context) -> None:
    """Look at everything the clearing house needs.

    Says what to do about each thing that is wrong, and exits with 1 then.
    """
    own = settings()
    findings = [finding for check in CHECKS for finding in check(own)]
    rows = [
        {
            "what": finding.what,
            "state": "ok" if finding.well else "WRONG",
            "found": finding.found,
            "do": "" if finding.well else finding.advice,
        }
        for finding in findings
    ]
    output_of(context).value(rows, "\n".join(_line(row) for row in rows))
    if not all(finding.well for finding in findings):
        raise typer.Exit(EXIT_REFUSED)


def _line(row: Mapping[str, str]) -> str:
    """Return a finding as text; what to do stands on a line of its own, to copy."""
    do = f"\n{'':26}{row['do']}" if row["do"] else ""
    return f"{row['state']:6}{row['what']:20}{row['found']}{do}"
