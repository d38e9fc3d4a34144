"""Migrations: they run anywhere, once, and make what the tables say."""

from __future__ import annotations

import importlib
import pkgutil
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import migrations, participants, schema, tables
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.columns import Xid8, metadata
from tests.builders import make_csp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, Table

    from tests.fixtures.database import Site

_SCHEMAS = ("clearing", "privacy", "audit")
_VERSIONS = Path(str(migrations.__file__)).parent / "versions"

# SQLAlchemy does not know the type by itself.
postgresql.base.ischema_names["xid8"] = Xid8

for _module in pkgutil.iter_modules(tables.__path__):
    importlib.import_module(f"{tables.__name__}.{_module.name}")


@pytest.fixture
def engine(site: Site) -> Iterator[Engine]:
    made = create_engine(site.owner_url, poolclass=NullPool)
    yield made
    made.dispose()


def _shape(type_name: str) -> str:
    """Return one name for types that are one to us: fixed and free text."""
    text_like = re.fullmatch(r"(CHAR|VARCHAR|BPCHAR)\(\d+\)|TEXT|CHAR", type_name)
    return "TEXT" if text_like else type_name


@pytest.mark.parametrize(
    "table", metadata.sorted_tables, ids=lambda table: str(table.fullname)
)
def test_table_has_the_columns_of_the_migrations(engine: Engine, table: Table) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    found = inspect(engine)

    stored = {
        column["name"]: (
            _shape(column["type"].compile(dialect)),
            column["nullable"],
        )
        for column in found.get_columns(table.name, table.schema)
    }
    key = found.get_pk_constraint(table.name, table.schema)["constrained_columns"]
    declared = {
        column.name: (_shape(column.type.compile(dialect)), column.nullable)
        for column in table.columns
    }

    assert declared == stored
    assert list(declared) == list(stored)
    assert {column.name for column in table.primary_key} == set(key)


def test_every_table_is_declared(engine: Engine) -> None:
    found = inspect(engine)
    stored = {
        f"{one}.{name}"
        for one in _SCHEMAS
        for name in found.get_table_names(one)
        if name != "alembic_version" and not name.startswith("sdr_w0")
    }

    assert stored == set(metadata.tables)


def test_upgrade_of_a_new_database_reaches_the_newest_step(empty_site: Site) -> None:
    database = Database(empty_site.owner_url, pool_size=1, role="clearinghouse_owner")
    with database.begin() as tx:
        before = schema.current(tx)

    made = schema.upgrade(empty_site.owner_url)
    again = schema.upgrade(empty_site.owner_url)
    with database.begin() as tx:
        after = schema.current(tx)
    database.close()

    assert (before, after) == (None, schema.head())
    assert (made, again) == ([], [])


def test_business_role_can_tell_the_revision(database: Database) -> None:
    with database.begin() as tx:
        assert schema.current(tx) == schema.head()


def test_upgrades_at_once_wait_for_each_other(empty_site: Site) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(schema.upgrade, [empty_site.owner_url] * 3))

    assert results == [[], [], []]


def test_failed_upgrade_leaves_nothing(empty_site: Site) -> None:
    with empty_site.superuser() as connection:
        connection.execute("CREATE SCHEMA privacy; CREATE TABLE privacy.subject ()")

    with pytest.raises(ProgrammingError, match="permission denied"):
        schema.upgrade(empty_site.owner_url)
    with empty_site.superuser() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'clearing'"
        ).fetchone()

    assert row == (0,)


@pytest.fixture
def lone_user(empty_site: Site) -> Iterator[str]:
    """Give a database to a user as a managed service would: owner, no superuser."""
    with empty_site.superuser() as connection:
        connection.execute("CREATE ROLE lone LOGIN")
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO lone").format(
                sql.Identifier(empty_site.name)
            )
        )
    yield empty_site.server.url("lone", empty_site.name)
    with empty_site.superuser() as connection:
        connection.execute("DROP OWNED BY lone CASCADE")
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO clearinghouse_owner").format(
                sql.Identifier(empty_site.name)
            )
        )
        connection.execute("DROP ROLE lone")


def test_one_user_of_a_managed_database_is_enough(
    lone_user: str, empty_site: Site
) -> None:
    with empty_site.superuser() as connection:
        connection.execute("GRANT clearinghouse_app, clearinghouse_privacy TO lone")

    schema.upgrade(lone_user)
    database = Database(lone_user, pool_size=1)
    with database.begin() as tx:
        csp = make_csp(tx)
        stored = participants.participant_by_party_id(tx, csp.party_id)
        role = tx.execute(text("SELECT current_user, session_user")).one()
    database.close()

    assert stored == csp
    assert tuple(role) == ("clearinghouse_app", "lone")


