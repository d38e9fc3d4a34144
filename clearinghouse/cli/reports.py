"""Verbs on reports: export a window's statements to a folder."""

from __future__ import annotations

from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.services import settlement, statements

group = typer.Typer(no_args_is_help=True, help="Reports.")


@group.command()
def export(
    context: typer.Context,
    window: str = typer.Argument(help="Label of a closed window."),
    folder: Path = typer.Argument(help="Folder to write to; it is made."),
) -> None:
    """Write all statements of a window as XML and CSV; the same bytes each time."""
    output = output_of(context)
    with house(context) as env:
        found = [w for w in settlement.windows(env) if w.label == window]
        if not found:
            refuse(output, f"no window {window}; see: clearinghouse settlement list")
        with output.progress(f"statements of {window}", None):
            files = statements.export_statements(env, found[0].window_id, folder)
    output.value(
        {"folder": str(folder), "files": [str(path) for path in files]},
        f"{len(files)} files in {folder}",
    )
