"""Machine accounts of partners: add, list, new password, disable (clause 7.2-login).

The operator's own acts; every one leaves an entry in the audit trail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.services import passwords
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import access as rows
from clearinghouse.storage.access import Account, AccountStatus
from clearinghouse.storage.failures import UNIQUE_VIOLATION, sqlstate_of

USERNAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
"""What Login takes as a user name: the contract's type of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A machine account; ``password`` is hashed and never stored."""

    party_id: str
    username: str
    password: str = field(repr=False)


def add_account(env: Environment, new: NewAccount) -> int:
    """Give a partner a machine account; return its number.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``, or ``CH.SEMANTIC`` for
    a user name or password that Login would not take, or a user name that is taken.
    """
    items = [*_wrong_username(new.username), *wrong_password(new.password)]
    if items:
        raise ClearingHouseError(SEMANTIC, items=tuple(items))
    password_hash = passwords.hashed(new.password)
    try:
        with env.database.begin() as tx:
            found = participant_named(tx, new.party_id)
            account_id = rows.add_account(
                tx,
                found.participant_id,
                username=new.username,
                password_hash=password_hash,
                at=env.clock.now(),
            )
            note(tx, env, "add account", f"{found.party_id} {new.username}")
    except IntegrityError as error:
        if sqlstate_of(error) != UNIQUE_VIOLATION:
            raise
        detail = (
            f"the user name {new.username} is taken; for a new password: "
            f"clearinghouse account password {new.username}"
        )
        raise ClearingHouseError(SEMANTIC, detail) from error
    return account_id


def all_accounts(
    env: Environment, *, party_id: str | None = None
) -> tuple[Account, ...]:
    """Return the accounts by user name; of one partner when it is named.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    with env.database.begin_read_only() as tx:
        owner = None if party_id is None else participant_named(tx, party_id).party_id
        found = rows.all_accounts(tx)
    return tuple(one for one in found if owner in (None, one.party_id))


def change_password(env: Environment, username: str, password: str) -> int:
    """Set a new password; return how many sessions of the account it ended.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) for an unknown user name or a
    password that Login would not take.
    """
    items = tuple(wrong_password(password))
    if items:
        raise ClearingHouseError(SEMANTIC, items=items)
    password_hash = passwords.hashed(password)
    with env.database.begin() as tx:
        account = _named(tx, username)
        now = env.clock.now()
        ended = rows.set_password(tx, account.account_id, password_hash, at=now)
        note(tx, env, "change password", f"{account.party_id} {username}")
    return ended


def disable(env: Environment, username: str) -> int:
    """Shut an account; return how many of its sessions that ended.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) for an unknown user name.
    """
    return _set_status(env, username, AccountStatus.DISABLED)


def enable(env: Environment, username: str) -> None:
    """Let a disabled account log in again.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) for an unknown user name.
    """
    _set_status(env, username, AccountStatus.ACTIVE)


def _set_status(env: Environment, username: str, status: AccountStatus) -> int:
    with env.database.begin() as tx:
        account = _named(tx, username)
        now = env.clock.now()
        ended = rows.set_account_status(tx, account.account_id, status, at=now)
        note(tx, env, f"set account {status.lower()}", f"{account.party_id} {username}")
    return ended


def _named(tx: Connection, username: str) -> Account:
    account = rows.account_by_username(tx, username)
    if account is None:
        detail = (
            f"no account has the user name {username}; see: clearinghouse account list"
        )
        raise ClearingHouseError(SEMANTIC, detail)
    return account


def _wrong_username(username: str) -> list[Item]:
    if USERNAME.fullmatch(username):
        return []
    expected = "1 to 64 letters, digits and . _ @ -"
    return [Item(code=SEMANTIC, path="username", expected=expected)]


def wrong_password(password: str) -> list[Item]:
    """Return what is wrong with a new password: its length, or what is in it."""
    least, most = passwords.PASSWORD_LENGTH_MIN, passwords.PASSWORD_LENGTH_MAX
    if least <= len(password) <= most and password.isprintable():
        return []
    expected = f"{least} to {most} characters, none of them a control character"
    return [Item(code=SEMANTIC, path="password", expected=expected)]
