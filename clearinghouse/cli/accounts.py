"""Verbs on machine accounts: add, password."""

from __future__ import annotations

import secrets
import sys

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.services import participants

group = typer.Typer(no_args_is_help=True, help="Machine accounts of partners.")

PASSWORD_BYTES = 24
"""Randomness of a password that we make."""

_FROM_STDIN = typer.Option(
    False, "--password-stdin", help="Read the password from standard input."
)


def _password(from_stdin: bool) -> tuple[str, bool]:
    """Return a password and whether we made it (then it is printed once)."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n"), False
    return secrets.token_urlsafe(PASSWORD_BYTES), True


@group.command()
def add(
    context: typer.Context,
    party_id: str = typer.Argument(),
    username: str = typer.Option(..., help="What the partner's client logs in with."),
    password_stdin: bool = _FROM_STDIN,
) -> None:
    """Give a partner an account; a password that we make is printed once."""
    password, made = _password(password_stdin)
    account = participants.NewAccount(
        party_id=party_id, username=username, password=password
    )
    with house(context) as env:
        account_id = participants.add_account(env, account)
    value = {"account": account_id, "party": party_id, "username": username}
    text = f"{username} may log in for {party_id}"
    if made:
        value["password"] = password
        text += f"; password, shown only now: {password}"
    output_of(context).value(value, text)


@group.command(name="password")
def change_password(
    context: typer.Context,
    username: str = typer.Argument(),
    password_stdin: bool = _FROM_STDIN,
) -> None:
    """Set a new password; it ends all sessions of the account."""
    password, made = _password(password_stdin)
    with house(context) as env:
        ended = participants.change_password(env, username, password)
    value: dict[str, object] = {"username": username, "sessions_ended": ended}
    text = f"new password for {username}; {ended} sessions ended"
    if made:
        value["password"] = password
        text += f"; password, shown only now: {password}"
    output_of(context).value(value, text)
