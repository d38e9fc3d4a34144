"""The doctor: says what is wrong on this machine and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import typer

from clearinghouse import app
from clearinghouse.cli.context import (
    EXIT_REFUSED,
    EXIT_SETTINGS,
    SETTINGS_ADVICE,
    output_of,
    settings_or_faults,
)
from clearinghouse.cli.processes import ChildError, answers, free_port
from clearinghouse.cli.tls import answers_with, fault_of_pair
from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.errors import ContractError
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.identifiers import zones
from clearinghouse.services import (
    balances,
    debit_caps,
    fee_documents,
    invoices,
    sdr_gaps,
    unposted_money,
)
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings, unknown_variables
from clearinghouse.storage import schema
from clearinghouse.storage.connect import addresses
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.sealing import KEY_BYTES, read_key

FREE_BYTES_MIN = 1_000_000_000
"""Less free disk than this is a warning: the database must never fill it."""
PARTIES_SHOWN = 5
"""Parties that a line names."""
LOOPBACK = "127.0.0.1"
"""Where a server that listens on all addresses, and its metrics, are asked."""


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
    try:
        services = len(Contract.load().services)
    except ContractError as error:
        advice = f"install this version again; {error}"
        yield Finding("contract", False, "the files of the contract are broken", advice)
        return
    yield Finding("contract", services > 0, f"{services} services")


def _zones(_own: Settings) -> Iterator[Finding]:
    package = f"tzdata {metadata.version('tzdata')}"
    yield Finding("time zones", True, f"release {zones.RELEASE} (package {package})")


def _variables(_own: Settings) -> Iterator[Finding]:
    unknown = unknown_variables()
    yield Finding(
        "settings",
        not unknown,
        f"no setting: {' '.join(unknown)}" if unknown else "all names are known",
        "correct the names or unset them: clearinghouse config explain",
    )


def _model(own: Settings) -> Iterator[Finding]:
    pays = "pair" if own.settlement_model == "BILATERAL" else "position"
    text = f"{own.settlement_model}: one payment per {pays}, if none is named"
    yield Finding("settlement runs", True, text)


def _disk(own: Settings) -> Iterator[Finding]:
    folder = own.state_dir.absolute()
    place = next(one for one in (folder, *folder.parents) if _is_there(one))
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
    except OSError as error:
        advice = f"it must be this user's own file, mode 600: {error}"
        yield Finding("key file", False, str(path), advice)
        return
    if key is None:
        yield Finding("key file", True, f"{path} is made when it is first needed")
        return
    well = len(key) == KEY_BYTES
    advice = f"it must hold {KEY_BYTES} bytes: restore the right one"
    yield Finding("key file", well, f"{path}, {len(key)} bytes", advice)


def _tls(own: Settings) -> Iterator[Finding]:
    if own.tls_certificate is None:
        yield Finding("TLS", True, "none here; nginx in front ends it")
        return
    fault = fault_of_pair(own)
    found = str(own.tls_certificate) if fault is None else "the pair does not load"
    yield Finding("TLS", fault is None, found, fault or "")


def _endpoints(own: Settings) -> Iterator[Finding]:
    loose = own.allow_http_endpoints or own.allow_private_endpoints
    yield Finding(
        "partner endpoints",
        not loose or own.host == "127.0.0.1",
        "http or private addresses allowed" if loose else "https and public only",
        "unset allow_http_endpoints and allow_private_endpoints on a public server",
    )


def _port(own: Settings) -> Iterator[Finding]:
    host = LOOPBACK if own.host in {"0.0.0.0", "::"} else own.host  # noqa: S104
    here = own.model_copy(update={"host": host, "public_url": None}).url
    tls = own.tls_certificate

    def says(path: str) -> bool:
        if tls is None:
            return answers(f"{here}{path}")
        return _is_there(tls) and answers_with(tls, host, own.port, path)

    if says("/livez"):
        yield Finding(
            "server",
            says("/readyz"),
            f"runs at {here}",
            "it runs but is not ready: look at the database lines here",
        )
        return
    yield from _free("port", own.port, own.host)
    if own.metrics_port:
        yield from _free("metrics_port", own.metrics_port, LOOPBACK)


def _free(setting: str, port: int, host: str) -> Iterator[Finding]:
    advice = f"another program has port {port}: set {setting} to a free one"
    try:
        free = free_port(port, host=host)
    except ChildError as error:
        free, advice = 0, str(error)
    well = free == port
    found = f"not running; {setting} {port} is {'free' if well else 'not free'}"
    yield Finding("server", well, found, advice)


def _database(own: Settings) -> Iterator[Finding]:
    embedded = own.database_url is None
    try:
        if embedded and not EmbeddedPostgres(own.state_dir).exists:
            found = "an embedded one is made at the first start"
            yield Finding("database", True, found)
            return
    except PermissionError as error:
        advice = f"run this as the user that the server runs as: {error}"
        yield Finding("database", False, "closed to this user", advice)
        return
    try:
        with addresses(own) as at:
            env = app.build(own, at)
            try:
                yield from _schema(env)
                yield from _vault(env, own)
                yield from _ledger(env)
                yield from _money(env)
                yield from _batches(env)
                yield from _caps(env)
                yield from _documents(env)
            finally:
                env.database.close()
                env.vault.close()
    except ClearingHouseError as error:
        log = f"the log is in {own.state_dir / 'postgres' / 'data' / 'log'}"
        cure = log if embedded else "start it, or correct database_url"
        advice = f"{cure}; it says: {error.detail}"
        yield Finding("database", False, "does not answer", advice)


def _schema(env: Environment) -> Iterator[Finding]:
    found = schema_of(env)
    needed, ready = schema.head(), app.is_ready(env.database)
    if found == needed and ready:
        text = f"up to date ({needed})"
    elif ready:
        text = f"newer than this program ({found}, {needed} would do)"
    else:
        has = f"it is at {found}" if found else "it has no tables"
        text = f"{has}, this program needs {needed}"
    yield Finding("database", ready, text, "run: clearinghouse database upgrade")


def schema_of(env: Environment) -> str | None:
    """Return the version of the database's tables; ``None``: it has none."""
    with env.database.begin() as tx:
        return schema.current(tx)


