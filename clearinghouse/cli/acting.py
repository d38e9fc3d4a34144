"""Who acts: the operator's name by option, the password from a file or a prompt.

A password is never a word of a command: those are seen by everybody on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from clearinghouse.cli.context import settings

if TYPE_CHECKING:
    from clearinghouse.domain.approvals import Operator
    from clearinghouse.services.environment import Environment

OPERATOR: Any = typer.Option(
    ...,
    "--operator",
    help="Your name as an operator. The password is asked for, or read from the file"
    " that the setting operator_password_file names.",
)
"""The option of a verb that needs to know who acts."""


OPERATOR_IF_NEEDED: Any = typer.Option(
    None, "--operator", help="Your name as an operator, where two are needed."
)
"""The same option of a verb that needs two operators only sometimes."""


def acting(env: Environment, name: str) -> Operator:
    """Return the operator who acts.

    Raises :class:`ClearingHouseError` (``CH.LOGIN``) when it is not he, and
    :class:`OSError` when the file with the password cannot be read.
    """
    from clearinghouse.services import operators

    return operators.authenticated(env, name, _password(f"Password of {name}"))


def _password(what: str) -> str:
    file = settings().operator_password_file
    if file is None:
        given: str = typer.prompt(what, hide_input=True, err=True)
        return given
    return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
