"""The house of a simulation: the real one, on a database of its own, in one process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from unittest import mock

from psycopg import sql
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from clearinghouse.contract.catalogue import Contract
from clearinghouse.delivery.chores import CHORES
from clearinghouse.facades import iec63119
from clearinghouse.services import dispute_outcomes, disputes
from clearinghouse.services.environment import Environment, Limits
from clearinghouse.soap.operations import EngineSettings
from clearinghouse.storage import schema
from clearinghouse.storage.database import Database
from clearinghouse.storage.embedded.bootstrap import create_database
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.vault import Vault
from tests.fixtures.database import FAST, Site, given_bindir, make_state_dir
from tests.fixtures.engine import Speaker, issue_token
from tests.fixtures.partners import ScriptedPartners, StillClock
from tests.simulation.chance import stream, uuid_from
from tests.simulation.cuts import Cuts

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

_TEMPLATE = "house_plan"


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


class Ground:
    """A running server with a migrated template: each house gets a copy of it.

    Nothing is synced to disk. What breaks off here are transactions and connections,
    which need no disk; power cuts and killed servers are the matter of other tests.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._numbers = count(1)
        self._admin = Site(server, "postgres").superuser()
        create_database(self._admin, _TEMPLATE)
        schema.upgrade(Site(server, _TEMPLATE).owner_url)

    def close(self) -> None:
        """Close our own connection."""
        self._admin.close()

    @contextmanager
    def opened(self, contract: Contract) -> Iterator[World]:
        """Give a house on a new database; it is gone afterwards."""
        site = Site(self._server, f"house_{next(self._numbers)}")
        create_database(self._admin, site.name, template=_TEMPLATE)
        folder = make_state_dir()
        try:
            yield from _on(site, folder, contract)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            name = sql.Identifier(site.name)
            self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextmanager
def broken() -> Iterator[Ground]:
    """Break new ground: a server of its own, gone afterwards."""
    folder = make_state_dir()
    try:
        with EmbeddedPostgres(folder, bindir=given_bindir(), options=FAST) as server:
            ground = Ground(server)
            try:
                yield ground
            finally:
                ground.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(contract: Contract | None = None) -> Iterator[World]:
    """Give a house on ground of its own."""
    with broken() as ground, ground.opened(contract or Contract.load()) as world:
        yield world


def _on(site: Site, folder: Path, contract: Contract) -> Iterator[World]:
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
    engine = iec63119.engine(env, contract, EngineSettings(read_seconds=None))
    named = partial(uuid_from, stream(0, "names of the house"))
    with (
        site.superuser() as admin,
        # What the house names by chance stands in what is sealed.
        mock.patch.object(disputes, "uuid4", named),
        mock.patch.object(dispute_outcomes, "uuid4", named),
    ):
        cuts = Cuts(admin)
        event.listen(SqlEngine, "before_cursor_execute", cuts.before)
        try:
            yield World(env=env, engine=engine, clock=clock, cuts=cuts)
        finally:
            event.remove(SqlEngine, "before_cursor_execute", cuts.before)
            database.close()
            vault.close()
