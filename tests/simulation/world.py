"""The house of a simulation: the real one, on a database of its own, in one process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from clearinghouse.contract.catalogue import Contract
from clearinghouse.delivery.chores import CHORES
from clearinghouse.facades import iec63119
from clearinghouse.services.environment import Environment, Limits
from clearinghouse.soap.operations import EngineSettings
from clearinghouse.storage import schema
from clearinghouse.storage.database import Database
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.vault import Vault
from tests.fixtures.database import FAST, Site, given_bindir, make_state_dir
from tests.fixtures.engine import Speaker, issue_token
from tests.fixtures.partners import ScriptedPartners, StillClock

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.domain.participants import Participant
    from clearinghouse.soap.server import Engine

#: The morning of the first day. The change from summer time lies within ninety days.
BEGINNING = datetime(2026, 9, 1, tzinfo=UTC)

#: The chores of a worker that decide of sessions, SDRs and money.
_LEFT_OUT = frozenset({"measure_outbox"})

#: The token of a partner lives as long as a day's messages take.
_TOKEN_SECONDS = 86_400


@dataclass(slots=True)
class Cuts:
    """Cuts the house off from its database in the midst of a message, as a crash does.

    The server ends the connection; what it had not committed never was.
    """

    admin: psycopg.Connection[tuple[object, ...]]
    statements: int | None = None
    made: int = 0

    def after(self, statements: int) -> None:
        """Cut before the statement of this number from now; 1 is the next."""
        self.statements = statements

    def none(self) -> None:
        """Let the messages after this one pass."""
        self.statements = None

    def before(self, connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        """Count a statement of the house, and cut when it is the one."""
        if self.statements is None:
            return
        self.statements -= 1
        if self.statements == 0:
            self.statements = None
            self.made += 1
            raw = connection.connection.driver_connection
            pid = raw.info.backend_pid
            self.admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A running house and its clock."""

    env: Environment
    engine: Engine
    clock: StillClock
    cuts: Cuts

    def speaker(self, participant: Participant) -> Speaker:
        """Return a participant's client with a token for today."""
        party_id, now = participant.party_id, self.clock.now()
        clear = f"ch1_{party_id}_{now:%Y%m%d%H%M%S}".ljust(47, "x")
        issue_token(self.env, party_id, clear=clear, seconds=_TOKEN_SECONDS)
        return Speaker(
            engine=self.engine, clock=self.clock, party_id=party_id, token=clear
        )

    def do_chores(self) -> None:
        """Do what a worker does now and then, in fixed order."""
        for chore in CHORES:
            if chore.name not in _LEFT_OUT:
                chore.run(self.env)


@contextmanager
def opened(contract: Contract | None = None) -> Iterator[World]:
    """Give a house on a new database; it is gone afterwards."""
    folder = make_state_dir()
    try:
        with EmbeddedPostgres(folder, bindir=given_bindir(), options=FAST) as server:
            yield from _on(Site(server, "clearinghouse"), folder, contract)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _on(site: Site, folder: Path, contract: Contract | None) -> Iterator[World]:
    schema.upgrade(site.owner_url)
    clock = StillClock(BEGINNING)
    database = Database(site.business_url, pool_size=4)
    vault = Vault(site.privacy_url, key_path=folder / "kek.key")
    env = Environment(
        database=database,
        vault=vault,
        clock=clock,
        partners=ScriptedPartners(),
        limits=Limits(allow_private_endpoints=True, allow_http_endpoints=True),
    )
    engine = iec63119.engine(
        env, contract or Contract.load(), EngineSettings(read_seconds=None)
    )
    with site.superuser() as admin:
        cuts = Cuts(admin)
        event.listen(SqlEngine, "before_cursor_execute", cuts.before)
        try:
            yield World(env=env, engine=engine, clock=clock, cuts=cuts)
        finally:
            event.remove(SqlEngine, "before_cursor_execute", cuts.before)
            database.close()
            vault.close()
