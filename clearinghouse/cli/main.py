"""The command line: one group of verbs per file, ``--json`` before any verb."""

from __future__ import annotations

import typer

from clearinghouse import __version__
from clearinghouse.cli import (
    accounts,
    agreements,
    database,
    deliveries,
    doctor,
    lists,
    participants,
    reports,
    serving,
    settings,
    settlement,
)
from clearinghouse.cli.context import Context
from clearinghouse.cli.demo import command as demo
from clearinghouse.cli.output import Output

application = typer.Typer(
    name="clearinghouse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
    help="Clearing house for EV-charging roaming. Begin with: clearinghouse demo",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@application.callback()
def _before(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
    _version_wanted: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    context.obj = Context(Output(as_json=as_json))


application.command()(serving.serve)
application.command()(serving.worker)
application.command()(demo.demo)
application.command()(doctor.doctor)
application.add_typer(participants.group, name="participant")
application.add_typer(accounts.group, name="account")
application.add_typer(agreements.group, name="agreement")
application.add_typer(lists.group, name="list")
application.add_typer(settlement.group, name="settlement")
application.add_typer(reports.group, name="report")
application.add_typer(deliveries.group, name="delivery")
application.add_typer(database.group, name="database")
application.add_typer(settings.group, name="config")


def main() -> None:
    """Run the command line."""
    application()
