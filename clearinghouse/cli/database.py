"""Verbs on the database: upgrade its schema, stop the embedded server."""

from __future__ import annotations

import typer
from sqlalchemy.exc import ProgrammingError

from clearinghouse.cli.context import output_of, refusals, refuse, settings
from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import schema
from clearinghouse.storage.connect import Addresses, addresses
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.failures import sqlstate_of

group = typer.Typer(no_args_is_help=True, help="The database.")

NOT_ALLOWED = "42501"
"""PostgreSQL's code for what a user's grants do not let it do."""


@group.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version; run it before the new server starts."""
    output = output_of(context)
    with refusals(output), addresses(settings()) as at:
        made = upgraded(at)
    output.value(
        {"revision": schema.head(), "roles_made": made},
        f"schema {schema.head()} is in place",
    )


def upgraded(at: Addresses) -> list[str]:
    """Apply all missing steps; return the roles made on the way.

    Raises :class:`ClearingHouseError` with what to do when the user may not do that.
    """
    try:
        return schema.upgrade(at.owner)
    except ProgrammingError as error:
        if sqlstate_of(error) != NOT_ALLOWED:
            raise
        detail = "this user may not change the schema: set database_owner_url"
        raise ClearingHouseError(UNAVAILABLE, detail) from error


@group.command()
def stop(context: typer.Context) -> None:
    """Stop an embedded database that a killed server left running."""
    output = output_of(context)
    own = settings()
    if own.database_url is not None:
        refuse(output, "database_url is set: that server is not ours to stop")
    server = EmbeddedPostgres(own.state_dir, bindir=own.pg_bindir)
    was_running = server.pid is not None
    if was_running:
        with refusals(output):
            server.start()  # adopts it when its owner is gone
            server.stop()
    left = EmbeddedPostgres(own.state_dir, bindir=own.pg_bindir)
    if left.pid is not None:
        # Whichever of 'serve', 'worker' and the verbs came first owns it.
        owner = left.owner_pid
        name = "another process" if owner is None else f"process {owner}"
        refuse(output, f"{name} owns the database: end it first")
    output.value({"stopped": was_running}, "the embedded database is not running")
