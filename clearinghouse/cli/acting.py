"""Who acts: the operator's name by option, the password from a file or a prompt.

A password is never a word of a command: those are seen by everybody on the machine.
"""

from __future__ import annotations

import sys
import warnings
from getpass import GetPassWarning
from typing import TYPE_CHECKING, Any

import typer

from clearinghouse import codes
from clearinghouse.cli.context import settings
from clearinghouse.domain.errors import ClearingHouseError

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
        return _asked(what)
    return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")


def _asked(what: str) -> str:
    try:
        with warnings.catch_warnings():
            # Without a terminal there is no echo that one could see.
            warnings.simplefilter("ignore", GetPassWarning)
            given: str = typer.prompt(what, hide_input=True, err=True)
    except typer.Abort as none:
        if sys.stdin.isatty():
            raise
        detail = (
            "no password came; where nobody can type it, name a file that holds it:"
        )
        raise ClearingHouseError(
            codes.LOGIN_FAILED, f"{detail} CLEARINGHOUSE_OPERATOR_PASSWORD_FILE"
        ) from none
    return given
