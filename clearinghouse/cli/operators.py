"""Verbs on operators, the people of the house: add, list, password, disable."""

from __future__ import annotations

import secrets
import sys

import typer

from clearinghouse.cli.acting import OPERATOR, acting
from clearinghouse.cli.context import house, output_of
from clearinghouse.domain.approvals import Approval
from clearinghouse.services import operators

group = typer.Typer(no_args_is_help=True, help="Operators: people who act by name.")

PASSWORD_BYTES = 24
"""Randomness of a password that we make."""

_NAME = typer.Argument(help="The operator's name.")
_FROM_STDIN = typer.Option(
    False, "--password-stdin", help="Read the new password from standard input."
)
_WHO = typer.Option(
    None, "--operator", help="Who you are; needed from the third operator on."
)


def _new_password(from_stdin: bool) -> tuple[str, bool]:
    """Return a password and whether we made it (then it is printed once)."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    return secrets.token_urlsafe(PASSWORD_BYTES), True


@group.command()
def add(
    context: typer.Context,
    name: str = _NAME,
    operator: str | None = _WHO,
    password_stdin: bool = _FROM_STDIN,
) -> None:
    """Add an operator; from the third one on another operator must approve.

    A password that we make is printed once. Where fewer than two operators are left,
    the new one comes in at once and may approve after three days.
    """
    password, made = _new_password(password_stdin)
    with house(context) as env:
        by = None if operator is None else acting(env, operator)
        added = operators.add(env, name, password, by=by)
    value: dict[str, object] = {"operator": name}
    if isinstance(added, Approval):
        value |= {"status": "PENDING", "approval": added.approval_id}
        text = (
            f"{name} waits for another operator: "
            f"clearinghouse approval approve {added.approval_id} --operator ..."
        )
    else:
        value |= {"status": added.status.value, "approves_from": added.approves_from}
        text = f"{name} is an operator"
    if made:
        value["password"] = password
        text += f"; password, shown only now: {password}"
    output_of(context).value(value, text)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List the operators, and from when on each may approve."""
    with house(context) as env:
        rows = [
            {
                "operator": found.name,
                "status": found.status.value,
                "approves_from": found.approves_from,
                "added": found.created_at,
            }
            for found in operators.all_operators(env)
        ]
    empty = "No operator yet; add two with: clearinghouse operator add"
    output_of(context).rows("Operators", rows, empty=empty)


@group.command()
def password(
    context: typer.Context,
    operator: str = OPERATOR,
    password_stdin: bool = _FROM_STDIN,
) -> None:
    """Set your own password anew."""
    new, made = _new_password(password_stdin)
    with house(context) as env:
        operators.change_password(env, acting(env, operator), new)
    value = {"operator": operator}
    text = f"new password for {operator}"
    if made:
        value["password"] = new
        text += f"; password, shown only now: {new}"
    output_of(context).value(value, text)


@group.command()
def disable(
    context: typer.Context, name: str = _NAME, operator: str = OPERATOR
) -> None:
    """Shut an operator out, at once."""
    with house(context) as env:
        found = operators.disable(env, name, by=acting(env, operator))
    value = {"operator": name, "status": found.status.value}
    output_of(context).value(value, f"{name} is shut out")
