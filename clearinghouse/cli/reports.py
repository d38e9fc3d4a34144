"""Verbs on reports: export a window's statements to a folder."""

from __future__ import annotations

from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import settlement, statements

group = typer.Typer(no_args_is_help=True, help="Reports.")


@group.command()
def export(
    context: typer.Context,
    window: str = typer.Argument(help="Label of a closed window."),
    folder: Path = typer.Argument(help="Folder to write to; it is made."),
) -> None:
    """Write all statements of a window as XML, CSV, PDF and HTML, as issued.

    XML and CSV hold every line; PDF and HTML are for people and show the first ones.
    """
    output = output_of(context)
    with house(context) as env:
        found = settlement.window_named(env, window)
        if found is None:
            refuse(output, f"no window {window}; see: clearinghouse settlement list")
        if found.state is not WindowState.CLOSED:
            refuse(
                output,
                f"{window} is not closed; first: "
                f"clearinghouse settlement close {window}",
            )
        with output.progress(f"statements of {window}", None):
            files = statements.export_statements(env, found.window_id, folder)
    text = f"{len(files)} files in {folder}"
    output.value(
        {"folder": str(folder), "files": [str(path) for path in files]},
        text if files else f"{window} had nothing to settle: there is no statement",
    )
