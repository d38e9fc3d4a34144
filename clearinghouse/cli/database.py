"""Verbs on the database: upgrade its schema, stop the embedded server."""

from __future__ import annotations

import typer

from clearinghouse.cli.context import output_of, refuse, settings
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import schema
from clearinghouse.storage.connect import addresses
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres

group = typer.Typer(no_args_is_help=True, help="The database.")


@group.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version; run it before the new server starts."""
    output = output_of(context)
    try:
        with addresses(settings()) as at:
            made = schema.upgrade(at.owner)
    except ClearingHouseError as error:
        refuse(output, f"{error.code.text} {error.detail}", code=error.code.number)
    output.value(
        {"revision": schema.head(), "roles_made": made},
        f"schema {schema.head()} is in place",
    )


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
        server.start()  # adopts it when its owner is gone
        server.stop()
    running = EmbeddedPostgres(own.state_dir, bindir=own.pg_bindir).pid is not None
    if running:
        refuse(output, "another process owns the database: stop 'serve' first")
    output.value({"stopped": was_running}, "the embedded database is not running")
