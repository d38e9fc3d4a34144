"""Verbs on partners: add, list, suspend, resume, alias."""

from __future__ import annotations

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import Participant
from clearinghouse.services import participants

group = typer.Typer(no_args_is_help=True, help="Partners: CSPs and CSOs.")


def _row(found: Participant) -> Row:
    return {
        "party": found.party_id,
        "name": found.name,
        "country": found.country,
        "roles": sorted(found.roles),
        "status": found.status.value,
        "aliases": sorted(found.aliases - {found.party_id}),
        "last_heartbeat": found.last_heartbeat_at,
    }


def _print(context: typer.Context, found: Participant, what: str) -> None:
    text = f"{found.party_id} {found.name}: {what}"
    output_of(context).value(_row(found), text)


@group.command()
def add(
    context: typer.Context,
    party_id: str = typer.Argument(help="Two letters, three letters or digits: DEALF."),
    name: str = typer.Option(..., help="The name that statements show."),
    country: str = typer.Option(..., help="ISO 3166 code of the seat: DE."),
    role: list[Role] = typer.Option(..., help="CSP or CSO; give it twice for both."),
    alias: list[str] = typer.Option([], help="Further operator or provider ids."),
) -> None:
    """Admit a partner. Then: account add, agreement add."""
    admission = participants.Admission(
        party_id=party_id,
        name=name,
        country=country,
        roles=frozenset(role),
        aliases=frozenset(alias),
    )
    with house(context) as env:
        admitted = participants.admit(env, admission)
    next_step = (
        f"admitted; next: clearinghouse account add {admitted.party_id} --username ..."
    )
    _print(context, admitted, next_step)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List all partners."""
    with house(context) as env:
        rows = [_row(found) for found in participants.all_participants(env)]
    empty = "No partner yet; admit one with: clearinghouse participant add"
    output_of(context).rows("Partners", rows, empty=empty)


@group.command()
def suspend(context: typer.Context, party_id: str = typer.Argument()) -> None:
    """Suspend a partner; its sessions end within five seconds."""
    with house(context) as env:
        _print(context, participants.suspend(env, party_id), "suspended")


@group.command()
def resume(context: typer.Context, party_id: str = typer.Argument()) -> None:
    """Let a suspended partner take part again."""
    with house(context) as env:
        _print(context, participants.resume(env, party_id), "active")


@group.command()
def alias(
    context: typer.Context,
    party_id: str = typer.Argument(),
    further: str = typer.Argument(help="An operator or provider id: NLTNM."),
) -> None:
    """Let a partner use a further id in its EVSE ids and contract ids."""
    with house(context) as env:
        found = participants.add_alias(env, party_id, further)
    _print(context, found, f"may use {', '.join(sorted(found.aliases))}")
