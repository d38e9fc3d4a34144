"""Verbs on the audit trail: list."""

from __future__ import annotations

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.services import audit
from clearinghouse.storage.audit import ENTRIES_MAX

group = typer.Typer(no_args_is_help=True, help="The audit trail.")


@group.command(name="list")
def list_them(
    context: typer.Context,
    before: int | None = typer.Option(None, help="Only entries below this number."),
    limit: int = typer.Option(50, min=1, max=ENTRIES_MAX, help="Most entries."),
) -> None:
    """List who did what to what, newest first."""
    with house(context) as env:
        found = audit.entries(env, before=before, limit=limit)
    rows = [
        {
            "number": one.seq,
            "at": one.at,
            "actor": one.actor,
            "action": one.action,
            "object": one.object,
            "outcome": one.outcome,
        }
        for one in found
    ]
    output_of(context).rows("Audit trail", rows, empty="Nothing was done yet.")
