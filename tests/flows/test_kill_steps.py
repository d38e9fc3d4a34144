"""kill -9 after every single word to the database: nothing is there, or all of it.

A real process does intake, closing, sealing, issuing and every step of a settlement run
against a real PostgreSQL, and is killed after its first statement, its second, and so
on, until it goes through whole. After each death either every table is as it was, to
the byte, or what was begun is complete; in the end the books are those of a house in
which nobody died. A handful of times it is the backend that dies.
"""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any, Self

import psycopg
import pytest

from clearinghouse.domain.fees import FeePlan
from clearinghouse.domain.fx import Choice, Rate
from clearinghouse.domain.runs import RunState
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import (
    balances,
    billing,
    bundles,
    fees,
    fx,
    run_payments,
    run_undoing,
    seals,
    settlement,
    settlement_runs,
)
from clearinghouse.services.sdr_intake import Submission
from clearinghouse.storage import fee_documents, schema, tariffs
from clearinghouse.storage.database import Database
from clearinghouse.storage.embedded.bootstrap import create_database
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.signing import Signer
from clearinghouse.storage.tariffs import Publication
from clearinghouse.storage.vault import Vault
from clearinghouse.verify.cli import run as verify
from tests.builders import NOW, make_agreement, make_sender
from tests.fixtures.database import Site, given_bindir, make_state_dir
from tests.fixtures.operators import make_operators
from tests.running.doomed import BACKEND, BACKEND_HARD, BROKE_OFF, DONE, SELF
from tests.services.sdr_world import (
    SINCE,
    World,
    make_world,
    message,
    price,
    totals_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.runs import Run
    from tests.fixtures.partners import StillClock

#: More words than any act has: an act that never ends would kill for ever.
WORDS_MAX = 400

#: Seconds for a server to recover.
PATIENCE_SECONDS = 60.0

_KILLED = -9

_TABLES = """
    SELECT n.nspname || '.' || c.relname FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('clearing', 'audit', 'privacy')
    ORDER BY 1
"""

#: Every number that was given out, by series; and what the counter says.
_NUMBERS = """
    SELECT s.series, s.last, coalesce(array_agg(d.number ORDER BY d.number)
        FILTER (WHERE d.number IS NOT NULL), '{}')
    FROM clearing.document_series AS s LEFT JOIN (
        SELECT number FROM clearing.document
        UNION ALL SELECT number FROM clearing.fee_document
        UNION ALL SELECT statement_id FROM clearing.statement
    ) AS d ON d.number LIKE s.series || '-%'
    GROUP BY 1, 2
"""

#: Documents of which there is a part: not every form, or not for every side.
_HALVES = """
    SELECT number FROM (
        SELECT number, 2 AS sides FROM clearing.document
        UNION ALL SELECT number, 1 FROM clearing.fee_document
    ) AS d
    WHERE (SELECT count(*) FROM clearing.document_rendering AS r
           WHERE r.number = d.number) NOT IN (0, 3)
       OR (SELECT count(*) FROM clearing.document_issue AS i
           WHERE i.number = d.number) <> sides * (
           SELECT count(*) / 3 FROM clearing.document_rendering AS r
           WHERE r.number = d.number)
"""

#: Windows that are not closed and have something that only a close makes.
_EARLY = """
    SELECT window_id FROM clearing.settlement_window WHERE state <> 'CLOSED'
       AND (window_id IN (SELECT window_id FROM clearing.settlement)
         OR window_id IN (SELECT window_id FROM clearing.document)
         OR window_id IN (SELECT window_id FROM clearing.posting
                          WHERE code LIKE 'CLOSE%'))
"""


@dataclass
class Dying:
    """The process that dies, and what it leaves in the database."""

    env: Environment
    site: Site
    process: subprocess.Popen[str]
    clock: StillClock
    admin: psycopg.Connection[tuple[Any, ...]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()
        self.admin.close()

    def attempt(self, act: str, word: int, whom: str = SELF, **given: Any) -> int:  # noqa: ANN401 - of any act
        """Let a fork do an act, and die at a word; say how it ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {
            "act": act,
            "word": word,
            "whom": whom,
            "given": given,
            "at": self.clock.now().isoformat(),
        }
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        ended = int(self.process.stdout.readline())
        if whom == BACKEND_HARD:
            self._until_the_server_crashed()
        return ended

    def until_done(self, act: str, *, once: bool = False, **given: Any) -> int:  # noqa: ANN401 - of any act
        """Kill an act after each of its words until it goes through; count the kills.

        When something was stored, the count of the words begins anew: so no step of a
        later transaction is passed over. ``once``: an act of one transaction, which is
        refused when it is repeated.
        """
        word, before = 0, self.contents()
        for kills in range(WORDS_MAX):
            word += 1
            ended = self.attempt(act, word, **given)
            if ended == DONE:
                self.must_be_whole()
                return kills
            assert ended == _KILLED, (act, word, ended)
            after = self.contents()
            if after != before:
                self.must_be_whole()
                if once:
                    return kills + 1
                before, word = after, 0
        raise AssertionError(f"{act} never went through")

    def contents(self) -> dict[str, str]:
        """Return a digest of every table, once the dead one's backend has gone."""
        self.admin = self._alive()
        self.admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
        names = [row[0] for row in self.admin.execute(_TABLES)]
        whole = " UNION ALL ".join(
            f"SELECT '{name}', md5(coalesce(string_agg(t::text, ',' ORDER BY t::text),"  # noqa: S608 - names of the catalogue
            f" '')) FROM {name} AS t"
            for name in names
        )
        return dict(self.admin.execute(whole).fetchall())

    def _alive(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection that works: a server that recovers takes its time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.admin.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                with suppress(psycopg.OperationalError):
                    self.admin = self.site.superuser()
            else:
                return self.admin

    def _until_the_server_crashed(self) -> None:
        """Wait until the server has ended every session, because a backend is dead.

        It takes note of the death when it gets to it; until then it answers as ever.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        with suppress(psycopg.OperationalError):
            while time.monotonic() < deadline:
                self.admin.execute("SELECT 1")
                time.sleep(0.01)
            raise AssertionError("nobody noticed that the backend is dead")

    def must_be_whole(self) -> None:
        """Whatever is there is complete, adds up, and is numbered without a gap."""
        self.env.database.close()
        for window in settlement.windows(self.env):
            if window.state is WindowState.CLOSED:
                assert settlement.prove(self.env, window.window_id) == ()
        with self.env.database.begin_read_only() as tx:
            for run in settlement_runs.all_runs(self.env):
                assert settlement_runs.violations(tx, run.run_id) == []
                booked = settlement_runs.show(self.env, run.run_id).documents
                if booked:
                    assert fee_documents.faults(tx, run.run_id) == []
        for series, last, numbers in self.admin.execute(_NUMBERS):
            wanted = [f"{series}-{place:06d}" for place in range(1, last + 1)]
            assert numbers == wanted
        assert self.admin.execute(_HALVES).fetchall() == []
        assert self.admin.execute(_EARLY).fetchall() == []
        assert seals.blocks(self.env)[1] == []
        assert balances.verify(self.env).differences == ()


@pytest.fixture
def dying(
    site: Site, env: Environment, clock: StillClock, tmp_path: Path
) -> Iterator[Dying]:
    with _dying(site, env, clock, tmp_path) as made:
        yield made


@pytest.fixture
def lonely(env: Environment, clock: StillClock, tmp_path: Path) -> Iterator[Dying]:
    """Give a server of its own, which may crash without harm to other tests."""
    folder = make_state_dir()
    # What was committed must be there after a crash, as in production.
    server = EmbeddedPostgres(folder, bindir=given_bindir(), options={"fsync": "off"})
    try:
        with server:
            with Site(server, "postgres").superuser() as admin:
                create_database(admin, "alone")
            site = Site(server, "alone")
            schema.upgrade(site.owner_url)
            own = replace(
                env,
                database=Database(site.business_url, pool_size=4),
                vault=Vault(site.privacy_url, key_path=tmp_path / "kek.key"),
            )
            with _dying(site, own, clock, tmp_path) as made:
                yield made
            own.database.close()
            own.vault.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _dying(site: Site, env: Environment, clock: StillClock, folder: Path) -> Dying:
    key = folder / "signing.key"
    env = replace(env, signer=Signer(key))
    words = {
        "business": site.business_url,
        "privacy": site.privacy_url,
        "vault_key": str(folder / "kek.key"),
        "signing_key": str(key),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.running.doomed", json.dumps(words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Dying(env, site, process, clock, site.superuser())


def _busy_world(env: Environment) -> World:
    """Make partners with profiles, a fee, and a currency that two settle in euros."""
    world = make_world(env)
    with env.database.begin() as tx:
        make_agreement(tx, world.cso, world.csp, valid_from=SINCE, currency="SEK")
        tariffs.publish(
            tx,
            Publication(
                publisher_id=world.cso.participant_id,
                tariff=price(490_000, tariff_id="T-SEK", currency="SEK"),
            ),
            at=SINCE,
        )
    house = env.limits.party_id
    for party_id in (
        house,
        *(one.party_id for one in (world.cso, world.csp, world.other_csp)),
    ):
        given: dict[str, str | bool] = {
            "legal_name": f"{party_id} AG",
            "street": "Weg 1",
            "city": "Bern",
            "postcode": "3000",
            "country": "CH",
            "vat_id": "CHE107787577MWST",
            "contact_email": "office@partner.example",
        }
        billing.set_profile(env, party_id, given, valid_from=SINCE.date())
    plan = FeePlan(
        party_id=world.csp.party_id,
        currency="EUR",
        valid_from=SINCE.date(),
        share_ppm=10_000,
        minimum_minor=500,
    )
    fees.put_plan(env, plan)
    fx.put_rate(env, Rate(currency="SEK", day=NOW.date(), rate_u=11_234_500))
    fx.agree(
        env,
        Choice(
            party=world.csp.party_id,
            other=world.cso.party_id,
            from_currency="SEK",
            to_currency="EUR",
            valid_from=SINCE.date(),
        ),
    )
    return world


def _batch(world: World, folder: Path) -> str:
    """Write a batch to a file, for the process that dies over it; return its path."""
    records = [
        world.session(),
        world.session(world.other_csp),
        world.session(tariff_id="T-SEK", currency="SEK"),
    ]
    number = world.sequences.get(world.cso.participant_id, 0) + 1
    world.sequences[world.cso.participant_id] = number
    submission = Submission(
        batch_sequence=number, control=totals_of(records), records=records
    )
    path = folder / f"batch-{number}"
    path.write_bytes(pickle.dumps((message(make_sender(world.cso)), submission)))
    return str(path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.clause("4.3-I3")
def test_month_whose_every_step_is_killed_ends_with_the_books_of_a_calm_one(
    dying: Dying, tmp_path: Path
) -> None:
    env = dying.env
    world, (anna, _) = _busy_world(env), make_operators(env)
    kills = {
        "submit": dying.until_done("submit", path=_batch(world, tmp_path)),
        "close": dying.until_done("close", label="2026-12"),
        "seal": dying.until_done("seal"),
        "statements": dying.until_done("statements"),
        "issue": dying.until_done("issue"),
        "propose": dying.until_done("propose", once=True),
    }
    given_up = run_undoing.ask_abort(
        env, anna, _newest(env).run_id, reason="wrong", exclude=()
    )
    kills["abort"] = dying.until_done(
        "approve", once=True, approval=given_up.approval_id
    )
    run_id = _newest(env).run_id
    for step in ("record", "reserve", "commit"):
        kills[step] = dying.until_done(step, run=run_id)
    kills["fees"] = dying.until_done("issue")
    while due := _due(env, run_id):
        for payment, minor in due:
            kills["confirm"] = dying.until_done("confirm", payment=payment, minor=minor)
    paid = _newest(env)
    back = run_undoing.ask_reverse(env, anna, run_id, reason="wrong plan")
    kills["reverse"] = dying.until_done("approve", once=True, approval=back.approval_id)
    kills["credit"] = dying.until_done("issue")

    assert paid.state is RunState.SETTLED
    assert all(kills.values()), kills
    bundle, key = tmp_path / "bundle.zip", tmp_path / "public.pem"
    bundles.write_bundle(env, 1, bundle)
    key.write_text(seals.keys(env)[-1].pem, encoding="ascii")
    told = StringIO()
    assert verify(["--quiet", str(bundle), "--key", str(key)], told, StringIO()) == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize("whom", [BACKEND, BACKEND_HARD])
def test_backends_that_die_in_a_close_and_in_a_run_leave_nothing_by_halves(
    lonely: Dying, tmp_path: Path, whom: str
) -> None:
    env = lonely.env
    world = _busy_world(env)
    make_operators(env)
    acts: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        ("submit", {"path": _batch(world, tmp_path)}, (9, 18)),
        ("close", {"label": "2026-12"}, (3, 12, 24, 36)),
        ("seal", {}, (8,)),
        ("issue", {}, (12,)),
        ("propose", {}, (10,)),
        ("record", {}, (15, 25)),
    ]
    for act, given, words in acts:
        if act == "record":
            given["run"] = _newest(env).run_id
        for word in words:
            before = lonely.contents()
            assert lonely.attempt(act, word, whom, **given) == BROKE_OFF
            if lonely.contents() != before:
                lonely.must_be_whole()
        assert lonely.attempt(act, WORDS_MAX, **given) == DONE
        lonely.must_be_whole()


def _due(env: Environment, run_id: int) -> list[tuple[str, int]]:
    return [
        (one.transfer.end_to_end_id, one.open_minor)
        for one in run_payments.due_payments(env, run_id)
    ]


def _newest(env: Environment) -> Run:
    """Return the run that was made last; those of the dead left gaps in the numbers."""
    return settlement_runs.all_runs(env)[0]
