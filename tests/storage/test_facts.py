"""Facts are append-only: by grant for the business role, by trigger for everybody."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from clearinghouse.storage import tables
from clearinghouse.storage.tables.columns import metadata
from tests.builders import make_csp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearinghouse.storage.database import Database
    from tests.fixtures.database import Site

#: What may change, and so is no fact. Everything else only grows.
MUTABLE = {
    "clearing.account",
    "clearing.agreement",
    "clearing.approval",
    "clearing.credential",
    "clearing.credential_list",
    "clearing.credential_list_entry",
    "clearing.credential_list_part",
    "clearing.dispute",
    "clearing.document_series",
    "clearing.evse",
    "clearing.evse_list",
    "clearing.evse_list_entry",
    "clearing.evse_list_part",
    "clearing.evse_status",
    "clearing.link_state",
    "clearing.message",
    "clearing.operator",
    "clearing.outbox",
    "clearing.participant",
    "clearing.partner_endpoint",
    "clearing.party_alias",
    "clearing.session",
    "clearing.settlement_window",
    "clearing.token",
}
for _module in pkgutil.iter_modules(tables.__path__):
    importlib.import_module(f"{tables.__name__}.{_module.name}")
FACTS = sorted(
    name
    for name in metadata.tables
    if name not in MUTABLE and not name.startswith("privacy.")
)


@pytest.fixture
def owner(site: Site) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    url = site.owner_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _second_column(site: Site, name: str) -> str:
    with site.superuser() as connection:
        row = connection.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum = 2",
            (name,),
        ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("act", ["UPDATE", "DELETE", "TRUNCATE"])
def test_business_role_may_only_add_to_facts(site: Site, name: str, act: str) -> None:
    with site.superuser() as connection:
        allowed = connection.execute(
            "SELECT has_table_privilege('clearinghouse_app', %s, 'INSERT'),"
            " has_table_privilege('clearinghouse_app', %s, %s),"
            " has_any_column_privilege('clearinghouse_app', %s, 'UPDATE')",
            (name, name, act, name),
        ).fetchone()

    assert allowed == (True, False, False)


@pytest.mark.parametrize("name", FACTS)
def test_trigger_refuses_even_the_owner(
    site: Site, owner: psycopg.Connection[tuple[object, ...]], name: str
) -> None:
    column = sql.Identifier(_second_column(site, name))
    table = _table(name)

    for statement in (
        sql.SQL("UPDATE {} SET {} = {}").format(table, column, column),
        sql.SQL("DELETE FROM {}").format(table),
        sql.SQL("TRUNCATE {} CASCADE").format(table),
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            owner.execute(statement)


def test_business_role_is_refused_by_the_server(database: Database) -> None:
    with database.begin() as tx:
        make_csp(tx)

    with pytest.raises(DBAPIError, match="permission denied"), database.begin() as tx:
        tx.execute(text("DELETE FROM clearing.participant"))
    with pytest.raises(DBAPIError, match="permission denied"), database.begin() as tx:
        tx.execute(text("UPDATE clearing.participant SET party_id = 'FRXYZ'"))
    with pytest.raises(DBAPIError, match="permission denied"), database.begin() as tx:
        tx.execute(text("CREATE TABLE clearing.more (x int)"))


def test_business_role_reads_and_adds_in_every_business_table(site: Site) -> None:
    with site.superuser() as connection:
        missing = connection.execute("""
            SELECT oid::regclass::text FROM pg_class
            WHERE relkind IN ('r', 'p') AND relname <> 'alembic_version'
              AND relnamespace::regnamespace::text IN ('clearing', 'audit')
              AND relname <> 'settlement_window'
              AND NOT (has_table_privilege('clearinghouse_app', oid, 'SELECT')
                   AND has_table_privilege('clearinghouse_app', oid, 'INSERT'))
        """).fetchall()

    assert missing == []


def _window(database: Database, label: str) -> int:
    with database.begin() as tx:
        row = tx.execute(text("SELECT clearing.open_window(:label)"), {"label": label})
        return int(row.scalar_one())


def test_window_comes_with_a_partition_that_refuses_changes(
    database: Database, owner: psycopg.Connection[tuple[object, ...]]
) -> None:
    window_id = _window(database, "2026-11-22")
    partition = sql.Identifier("clearing", f"sdr_w{window_id:06d}")

    kinds = owner.execute("""
        SELECT count(*) FROM pg_index
        WHERE indrelid = 'clearing.sdr'::regclass
    """).fetchone()
    copied = owner.execute(
        "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass",
        (f"clearing.sdr_w{window_id:06d}",),
    ).fetchone()

    assert kinds == copied
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(sql.SQL("DELETE FROM {}").format(partition))


def test_only_one_window_is_open(database: Database) -> None:
    first = _window(database, "one")
    with pytest.raises(IntegrityError, match="settlement_window_open"):
        _window(database, "two")
    with database.begin() as tx:
        tx.execute(
            text(
                "UPDATE clearing.settlement_window"
                " SET state = 'CUTOVER', cutover_at = now() WHERE window_id = :id"
            ),
            {"id": first},
        )

    assert _window(database, "two") > first


def test_window_closes_only_when_claim_and_proof_agree(database: Database) -> None:
    window_id = _window(database, "one")
    close = text("""
        UPDATE clearing.settlement_window
        SET state = 'CLOSED', cutover_at = now(), closed_at = now(),
            claim_digest = :claim, proof_digest = :proof
        WHERE window_id = :id
    """)
    values = {"id": window_id, "claim": b"a", "proof": b"b"}

    with pytest.raises(IntegrityError), database.begin() as tx:
        tx.execute(close, values)
    with database.begin() as tx:
        tx.execute(close, values | {"proof": b"a"})


_POSTING = text("""
    INSERT INTO clearing.posting (posting_key, window_id, debit_account, credit_account,
        currency, amount_minor, code, posted_at)
    VALUES ('W1:1', :window, :debit, :credit, 'EUR', :amount, 'CLOSE', now())