def _rename_roles(site: Site, old: str, new: str) -> None:
    with site.superuser() as connection:
        for name in ("app", "privacy"):
            connection.execute(
                sql.SQL("ALTER ROLE {} RENAME TO {}").format(
                    sql.Identifier(f"{old}_{name}"), sql.Identifier(f"{new}_{name}")
                )
            )


@pytest.fixture
def _without_roles(empty_site: Site) -> Iterator[None]:
    """Hide the cluster's roles for the length of a test."""
    _rename_roles(empty_site, "clearinghouse", "hidden")
    yield
    with empty_site.superuser() as connection:
        for name in ("app", "privacy"):
            role = sql.Identifier(f"clearinghouse_{name}")
            exists = connection.execute(
                "SELECT FROM pg_roles WHERE rolname = %s", (f"clearinghouse_{name}",)
            ).fetchone()
            if exists is not None:
                connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
                connection.execute(sql.SQL("DROP ROLE {}").format(role))
    _rename_roles(empty_site, "hidden", "clearinghouse")


@pytest.mark.usefixtures("_without_roles")
def test_user_that_may_not_create_roles_is_told_which_are_missing(
    lone_user: str,
) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        schema.upgrade(lone_user)

    assert caught.value.code is UNAVAILABLE
    assert "CREATE ROLE clearinghouse_app LOGIN;" in caught.value.detail
    assert "CREATE ROLE clearinghouse_privacy LOGIN;" in caught.value.detail


@pytest.mark.usefixtures("_without_roles")
def test_user_that_may_create_roles_makes_them_and_can_work(
    lone_user: str, empty_site: Site
) -> None:
    with empty_site.superuser() as connection:
        connection.execute("ALTER ROLE lone CREATEROLE")

    made = schema.upgrade(lone_user)
    database = Database(lone_user, pool_size=1)
    with database.begin() as tx:
        make_csp(tx)
    database.close()

    assert made == ["clearinghouse_app", "clearinghouse_privacy"]


def test_database_that_is_not_in_utf8_is_refused_before_anything_is_made(
    empty_site: Site,
) -> None:
    latin = replace(empty_site, name=f"{empty_site.name}_latin")
    made = """
        CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1'
        LC_COLLATE 'C' LC_CTYPE 'C'
    """
    with empty_site.superuser() as admin:
        admin.execute(sql.SQL(made).format(sql.Identifier(latin.name)))
        try:
            with pytest.raises(ClearingHouseError) as refused:
                schema.upgrade(latin.owner_url)
        finally:
            admin.execute(
                sql.SQL("DROP DATABASE {}").format(sql.Identifier(latin.name))
            )

    assert refused.value.code is UNAVAILABLE
    assert "encoding LATIN1: make it anew with ENCODING 'UTF8'" in str(refused.value)


def test_unreachable_database_is_told() -> None:
    with pytest.raises(ClearingHouseError) as caught:
        schema.upgrade("postgresql://u@/db?host=/nonexistent")

    assert caught.value.code is UNAVAILABLE


def test_steps_are_dated_and_follow_each_other() -> None:
    names = sorted(path.stem for path in _VERSIONS.glob("2*.py"))

    modules = [
        importlib.import_module(f"{migrations.__name__}.versions.{name}")
        for name in names
    ]

    revisions = [module.revision for module in modules]
    assert [module.down_revision for module in modules] == [None, *revisions[:-1]]
    for name, revision in zip(names, revisions, strict=True):
        assert re.fullmatch(r"20\d\d_\d\d_\d\d_\d\d_(pre|post)_[a-z0-9_]+", name)
        assert name.startswith(revision)


def test_no_step_can_be_undone_by_accident() -> None:
    for path in _VERSIONS.glob("2*.py"):
        module = importlib.import_module(f"{migrations.__name__}.versions.{path.stem}")
        with pytest.raises(NotImplementedError):
            module.downgrade()


def test_every_feed_column_is_filled_by_the_database(site: Site) -> None:
    with psycopg.connect(site.owner_url.replace("+psycopg", "")) as connection:
        rows = connection.execute("""
            SELECT attrelid::regclass::text, attname FROM pg_attribute
            WHERE attname IN ('changed_xid', 'change_id') AND NOT attisdropped
              AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p'))
              AND NOT (atthasdef AND attnotnull)
        """).fetchall()

    assert rows == []
