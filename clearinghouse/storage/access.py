"""Accounts and session tokens (clauses 7.2-login, 7.2-token, 7.2-expiry).

Tokens are stored as SHA-256 only; a token that expired, was revoked, or whose account
or participant is not active is no token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, insert, select, update

from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.storage.tables.participants import account, participant, token

#: Accounts of one list. It stops an unbounded list from being held in memory.
ACCOUNTS_MAX = 10_000


class AccountStatus(StrEnum):
    """Whether an account may log in."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A machine account of a participant, with what Login needs of both."""

    account_id: int
    participant_id: int
    username: str
    status: AccountStatus
    party_id: str
    roles: frozenset[Role]
    participant_status: ParticipantStatus
    password_hash: str = field(repr=False)

    @property
    def may_log_in(self) -> bool:
        """Whether account and participant are active."""
        return (
            self.status is AccountStatus.ACTIVE
            and self.participant_status is ParticipantStatus.ACTIVE
        )

    @property
    def sender(self) -> Sender:
        """The account as the sender of messages."""
        return Sender(
            participant_id=self.participant_id,
            party_id=self.party_id,
            roles=self.roles,
            account_id=self.account_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A session token as stored; ``chain_started_at`` is the login it goes back to."""

    token_hash: bytes = field(repr=False)
    account_id: int
    participant_id: int
    issued_at: datetime
    expires_at: datetime
    chain_started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """Who speaks with a token that is good."""

    sender: Sender
    token: Token


def add_account(
    tx: Connection,
    participant_id: int,
    *,
    username: str,
    password_hash: str,
    at: datetime,
) -> int:
    """Store an account and return its number.

    Raises :class:`sqlalchemy.exc.IntegrityError` when the user name is taken.
    """
    account_id: int = tx.execute(
        insert(account)
        .values(
            participant_id=participant_id,
            username=username,
            password_hash=password_hash,
            status=AccountStatus.ACTIVE,
            created_at=at,
        )
        .returning(account.c.account_id)
    ).scalar_one()
    return account_id


def account_by_username(tx: Connection, username: str) -> Account | None:
    """Return an account by its user name, whether or not it may log in."""
    return _one(tx, _accounts().where(account.c.username == username))


def all_accounts(tx: Connection) -> tuple[Account, ...]:
    """Return all accounts in the order of their user names."""
    query = _accounts().order_by(account.c.username).limit(ACCOUNTS_MAX)
    return tuple(_account(row) for row in tx.execute(query))


def account_for_login(tx: Connection, account_id: int) -> Account | None:
    """Return an account; its row waits until the transaction that issues a token ends.

    So a password that changes at this moment ends the new token as well.
    """
    query = _accounts().where(account.c.account_id == account_id)
    return _one(tx, query.with_for_update(of=account))


def _accounts() -> Select[Any]:
    return select(
        account,
        participant.c.party_id,
        participant.c.roles,
        participant.c.status.label("participant_status"),
    ).join(participant, participant.c.participant_id == account.c.participant_id)


def _one(tx: Connection, query: Select[Any]) -> Account | None:
    row = tx.execute(query).one_or_none()
    return None if row is None else _account(row)


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(
        account_id=row.account_id,
        participant_id=row.participant_id,
        username=row.username,
        status=AccountStatus(row.status),
        party_id=row.party_id,
        roles=frozenset(Role(role) for role in row.roles),
        participant_status=ParticipantStatus(row.participant_status),
        password_hash=row.password_hash,
    )


def set_password(
    tx: Connection, account_id: int, password_hash: str, *, at: datetime
) -> int:
    """Change a password and end the account's sessions; return how many ended."""
    tx.execute(
        update(account)
        .where(account.c.account_id == account_id)
        .values(password_hash=password_hash)
    )
    return revoke_all(tx, account_id, at=at)


def set_account_status(
    tx: Connection, account_id: int, status: AccountStatus, *, at: datetime
) -> int:
    """Disable or enable an account and end its sessions; return how many ended."""
    tx.execute(
        update(account).where(account.c.account_id == account_id).values(status=status)
    )
    return revoke_all(tx, account_id, at=at)


def insert_token(tx: Connection, new: Token) -> None:
    """Store a token that was just issued."""
    tx.execute(
        insert(token).values(
            token_hash=new.token_hash,
            account_id=new.account_id,
            participant_id=new.participant_id,
            issued_at=new.issued_at,
            expires_at=new.expires_at,
            chain_started_at=new.chain_started_at,
        )
    )


def holder_of(
    tx: Connection, token_hash: bytes, *, now: datetime
) -> TokenHolder | None:
    """Return who holds a token, ``None`` unless it is good at this instant."""
    query = (
        select(token, participant.c.party_id, participant.c.roles)
        .join(participant, participant.c.participant_id == token.c.participant_id)
        .join(account, account.c.account_id == token.c.account_id)
        .where(
            token.c.token_hash == token_hash,
            token.c.expires_at > now,
            token.c.revoked_at.is_(None),
            account.c.status == AccountStatus.ACTIVE,
            participant.c.status == ParticipantStatus.ACTIVE,
        )
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    sender = Sender(
        participant_id=row.participant_id,
        party_id=row.party_id,
        roles=frozenset(Role(role) for role in row.roles),
        account_id=row.account_id,
    )
    held = Token(
        token_hash=token_hash,
        account_id=row.account_id,
        participant_id=row.participant_id,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        chain_started_at=row.chain_started_at,
    )
    return TokenHolder(sender=sender, token=held)


def revoke(tx: Connection, token_hash: bytes, *, at: datetime) -> bool:
    """End one session; ``False`` when it had ended before."""
    ended = (
        update(token)
        .where(token.c.token_hash == token_hash, token.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return tx.execute(ended).rowcount == 1


def revoke_all(tx: Connection, account_id: int, *, at: datetime) -> int:
    """End all sessions of an account; return how many ended."""
    ended = (
        update(token)
        .where(token.c.account_id == account_id, token.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return tx.execute(ended).rowcount


def revoke_all_of(tx: Connection, participant_id: int, *, at: datetime) -> int:
    """End all sessions of a participant; return how many ended."""
    ended = (
        update(token)
        .where(token.c.participant_id == participant_id, token.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return tx.execute(ended).rowcount


def keep_newest(tx: Connection, account_id: int, most: int, *, now: datetime) -> int:
    """End all but the newest live sessions of an account; return how many ended.

    Tokens issued at one instant are told apart by their hash, so the bound is exact.
    """
    live = and_(
        token.c.account_id == account_id,
        token.c.revoked_at.is_(None),
        token.c.expires_at > now,
    )
    kept = (
        select(token.c.token_hash)
        .where(live)
        .order_by(token.c.issued_at.desc(), token.c.token_hash)
        .limit(most)
    )
    ended = (
        update(token)
        .where(live, token.c.token_hash.not_in(kept))
        .values(revoked_at=now)
    )
    return tx.execute(ended).rowcount


def forget_expired(tx: Connection, *, before: datetime) -> int:
    """Delete tokens that expired before an instant; return how many."""
    return tx.execute(delete(token).where(token.c.expires_at < before)).rowcount
