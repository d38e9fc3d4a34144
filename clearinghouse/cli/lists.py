"""Verbs on held lists: full lists that would remove most of what is there."""

from __future__ import annotations

from uuid import UUID

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.services import held_lists
from clearinghouse.services.held_lists import HeldList

group = typer.Typer(no_args_is_help=True, help="Full lists that are held.")


def _row(found: HeldList) -> Row:
    return {
        "list": str(found.held.list_id),
        "of": found.sort.value,
        "partner": found.party_id,
        "entries": found.held.entries,
        "received": found.held.received_at,
    }


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List what waits for your word."""
    with house(context) as env:
        rows = [_row(found) for found in held_lists.held_lists(env)]
    output_of(context).rows("Held lists", rows, empty="No list is held.")


@group.command()
def confirm(context: typer.Context, list_id: UUID = typer.Argument()) -> None:
    """Put a held list in force; ask the partner first whether it means it."""
    with house(context) as env:
        found = held_lists.confirm(env, list_id)
    text = f"{found.party_id}'s list of {found.held.entries} entries is in force"
    output_of(context).value(_row(found), text)


@group.command()
def discard(context: typer.Context, list_id: UUID = typer.Argument()) -> None:
    """Set a held list aside; what was in force stays."""
    with house(context) as env:
        found = held_lists.discard(env, list_id)
    text = f"{found.party_id}'s list is set aside"
    output_of(context).value(_row(found), text)
