"""Transactions, budgets, bulk copies, and a server that goes away."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from struct import Struct
from threading import Event, Timer, get_ident
from typing import TYPE_CHECKING

import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import database as storage
from clearinghouse.storage import participants, schema, sessions
from clearinghouse.storage.database import BUDGETS, Database, address, copied_text
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.roles import APP_ROLE, OWNER_ROLE
from clearinghouse.storage.sessions import PartnerSessionId
from clearinghouse.storage.tables.participants import party_alias
from clearinghouse.storage.tables.sessions import session_partner_id
from tests.builders import make_cso, make_csp, make_session
from tests.fixtures.database import given_bindir, make_state_dir
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.database import Site


def _setting(database: Database, name: str) -> str:
    with database.begin() as tx:
        row = tx.execute(text("SELECT current_setting(:name)"), {"name": name})
        return str(row.scalar_one())


def test_transaction_commits_at_its_end_and_rolls_back_on_any_error(
    database: Database,
) -> None:
    def fail() -> None:
        with database.begin() as tx:
            make_csp(tx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.begin() as tx:
        assert participants.all_participants(tx) == ()
        kept = make_csp(tx)
    with database.begin() as tx:
        assert participants.all_participants(tx) == (kept,)


def test_read_only_transaction_changes_nothing(database: Database) -> None:
    with database.begin_read_only() as tx, pytest.raises(DBAPIError, match="read-only"):
        make_csp(tx)
    with database.begin() as tx:
        make_csp(tx)


@pytest.mark.usefixtures("usual_budgets")
def test_budget_holds_for_its_transaction_only(database: Database) -> None:
    with database.begin("closing") as tx:
        inside = tx.execute(text("SHOW statement_timeout")).scalar_one()

    assert inside == "15min"
    assert _setting(database, "statement_timeout") == "5s"
    assert _setting(database, "lock_timeout") == "1s"
    assert _setting(database, "TimeZone") == "UTC"


@pytest.mark.usefixtures("usual_budgets")
def test_budget_that_was_set_in_vain_is_set_again(site: Site) -> None:
    limit = f"{BUDGETS['realtime'].statement_ms}ms"
    query = text("SELECT current_setting('statement_timeout')")
    # One connection, so that each transaction finds what the one before it left.
    database = Database(site.business_url, pool_size=1)

    def fail() -> None:
        with database.begin("realtime"):
            raise RuntimeError

    try:
        with pytest.raises(RuntimeError):
            fail()
        for _ in range(2):
            with database.begin("realtime") as tx:
                assert tx.execute(query).scalar_one() == limit
        with pytest.raises(RuntimeError):
            fail()
        with database.look_up("realtime") as alone:
            assert alone.execute(query).scalar_one() == limit
        with database.begin_read_only("ordinary") as tx:
            assert tx.execute(query).scalar_one() == "5s"
        with database.look_up("realtime") as alone:
            assert alone.execute(query).scalar_one() == limit
        with database.begin() as tx:
            assert tx.execute(query).scalar_one() == "5s"
    finally:
        database.close()


@pytest.mark.usefixtures("usual_budgets")
def test_statement_that_takes_too_long_is_ended_as_unavailable(
    database: Database,
) -> None:
    with pytest.raises(ClearingHouseError) as caught, database.begin("realtime") as tx:
        tx.execute(text("SELECT pg_sleep(3)"))

    assert caught.value.code is UNAVAILABLE
    assert "QueryCanceled" in caught.value.detail


@pytest.mark.usefixtures("usual_budgets")
def test_lock_that_is_not_given_is_unavailable(database: Database) -> None:
    lock = text("SELECT pg_advisory_xact_lock(1)")
    with database.begin() as holder:
        holder.execute(lock)
        with (
            pytest.raises(ClearingHouseError) as caught,
            database.begin("realtime") as tx,
        ):
            tx.execute(lock)

    assert caught.value.code is UNAVAILABLE
    assert caught.value.code.retryable


def test_broken_constraint_stays_what_it_is(database: Database) -> None:
    with database.begin() as tx, pytest.raises(IntegrityError):
        tx.execute(text("INSERT INTO clearing.party_alias VALUES ('DEABC', 77)"))


@pytest.mark.usefixtures("usual_budgets")
def test_full_pool_is_told_in_time(site: Site) -> None:
    """A station waits for 2 s in all; the usual wait holds here, not a long one."""
    assert storage.POOL_WAIT_SECONDS <= 2
    small = Database(site.business_url, pool_size=1)
    begun = time.monotonic()
    with (
        small.begin(),
        small.begin(),
        small.begin(),
        pytest.raises(ClearingHouseError) as caught,
        small.begin(),
    ):
        pass
    small.close()

    assert caught.value.code is UNAVAILABLE
    assert time.monotonic() - begun < PATIENCE_SECONDS


def test_interrupt_of_a_transaction_arrives_as_one_and_harms_no_later_one(
    database: Database,
) -> None:
    """Ctrl-C at any moment, in the middle of an exchange with the server as well."""
    with database.begin() as tx:
        csp = make_csp(tx)
    rows = [(f"FRX{number:02d}", csp.participant_id) for number in range(100)]

    def write_for_ever() -> None:
        while True:
            with suppress(_TakenBackError), database.begin() as tx:
                database.copy(tx, party_alias, ["alias", "participant_id"], rows)
                raise _TakenBackError

    for step in range(200):
        with pytest.raises(KeyboardInterrupt), _interrupted(step * 0.000_03):
            write_for_ever()
        with database.begin() as tx:
            found = participants.participant_by_id(tx, csp.participant_id)
            assert found is not None
            assert len(found.aliases) == 1


class _TakenBackError(Exception):
    """Ends a transaction without a trace."""


@contextmanager
def _interrupted(after: float) -> Iterator[None]:
    """Interrupt what the block does, as Ctrl-C would, after some seconds."""
    usual = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    timer = Timer(after, signal.pthread_kill, (get_ident(), signal.SIGUSR1))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, usual)


def test_copy_inserts_in_the_callers_transaction(database: Database) -> None:
    with database.begin() as tx:
        csp = make_csp(tx)
        rows = [(f"FRX{number:02d}", csp.participant_id) for number in range(100)]

        count = database.copy(tx, party_alias, ["alias", "participant_id"], rows)
        found = participants.participant_by_id(tx, csp.participant_id)

    assert count == 100
    assert found is not None
    assert len(found.aliases) == 101


def test_copied_lines_keep_the_texts_of_others(database: Database) -> None:
    name = "a\\tb\t\\N\n\r\\."
    with database.begin() as tx:
        cso = make_cso(tx)
        session = make_session(cso)
        sessions.insert_session(tx, session)
        number, where = cso.participant_id, session.session_id
        line = f"{number}\t{copied_text(name)}\t{where.hex}\n"

        columns = ["participant_id", "value", "session_id"]
        database.copy_lines(tx, session_partner_id, columns, [line])

        assert sessions.partner_ids_of(tx, where) == (PartnerSessionId(number, name),)


@pytest.mark.parametrize("piece", [1, 100, 1_000_000])
def test_copied_records_are_the_rows_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(storage, "COPIED_BYTES", piece)
    query = "SELECT n, n::text::char(3) FROM generate_series(101, {last}) AS n"
    with database.begin_read_only() as tx:
        for last in (100, 101, 999):
            copying = sql.SQL(f"COPY ({query}) TO STDOUT (FORMAT binary)").format(
                last=sql.Literal(last)
            )

            rows = list(Database.copied_records(tx, copying, Struct(">2x 4xi 4x3s")))

            wanted = range(101, last + 1)
            assert rows == [(n, str(n).encode()) for n in wanted]


def test_records_of_another_length_are_refused(database: Database) -> None:
    copying = sql.SQL("COPY (SELECT {text}) TO STDOUT (FORMAT binary)")
    with database.begin_read_only() as tx:
        for word in ("a", "abcd", "abcdefghij"):
            with pytest.raises(RuntimeError):
                list(
                    Database.copied_records(
                        tx, copying.format(text=sql.Literal(word)), Struct(">2x 4x3s")
                    )
                )


def test_copy_whose_connection_breaks_is_unavailable(
    database: Database, site: Site
) -> None:
    def slowly() -> Iterator[tuple[str, int]]:
        yield ("FRX01", 1)
        with site.superuser() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE query LIKE 'COPY%'"
            )
        for number in range(100_000):
            yield (f"FR{number:03d}", 1)

    with pytest.raises(ClearingHouseError) as caught, database.begin() as tx:
        database.copy(tx, party_alias, ["alias", "participant_id"], slowly())

    assert caught.value.code is UNAVAILABLE


def test_user_of_another_name_steps_into_the_role(site: Site) -> None:
    as_superuser = site.server.url("postgres", site.name)
    stepped = Database(as_superuser, pool_size=1)

    with stepped.begin() as tx:
        role = tx.execute(text("SELECT current_user")).scalar_one()
    with pytest.raises(DBAPIError, match="permission denied"), stepped.begin() as tx:
        tx.execute(text("DELETE FROM clearing.sdr"))

    assert role == APP_ROLE
    stepped.close()


@pytest.mark.usefixtures("usual_budgets")
def test_dsn_keeps_its_own_options_and_gets_our_driver() -> None:
    url = address("postgresql://u:p@h/db?options=-c%20work_mem%3D8MB", role=APP_ROLE)

    assert url.drivername == "postgresql+psycopg"
    options = str(url.query["options"])
    assert options.startswith("-c work_mem=8MB ")
    assert f"-c role={APP_ROLE}" in options
    assert f"statement_timeout={BUDGETS['ordinary'].statement_ms}" in options


def test_unreachable_server_is_unavailable_without_its_password() -> None:
    nowhere = Database("postgresql://u:hidden@/db?host=/nonexistent", pool_size=1)

    with pytest.raises(ClearingHouseError) as caught, nowhere.begin():
        pass

    assert caught.value.code is UNAVAILABLE
    assert "hidden" not in caught.value.detail


@pytest.fixture(scope="module")
def fragile() -> Iterator[EmbeddedPostgres]:
    """Run a server that tests may kill."""
    state_dir = make_state_dir()
    # Commits are written before they are acknowledged: the kernel survives the kill.
    options = {"fsync": "off"}
    server = EmbeddedPostgres(state_dir, bindir=given_bindir(), options=options)
    try:
        with server:
            schema.upgrade(server.url(OWNER_ROLE))
            yield server
    finally:
        shutil.rmtree(state_dir, ignore_errors=True)


def test_killed_server_comes_back_with_all_that_was_committed(
    fragile: EmbeddedPostgres,
) -> None:
    database = Database(fragile.url(APP_ROLE), pool_size=4)
    with database.begin() as tx:
        csp = make_csp(tx)

    waits = Event()

    def hang() -> None:
        with database.begin() as tx:
            make_csp(tx, "FRXYZ")
            waits.set()
            tx.execute(text("SELECT pg_sleep(600)"))

    with ThreadPoolExecutor(1) as pool:
        victim = pool.submit(hang)
        assert waits.wait(PATIENCE_SECONDS)
        assert fragile.pid is not None
        os.kill(fragile.pid, signal.SIGKILL)
        with pytest.raises(ClearingHouseError) as caught:
            victim.result(PATIENCE_SECONDS)
    restarted = fragile.ensure_running()
    with database.begin() as tx:
        stored = participants.participant_by_party_id(tx, "DEABC")
        lost = participants.participant_by_party_id(tx, "FRXYZ")
    database.close()

    assert caught.value.code is UNAVAILABLE
    assert restarted
    assert (stored, lost) == (csp, None)


def test_pool_heals_after_a_restart_without_an_error(fragile: EmbeddedPostgres) -> None:
    database = Database(fragile.url(APP_ROLE), pool_size=4)
    for number in range(3):
        with database.begin() as tx:
            make_csp(tx, f"DEX{number:02d}")
        assert fragile.pid is not None
        os.kill(fragile.pid, signal.SIGKILL)
        fragile.ensure_running()

    with database.begin() as tx:
        stored = participants.all_participants(tx)
    assert {"DEX00", "DEX01", "DEX02"} <= {one.party_id for one in stored}
    database.close()
