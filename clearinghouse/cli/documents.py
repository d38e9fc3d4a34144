"""Verbs on invoices and credit notes: list, what waits, issue, export."""

from __future__ import annotations

from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.cli.output import Output
from clearinghouse.domain import money
from clearinghouse.services import invoices, settlement
from clearinghouse.services.environment import Environment
from clearinghouse.storage.invoices import Listed

group = typer.Typer(no_args_is_help=True, help="Invoices and credit notes.")

_WINDOW = typer.Argument(help="Label of a closed window.")


@group.command(name="list")
def list_them(context: typer.Context, window: str = _WINDOW) -> None:
    """List the documents of a window, issued or not."""
    output = output_of(context)
    with house(context) as env:
        found = invoices.documents_of(env, _window(output, env, window))
        rows = [_row(one) for one in found]
    output.rows("Documents", rows, empty=f"{window} has no document")


@group.command()
def fees(
    context: typer.Context,
    run: int = typer.Argument(help="Number of a settlement run."),
    folder: Path | None = typer.Option(
        None, help="Write what is issued of them to this folder."
    ),
) -> None:
    """List the house's invoices for the fees of a run, and its credit notes."""
    output = output_of(context)
    with house(context) as env:
        rows = [_row(one) for one in invoices.documents_of_run(env, run)]
        written = [] if folder is None else invoices.export_run(env, run, folder)
    output.rows("Documents", rows, empty=f"run {run} has no document")
    if folder is not None:
        output.remark(f"{len(written)} files in {folder}")


@group.command()
def pending(context: typer.Context) -> None:
    """List the documents that cannot be issued yet, and what they wait for."""
    with house(context) as env:
        found = invoices.waiting(env)
    rows = [
        {"number": one.number, "waits_for": "; ".join(one.reasons)} for one in found
    ]
    output_of(context).rows("Waiting", rows, empty="Every document is issued")


@group.command()
def issue(context: typer.Context) -> None:
    """Issue every document that can be: UBL, CII and PDF, kept as issued."""
    output = output_of(context)
    with house(context) as env, output.progress("documents", None):
        issued = invoices.issue_pending(env)
        left = len(invoices.waiting(env))
    if left:
        output.remark(f"{left} wait: clearinghouse document pending")
    output.value({"issued": issued, "waiting": left}, f"{issued} documents are issued")


@group.command()
def export(
    context: typer.Context,
    window: str = _WINDOW,
    folder: Path = typer.Argument(help="Folder to write to; it is made."),
) -> None:
    """Write the issued documents of a window as UBL, CII and PDF."""
    output = output_of(context)
    with house(context) as env:
        files = invoices.export(env, _window(output, env, window), folder)
    output.value(
        {"folder": str(folder), "files": [str(path) for path in files]},
        f"{len(files)} files in {folder}"
        if files
        else f"{window} has no issued document; see: clearinghouse document pending",
    )


def _window(output: Output, env: Environment, label: str) -> int:
    found = settlement.window_named(env, label)
    if found is None:
        refuse(output, f"no window {label}; see: clearinghouse settlement list")
    return found.window_id


def _row(one: Listed) -> dict[str, object]:
    return {
        "number": one.number,
        "kind": one.kind.value,
        "seller": one.seller,
        "buyer": one.buyer,
        "net": _text(one.net_minor, one.currency),
        "vat": _text(one.vat_minor, one.currency),
        "gross": _text(one.gross_minor, one.currency),
        "currency": one.currency,
    }


def _text(amount_minor: int, currency: str) -> str:
    return money.minor_text(amount_minor, money.currency_of(currency))
