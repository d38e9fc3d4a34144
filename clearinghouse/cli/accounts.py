"""Verbs on machine accounts: add, list, password, disable, enable."""

from __future__ import annotations

import secrets
import sys

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.services import accounts

group = typer.Typer(no_args_is_help=True, help="Machine accounts of partners.")

PASSWORD_BYTES = 24
"""Randomness of a password that we make."""

_FROM_STDIN = typer.Option(
    False, "--password-stdin", help="Read the password from standard input."
)
_USERNAME = typer.Argument(help="The account's user name.")


def _password(from_stdin: bool) -> tuple[str, bool]:
    """Return a password and whether we made it (then it is printed once)."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    return secrets.token_urlsafe(PASSWORD_BYTES), True


@group.command()
def add(
    context: typer.Context,
    party_id: str = typer.Argument(help="Whose account it is: DEALF."),
    username: str = typer.Option(..., help="What the partner's client logs in with."),
    password_stdin: bool = _FROM_STDIN,
) -> None:
    """Give a partner an account; a password that we make is printed once."""
    password, made = _password(password_stdin)
    account = accounts.NewAccount(
        party_id=party_id, username=username, password=password
    )
    with house(context) as env:
        account_id = accounts.add_account(env, account)
    value = {"account": account_id, "party": party_id, "username": username}
    text = f"{username} may log in for {party_id}"
    if made:
        value["password"] = password
        text += f"; password, shown only now: {password}"
    text += "\nnext, when its partners are admitted: clearinghouse agreement add ..."
    output_of(context).value(value, text)


@group.command(name="list")
def list_them(
    context: typer.Context,
    party_id: str | None = typer.Argument(None, help="Only this partner's."),
) -> None:
    """List the accounts and whether they may log in."""
    with house(context) as env:
        rows = [
            {
                "username": found.username,
                "party": found.party_id,
                "status": found.status.value,
                "may_log_in": found.may_log_in,
            }
            for found in accounts.all_accounts(env, party_id=party_id)
        ]
    empty = "No account yet; add one with: clearinghouse account add"
    output_of(context).rows("Accounts", rows, empty=empty)


@group.command(name="password")
def change_password(
    context: typer.Context,
    username: str = _USERNAME,
    password_stdin: bool = _FROM_STDIN,
) -> None:
    """Set a new password; it ends all sessions of the account."""
    password, made = _password(password_stdin)
    with house(context) as env:
        ended = accounts.change_password(env, username, password)
    value: dict[str, object] = {"username": username, "sessions_ended": ended}
    text = f"new password for {username}; {_sessions(ended)} ended"
    if made:
        value["password"] = password
        text += f"; password, shown only now: {password}"
    output_of(context).value(value, text)


@group.command()
def disable(context: typer.Context, username: str = _USERNAME) -> None:
    """Shut an account; its sessions end within five seconds."""
    with house(context) as env:
        ended = accounts.disable(env, username)
    value = {"username": username, "status": "DISABLED", "sessions_ended": ended}
    text = f"{username} is shut; {_sessions(ended)} ended"
    output_of(context).value(value, text)


@group.command()
def enable(context: typer.Context, username: str = _USERNAME) -> None:
    """Let a disabled account log in again."""
    with house(context) as env:
        accounts.enable(env, username)
    value = {"username": username, "status": "ACTIVE"}
    output_of(context).value(value, f"{username} may log in again")


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"