def _vault(env: Environment, own: Settings) -> Iterator[Finding]:
    """Look whether key and database belong together; a missing key is not made."""
    if not _is_there(own.key_path) or not app.is_ready(env.database):
        return
    try:
        env.vault.reveal([])
    except ClearingHouseError as error:
        yield Finding("vault", False, "does not open", error.detail)
        return
    except OSError as error:
        yield Finding("vault", False, "does not open", f"the key: {error}")
        return
    yield Finding("vault", True, "opens with this key")


def _ledger(env: Environment) -> Iterator[Finding]:
    """Derive the newest block of balances again; the verb looks at all of them."""
    if not app.is_ready(env.database):
        return
    broken = balances.newest_differences(env)
    found = f"{len(broken)} differences" if broken else "agrees with its postings"
    advice = "stop settling, keep the logs; look at: clearinghouse ledger verify"
    yield Finding("ledger", not broken, found, advice)


def _money(env: Environment) -> Iterator[Finding]:
    """Tell of money that the bank moved and no run expects."""
    if not app.is_ready(env.database) or schema_of(env) != schema.head():
        return
    names = [one.end_to_end_id for one in unposted_money.unposted(env)]
    text = "all of it is posted"
    if names:
        more = " ..." if len(names) > PARTIES_SHOWN else ""
        text = f"posted nowhere: {', '.join(names[:PARTIES_SHOWN])}{more}"
    advice = "see: clearinghouse payment unposted; then talk to the payers"
    yield Finding("money at the bank", not names, text, advice)


def _batches(env: Environment) -> Iterator[Finding]:
    if not app.is_ready(env.database) or schema_of(env) != schema.head():
        return
    parties = sorted({alarm.party_id for alarm in sdr_gaps.missing(env)})
    text = "none is missing"
    if parties:
        more = " ..." if len(parties) > PARTIES_SHOWN else ""
        text = f"missing from {', '.join(parties[:PARTIES_SHOWN])}{more}"
    advice = "see: clearinghouse sdr gaps; then ask the submitters"
    yield Finding("SDR batches", not parties, text, advice)


def _caps(env: Environment) -> Iterator[Finding]:
    """Tell whose net debit cap is nearly used up; without caps there is nothing."""
    if not app.is_ready(env.database) or schema_of(env) != schema.head():
        return
    uses = debit_caps.uses(env)
    parties = [
        f"{use.cap.party_id} {_used(use)} {use.cap.currency}"
        for use in uses
        if use.alarm is not None
    ]
    if uses:
        text = f"{len(uses)} in force, none is nearly used up"
        if parties:
            more = " ..." if len(parties) > PARTIES_SHOWN else ""
            text = f"nearly used up: {', '.join(parties[:PARTIES_SHOWN])}{more}"
        advice = "see: clearinghouse cap list; settle, or put a higher cap"
        yield Finding("net debit caps", not parties, text, advice)


def _used(use: debit_caps.Use) -> str:
    return "may owe no" if use.percent is None else f"{use.percent} % of"


def _documents(env: Environment) -> Iterator[Finding]:
    """Tell of documents that wait; nothing of this house is wrong with that."""
    if not app.is_ready(env.database) or schema_of(env) != schema.head():
        return
    count = len(invoices.waiting(env))
    if count:
        verb = "clearinghouse document pending"
        yield Finding("documents", True, f"{count} wait to be issued; see: {verb}")
    if fee_documents.lacks_profile(env):
        found = "the house has no billing profile: no VAT on fees, their invoices wait"
        advice = f"clearinghouse billing set {env.limits.party_id}"
        yield Finding("fees", False, found, advice)


def _is_there(path: Path) -> bool:
    """Whether there is such a file; behind a closed folder there is none for us."""
    try:
        return path.exists()
    except OSError:
        return False


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _contract,
    _zones,
    _variables,
    _model,
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
    own = settings_or_faults()
    if isinstance(own, list):  # without them there is nothing to look at
        findings = [Finding("settings", False, one, SETTINGS_ADVICE) for one in own]
    else:
        findings = [found for check in CHECKS for found in _guarded(check, own)]
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
    if isinstance(own, list):
        raise typer.Exit(EXIT_SETTINGS)
    if not all(finding.well for finding in findings):
        raise typer.Exit(EXIT_REFUSED)


def _guarded(
    check: Callable[[Settings], Iterator[Finding]], own: Settings
) -> Iterator[Finding]:
    """Give a check's findings; a file that it cannot look at is one of them."""
    try:
        yield from check(own)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        yield Finding(
            check.__name__.strip("_"),
            False,
            f"{place}{error.strerror or error}",
            "open it to this user, or name another place",
        )


def _line(row: Mapping[str, str]) -> str:
    """Return a finding as text; what to do stands on a line of its own, to copy."""
    do = f"\n{'':26}{row['do']}" if row["do"] else ""
    return f"{row['state']:6}{row['what']:20}{row['found']}{do}"
