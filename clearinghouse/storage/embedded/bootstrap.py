"""The roles and the database of a fresh private cluster.

The socket lies in a folder that only the server's account and root may enter, so the
roles have no passwords there; a server that others reach gets its roles from
``deploy/postgres``.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from clearinghouse.storage.roles import APP_ROLE, OWNER_ROLE, PRIVACY_ROLE

#: The role that ``initdb`` makes: only this module uses it.
SUPERUSER = "postgres"

#: The database of the clearing house in an embedded cluster.
DATABASE = "clearinghouse"


def bootstrap(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Create what is missing; the connection is the superuser's, in autocommit."""
    for role in (OWNER_ROLE, APP_ROLE, PRIVACY_ROLE):
        if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(_name(role)))
    if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s", DATABASE):
        create_database(connection, DATABASE)


def create_database(
    connection: psycopg.Connection[tuple[object, ...]],
    database: str,
    *,
    template: str | None = None,
) -> None:
    """Create a database of the owner role which nobody but our roles may enter."""
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            _name(database), _name(OWNER_ROLE), _name(template or "template1")
        )
    )
    connection.execute(
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(_name(database))
    )
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(
            _name(database), _name(APP_ROLE), _name(PRIVACY_ROLE)
        )
    )


def _exists(
    connection: psycopg.Connection[tuple[object, ...]], query: str, name: str
) -> bool:
    # The two queries are constants of this module; only the name is a parameter.
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def _name(name: str) -> sql.Identifier:
    return sql.Identifier(name)