""")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"credit": "P:DEABC:PAY"},
        {"debit": "P:DEABC:CASH"},
        {"credit": "DEABC"},
    ],
)
def test_refuses_posting_that_is_not_double_entry(
    database: Database, wrong: dict[str, object]
) -> None:
    values: dict[str, object] = {
        "window": _window(database, "one"),
        "debit": "P:DEABC:PAY",
        "credit": "P:CHREP:RECV",
        "amount": 1,
    }

    with database.begin() as tx:
        point = tx.begin_nested()
        tx.execute(_POSTING, values)
        point.rollback()
        with pytest.raises(IntegrityError):
            tx.execute(_POSTING, values | wrong)


def _positions(database: Database, *nets: tuple[int, int]) -> None:
    window_id = _window(database, "one")
    with database.begin() as tx:
        settlement = tx.execute(
            text("""
                INSERT INTO clearing.settlement (window_id, currency, gross_minor,
                    bilateral_minor, multilateral_minor, sdr_count, energy_wh)
                VALUES (:window, 'EUR', 1, 1, 1, 1, 1) RETURNING settlement_id
            """),
            {"window": window_id},
        ).scalar_one()
        for place, (receivable, payable) in enumerate(nets):
            partner = make_csp(tx, f"DEC{place:02d}")
            tx.execute(
                text("""
                    INSERT INTO clearing.settlement_position VALUES
                        (:settlement, :partner, :receivable, :payable,
                         CAST(:receivable AS bigint) - :payable)
                """),
                {
                    "settlement": settlement,
                    "partner": partner.participant_id,
                    "receivable": receivable,
                    "payable": payable,
                },
            )


def test_positions_that_do_not_sum_to_zero_never_commit(database: Database) -> None:
    with pytest.raises(IntegrityError, match="not to zero"):
        _positions(database, (100, 0), (0, 99))


def test_positions_that_sum_to_zero_commit(database: Database) -> None:
    _positions(database, (100, 20), (0, 50), (20, 50))


def test_answer_of_a_message_never_changes(site: Site, database: Database) -> None:
    with database.begin() as tx:
        csp = make_csp(tx)
        tx.execute(
            text("""
                INSERT INTO clearing.message VALUES (:id, gen_random_uuid(), 'X',
                    sha256(''), 'answer', now(), now())
            """),
            {"id": csp.participant_id},
        )

    with (
        psycopg.connect(site.owner_url.replace("+psycopg", "")) as connection,
        pytest.raises(psycopg.errors.RestrictViolation),
    ):
        connection.execute("UPDATE clearing.message SET answer = 'other'")
