"""Verbs on the settings: show them, with their meaning and where they come from."""

from __future__ import annotations

import typer

from clearinghouse.cli import context as shared
from clearinghouse.settings import Settings

group = typer.Typer(no_args_is_help=True, help="Settings.")


@group.command()
def show(context: typer.Context) -> None:
    """Print all settings; secrets are shown as stars."""
    own = shared.settings()
    rows = [
        {
            "setting": name,
            "value": str(getattr(own, name)),
            "set": name in own.model_fields_set,
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    shared.output_of(context).rows("Settings", rows, empty="There are no settings.")
