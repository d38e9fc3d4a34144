"""Verbs on payments: files for the bank, its statements, mandates to collect."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from clearinghouse.cli.acting import OPERATOR, acting
from clearinghouse.cli.approvals import waiting
from clearinghouse.cli.camt053 import FILE_BYTES_MAX, read
from clearinghouse.cli.context import house, output_of, refusals
from clearinghouse.domain.money import currency_of, minor_text
from clearinghouse.domain.payments import Mandate
from clearinghouse.services import payments, unposted_money

group = typer.Typer(no_args_is_help=True, help="Files for and from the bank.")


@group.command()
def export(
    context: typer.Context,
    run: int = typer.Argument(help="The number of a committed run."),
    to: Path = typer.Option(..., "--to", help="Folder to write to; it is made."),
    on: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="Day on which banks execute. Default: today."
    ),
) -> None:
    """Write the SEPA files of the payments that are due: pain.001 and pain.008.

    Collections come first; when the bank has confirmed them the same verb writes the
    pay-outs. Payers without a mandate get a file of their own to hand to their bank.
    """
    with house(context) as env:
        day = None if on is None else on.date()
        files = payments.export_files(env, run, to, execute_on=day)
    output_of(context).value(
        {"run": run, "files": [str(path) for path in files]},
        "\n".join(map(str, files)) or f"no payment of run {run} is due",
    )


@group.command(name="import")
def import_them(
    context: typer.Context,
    file: Path = typer.Argument(help="A camt.053 file of the bank."),
) -> None:
    """Take in statements of the bank and confirm payments; safe to repeat."""
    output = output_of(context)
    with file.open("rb") as opened, refusals(output):
        statements = read(opened.read(FILE_BYTES_MAX + 1))
    with house(context) as env:
        taken = [payments.take_in(env, one) for one in statements]
    rows = [
        {
            "statement": one.statement_id,
            "taken_before": one.taken_before,
            "entries": sum(one.outcomes.values()),
            "outcomes": [f"{name}={count}" for name, count in one.outcomes.items()],
        }
        for one in taken
    ]
    output.rows("Bank statements", rows, empty="The file has no statement")


@group.command()
def unposted(context: typer.Context) -> None:
    """List payments of which money is posted nowhere: too much, or come back late.

    Below zero it is lacking. A payment leaves the list when what the bank says of it
    adds up: order it again, or give back what is too much, under the same id.
    """
    with house(context) as env:
        found, count = unposted_money.unposted(env), unposted_money.count(env)
    rows = [
        {
            "run": one.run_id,
            "end_to_end_id": one.end_to_end_id,
            "payer": one.payer,
            "payee": one.payee,
            "amount": minor_text(one.unposted_minor, currency_of(one.currency)),
            "currency": one.currency,
            "booked": one.booked_at,
        }
        for one in found
    ]
    output = output_of(context)
    output.rows("Posted nowhere", rows, empty="All money is posted")
    if count > len(rows):
        output.remark(f"these are the {len(rows)} oldest of {count}")


@group.command()
def mandate(
    context: typer.Context,
    party_id: str = typer.Argument(help="Who is collected from: DEABC."),
    mandate_id: str = typer.Argument(help="Id of the SEPA B2B mandate."),
    signed_on: datetime = typer.Option(..., formats=["%Y-%m-%d"]),
    creditor_id: str = typer.Option(..., help="This house's creditor identifier."),
    operator: str = OPERATOR,
) -> None:
    """Ask to keep a mandate to collect; another operator approves it."""
    given = Mandate(
        mandate_id=mandate_id, signed_on=signed_on.date(), creditor_id=creditor_id
    )
    with house(context) as env:
        asked = payments.request_mandate(env, acting(env, operator), party_id, given)
    waiting(context, asked)


@group.command(name="mandate-end")
def end_mandate(
    context: typer.Context,
    party_id: str = typer.Argument(help="Who is collected from no more: DEABC."),
) -> None:
    """Take a mandate back: the participant pays by itself again."""
    with house(context) as env:
        payments.take_mandate_back(env, party_id)
    output_of(context).value(
        {"party": party_id, "mandate": ""},
        f"{party_id} is not collected from any more",
    )
