"""What every verb shares: settings, output, and how errors end a command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import typer
from pydantic import ValidationError

from clearinghouse.cli.output import Output
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings

EXIT_REFUSED = 1
"""The command was understood and refused; the text says what to do."""
EXIT_SETTINGS = 3
"""The settings are wrong; nothing was tried."""


@dataclass(slots=True)
class Context:
    """The options before the verb."""

    output: Output


def output_of(context: typer.Context) -> Output:
    """Return where a verb prints."""
    found = context.ensure_object(Context)
    return found.output


def settings() -> Settings:
    """Read the settings, or end the command with what is wrong in them."""
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors():
            place = ".".join(str(part) for part in problem["loc"])
            sys.stderr.write(f"settings: {place}: {problem['msg']}\n")
        sys.stderr.write("'clearinghouse config show' lists all settings.\n")
        raise typer.Exit(EXIT_SETTINGS) from error


def refuse(output: Output, text: str, *, code: int | None = None) -> NoReturn:
    """End the command with a text that says what to do; exit code 1."""
    if output.as_json:
        output.value({"error": text, "code": code}, text)
    else:
        output.remark(text)
    raise typer.Exit(EXIT_REFUSED)


@contextmanager
def house(context: typer.Context) -> Iterator[Environment]:
    """Give the environment; a refusal of the house ends the command with its text."""
    from clearinghouse import app  # loads the whole house: only for verbs that need it

    output = output_of(context)
    try:
        with app.environment(settings()) as env:
            yield env
    except ClearingHouseError as error:
        lines = [f"{error.code.text} [{error.code.number} {error.code.name}]"]
        if error.detail:  # the operator sits inside the house and may read it
            lines.append(error.detail)
        lines += [
            f"  {item.path}: expected {item.expected}, found {item.found}"
            for item in error.items
        ]
        refuse(output, "\n".join(lines), code=error.code.number)
