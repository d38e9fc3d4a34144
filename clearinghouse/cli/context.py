"""What every verb shares: settings, output, and how errors end a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import typer

from clearinghouse.cli.output import Output
from clearinghouse.domain.errors import ClearingHouseError, Item

if TYPE_CHECKING:  # what these load takes longer than most verbs need
    from clearinghouse.services.environment import Environment
    from clearinghouse.settings import Settings

EXIT_REFUSED = 1
"""The command was understood and refused; the text says what to do."""
EXIT_SETTINGS = 3
"""The settings are wrong; nothing was tried."""
AMOUNTS = {"ignore_unknown_options": True}
"""For verbs that take an amount: one below zero is not an option. What is no option of
the verb is then one word too many, and refused as such."""
SETTINGS_ADVICE = "What may be set, and how: clearinghouse config explain"


@dataclass(slots=True)
class Context:
    """The options before the verb."""

    output: Output


def output_of(context: typer.Context) -> Output:
    """Return where a verb prints."""
    found = context.ensure_object(Context)
    return found.output


class SettingsError(Exception):
    """The settings are wrong; the arguments say it, a line for each fault."""


def settings(**given: object) -> Settings:
    """Read the settings; what a verb's own options give, by name, wins over the rest.

    Raises :class:`SettingsError`, which ends the command, with what is wrong in them.
    """
    found = settings_or_faults(**given)
    if isinstance(found, list):
        raise SettingsError(*found)
    return found


def settings_or_faults(**given: object) -> Settings | list[str]:
    """Read the settings, or return what is wrong in them, a line for each fault."""
    from pydantic import ValidationError

    from clearinghouse.settings import Settings

    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        return [
            ": ".join([*map(str, problem["loc"]), problem["msg"]])
            for problem in error.errors(include_input=False, include_context=False)
        ]
    except (OSError, ValueError) as error:  # a file that is not there, or no TOML
        return [str(error)]


def refuse(
    output: Output, text: str, *, code: str = "REFUSED", status: int = EXIT_REFUSED
) -> NoReturn:
    """End the command with a text that says what to do."""
    complain(output, text, code=code)
    raise typer.Exit(status)


def complain(output: Output, text: str, *, code: str) -> None:
    """Tell why a command ends.

    Machines get it on one line, and a ``code`` that stays when the text gets better.
    """
    if output.as_json:
        line = "; ".join(part for part in map(str.strip, text.splitlines()) if part)
        output.value({"error": line, "code": code}, text)
    else:
        output.remark(text)


@contextmanager
def refusals(output: Output) -> Iterator[None]:
    """End the command with the house's own words when the house refuses."""
    try:
        yield
    except ClearingHouseError as error:
        lines = [f"{error.code.text} [{error.code.number} {error.code.name}]"]
        if error.detail:  # the operator sits inside the house and may read it
            lines.append(error.detail)
        lines += [_line(item) for item in error.items]
        refuse(output, "\n".join(lines), code=error.code.name)


def _line(item: Item) -> str:
    said = [
        f"{what} {text}"
        for what, text in (("expected", item.expected), ("found", item.found))
        if text
    ]
    return f"  {item.path}: {', '.join(said) or item.code.text}"


@contextmanager
def house(context: typer.Context) -> Iterator[Environment]:
    """Give what use cases need; a refusal of the house ends the command."""
    from clearinghouse import app
    from clearinghouse.telemetry import logging

    # Events go to standard error: standard output holds the verb's own answer only.
    logging.configure("WARNING")
    with refusals(output_of(context)), app.environment(settings()) as env:
        yield env
