"""Verbs on the ledger: export it for a program that is not ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.services import balances, ledger_export

group = typer.Typer(no_args_is_help=True, help="The ledger.")


class LedgerFormat(StrEnum):
    """The forms of an exported ledger."""

    BEANCOUNT = "beancount"


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


@group.command()
def verify(context: typer.Context) -> None:
    """Derive all balances from the postings again; exit code 1 when any differs."""
    output = output_of(context)
    with house(context) as env:
        balances.snapshot(env)
        found = balances.verify(env)
    if found.differences:
        refuse(output, "\n".join(found.differences), code="LEDGER")
    output.value(
        {"blocks": found.blocks, "runs": found.runs, "verified": True},
        f"the ledger agrees: {found.blocks} blocks, {found.runs} settled runs",
    )
