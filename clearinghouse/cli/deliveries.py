"""Verbs on deliveries: what waits, what was given up, send it again."""

from __future__ import annotations

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.services import deliveries

group = typer.Typer(no_args_is_help=True, help="Messages to partners.")

_PARTY = typer.Argument(None, help="Only this partner's.")


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List per partner what waits, runs and was given up."""
    with house(context) as env:
        rows = [
            {
                "partner": found.party_id,
                "waiting": found.queue.ready,
                "running": found.queue.running,
                "given_up": found.queue.dead,
                "oldest_due": found.queue.oldest_ready_at,
            }
            for found in deliveries.queues(env)
        ]
    empty = "Nothing waits and nothing was given up."
    output_of(context).rows("Deliveries", rows, empty=empty)


@group.command()
def dead(context: typer.Context, party_id: str | None = _PARTY) -> None:
    """List what was given up, with the last error."""
    with house(context) as env:
        rows = [
            {
                "partner": found.party_id,
                "delivery": str(found.delivery.delivery_id),
                "kind": found.delivery.kind.value,
                "attempts": found.delivery.attempts,
                "last_error": found.delivery.last_error_code,
                "made": found.delivery.created_at,
            }
            for found in deliveries.dead_letters(env, party_id=party_id)
        ]
    output_of(context).rows("Given up", rows, empty="Nothing was given up.")


@group.command()
def replay(context: typer.Context, party_id: str | None = _PARTY) -> None:
    """Send again what was given up, under the same delivery ids."""
    with house(context) as env:
        count = deliveries.replay(env, party_id=party_id)
    output_of(context).value({"replayed": count}, f"{count} deliveries are due again")
