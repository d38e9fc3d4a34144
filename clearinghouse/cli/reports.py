"""Verbs on reports: export a window's statements to a folder, prove them."""

from __future__ import annotations

from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.cli.output import Output
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import settlement, statements
from clearinghouse.services.environment import Environment

group = typer.Typer(no_args_is_help=True, help="Reports.")

_WINDOW = typer.Argument(help="Label of a closed window.")


@group.command()
def export(
    context: typer.Context,
    window: str = _WINDOW,
    folder: Path = typer.Argument(help="Folder to write to; it is made."),
) -> None:
    """Write all statements of a window as XML, CSV, PDF and HTML, as issued.

    XML and CSV hold every line; PDF and HTML are for people and show the first ones.
    """
    output = output_of(context)
    with house(context) as env:
        window_id = _closed(output, env, window)
        with output.progress(f"statements of {window}", None):
            files = statements.export_statements(env, window_id, folder)
    text = f"{len(files)} files in {folder}"
    output.value(
        {"folder": str(folder), "files": [str(path) for path in files]},
        text if files else f"{window} had nothing to settle: there is no statement",
    )


@group.command()
def verify(context: typer.Context, window: str = _WINDOW) -> None:
    """Write all statements of a window again, another way, and compare the bytes.

    Nothing changes. Ends with 1 when one is not what was issued.
    """
    output = output_of(context)
    with house(context) as env:
        window_id = _closed(output, env, window)
        with output.progress(f"statements of {window}", None):
            found = statements.verify_window(env, window_id)
    differences = [
        f"{statement_id}: {difference}"
        for statement_id, broken in found.items()
        for difference in broken
    ]
    if differences:
        refuse(output, "\n".join(differences), code="STATEMENT_DIFFERS")
    output.value(
        {"window": window, "statements": len(found), "verified": True},
        f"{window}: {len(found)} statements are what was issued, to the byte",
    )


def _closed(output: Output, env: Environment, label: str) -> int:
    """Return the number of a closed window; end the verb when there is none."""
    found = settlement.window_named(env, label)
    if found is None:
        refuse(output, f"no window {label}; see: clearinghouse settlement list")
    if found.state is not WindowState.CLOSED:
        refuse(
            output,
            f"{label} is not closed; first: clearinghouse settlement close {label}",
        )
    return found.window_id
