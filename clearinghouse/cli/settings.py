"""Verbs on the settings: what is in force, and what may be set."""

from __future__ import annotations

import typer

from clearinghouse.cli import context as shared
from clearinghouse.settings import PREFIX, Settings

group = typer.Typer(no_args_is_help=True, help="Settings.")


@group.command()
def show(context: typer.Context) -> None:
    """Print all settings that are in force; secrets are shown as stars."""
    own = shared.settings()
    rows = [
        {
            "setting": name,
            "value": _plain(getattr(own, name)),
            "set": name in own.model_fields_set,
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    shared.output_of(context).rows("Settings", rows, empty="There are no settings.")


@group.command()
def explain(context: typer.Context) -> None:
    """Print what may be set, and the defaults; works when settings are wrong."""
    rows = [
        {
            "setting": name,
            "variable": f"{PREFIX}{name.upper()}",
            "default": _plain(field.default),
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    shared.output_of(context).rows("Settings", rows, empty="There are no settings.")


def _plain(value: object) -> str | None:
    """Return a value as it would be written in the file; ``None`` when it is absent."""
    return None if value is None else str(value)
