"""Verbs on the ledger: export it for a program that is not ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.services import ledger_export

group = typer.Typer(no_args_is_help=True, help="The ledger.")


class LedgerFormat(StrEnum):
    """The forms of an exported ledger."""

    BEANCOUNT = "beancount"


@group.callback()
def _group() -> None:
    """Keep the name of the verb: a group of one verb would lose it."""


@group.command()
def export(
    context: typer.Context,
    to: Path = typer.Option(..., "--to", help="File to write."),
    form: LedgerFormat = typer.Option(
        LedgerFormat.BEANCOUNT, "--format", help="Form of the text."
    ),
) -> None:
    """Write all postings and balances; ``bean-check`` adds them up again."""
    with house(context) as env:
        count = ledger_export.export_beancount(env, to)
    output_of(context).value(
        {"file": str(to), "format": form.value, "postings": count},
        f"{count} postings in {to}",
    )
