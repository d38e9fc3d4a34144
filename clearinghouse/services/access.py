"""Access: login, tokens, heartbeat (clauses 7.2-login, 7.2-token, 7.2-expiry).

A token is opaque, lives 20 minutes whatever is done with it, and can be replaced in its
last five minutes as long as its first login is less than eight hours ago. Only its
SHA-256 is stored, so an answer that holds a token is never stored either: a repeated
Login or RenewToken gives another token, and the number of tokens is bounded instead.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.domain.participants import is_skewed, skew_milliseconds
from clearinghouse.services import passwords
from clearinghouse.services.environment import Environment
from clearinghouse.storage import access, audit, participants
from clearinghouse.storage.access import Account, Token, TokenHolder
from clearinghouse.storage.audit import AuditEntry
from clearinghouse.telemetry import logging

#: A token can be replaced in this last part of its life (clause 7.2-expiry).
RENEW_WINDOW_SECONDS = 300

#: Live tokens of one account; the oldest end. Stops a client that logs in for every
#: message, or a stolen password, from collecting tokens.
TOKENS_PER_ACCOUNT_MAX = 20

_PREFIX = "ch1_"
_RANDOM_BYTES = 32
_SKEW_MS_MAX = 2**31 - 1

_log = logging.logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client presents at login, and from where.

    ``party_id`` is the sender that its header names; ``address`` is its network
    address, empty when the server does not know it.
    """

    party_id: str
    username: str
    password: str = field(repr=False)
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A token just issued; the clear text exists in this answer only."""

    token: str = field(repr=False)
    expires_at: datetime
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The answer to a heartbeat."""

    code: Code
    now: datetime
    period_seconds: int
    skew_ms: int


def login(env: Environment, presented: Credentials) -> IssuedToken:
    """Exchange user name and password for a token (clauses 7.2-login, 7.2-token).

    Raises :class:`ClearingHouseError`: ``CH.RATE`` beyond the rates, ``CH.OVERLOAD``
    when too many passwords are being checked, ``CH.LOGIN`` for everything that is wrong
    with the login itself, whichever it is.
    """
    now = env.clock.now()
    with env.gate.logins.attempt(presented.username, presented.address, now):
        return _login(env, presented, now)


def _login(env: Environment, presented: Credentials, now: datetime) -> IssuedToken:
    with env.database.begin_read_only() as tx:
        account = access.account_by_username(tx, presented.username)
    with env.gate.hashing.turn():
        stored_hash = None if account is None else account.password_hash
        fits = passwords.is_right(presented.password, stored_hash)
    if account is None or not fits or not _may_log_in(account, presented):
        _log.warning("login_refused", party_id=presented.party_id)
        raise ClearingHouseError(codes.LOGIN_FAILED)
    clear, token = _new_token(env, account.sender, chain_started_at=now, now=now)
    with env.database.begin() as tx:
        # Read again under the account's lock: a password or a status that changed while
        # this one was hashed ends the login.
        current = access.account_for_login(tx, account.account_id)
        if current != account:
            raise ClearingHouseError(codes.LOGIN_FAILED)
        access.insert_token(tx, token)
        access.keep_newest(tx, account.account_id, TOKENS_PER_ACCOUNT_MAX, now=now)
    _log.info("login_accepted", party_id=account.party_id)
    return IssuedToken(token=clear, expires_at=token.expires_at, roles=account.roles)


def authenticate(
    env: Environment, token: str, *, from_database: bool = False
) -> Sender:
    """Return who speaks with a token.

    A token is believed for up to five seconds after it was read; with
    ``from_database`` it is read anew. Raises :class:`ClearingHouseError` (``CH.TOKEN``)
    for a token that is unknown, expired or revoked, or whose participant or account is
    suspended.
    """
    now = env.clock.now()
    token_hash = _hashed(token)
    if not from_database:
        known = env.gate.tokens.holder(token_hash, now)
        if known is not None:
            return known.sender
    with env.database.begin_read_only("realtime") as tx:
        holder = access.holder_of(tx, token_hash, now=now)
    if holder is None:
        env.gate.tokens.forget(token_hash)
        raise ClearingHouseError(codes.TOKEN)
    env.gate.tokens.remember(token_hash, holder, now)
    return holder.sender


def note_refusal(env: Environment, sender: Sender, operation: str, why: str) -> None:
    """Keep in the audit trail that somebody known tried what it may not do (7.1)."""
    entry = AuditEntry(
        at=env.clock.now(),
        actor=sender.party_id,
        action=operation,
        object=why,
        outcome="refused",
    )
    with env.database.begin() as tx:
        audit.record(tx, entry)


def renew_token(env: Environment, token: str) -> IssuedToken:
    """Replace a token in its last five minutes (clause 7.2-expiry).

    The old one lives to its own end, so that messages under way are not cut off and a
    lost answer can be asked for again. Raises :class:`ClearingHouseError`: ``CH.TOKEN``
    for a token that is not good, ``CH.RENEW_EARLY`` before its last five minutes,
    ``CH.LOGIN_NEEDED`` when its first login is too long ago.
    """
    now = env.clock.now()
    with env.database.begin() as tx:
        holder = access.holder_of(tx, _hashed(token), now=now)
        if holder is None:
            raise ClearingHouseError(codes.TOKEN)
        # A password that changes at this moment has to end the new token as well.
        access.account_for_login(tx, holder.token.account_id)
        if access.holder_of(tx, _hashed(token), now=now) is None:
            raise ClearingHouseError(codes.TOKEN)
        if holder.token.expires_at - now > timedelta(seconds=RENEW_WINDOW_SECONDS):
            raise ClearingHouseError(codes.RENEW_EARLY)
        clear, renewed = _renewed(env, holder, now)
        access.insert_token(tx, renewed)
        account_id = holder.token.account_id
        access.keep_newest(tx, account_id, TOKENS_PER_ACCOUNT_MAX, now=now)
    roles = holder.sender.roles
    return IssuedToken(token=clear, expires_at=renewed.expires_at, roles=roles)


def logout(env: Environment, token: str) -> None:
    """End a token now; in other processes it dies within five seconds."""
    token_hash = _hashed(token)
    with env.database.begin() as tx:
        access.revoke(tx, token_hash, at=env.clock.now())
    env.gate.tokens.forget(token_hash)


def heartbeat(
    env: Environment, sender: Sender, *, sent_at: datetime, received_at: datetime
) -> Pulse:
    """Note a sign of life and tell the partner our time and its skew.

    A clock that differs by more than a few seconds is answered with a warning.
    """
    skew_ms = skew_milliseconds(sent_at, received_at)
    skew_ms = max(-_SKEW_MS_MAX, min(skew_ms, _SKEW_MS_MAX))
    with env.database.begin() as tx:
        participants.hear_heartbeat(
            tx, sender.participant_id, at=received_at, skew_ms=skew_ms
        )
    return Pulse(
        code=codes.CLOCK_SKEW if is_skewed(skew_ms) else codes.OK,
        now=env.clock.now(),
        period_seconds=env.limits.heartbeat_seconds,
        skew_ms=skew_ms,
    )


def forget_expired_tokens(env: Environment) -> int:
    """Delete tokens that expired more than a day ago; the worker's housekeeping."""
    with env.database.begin() as tx:
        return access.forget_expired(tx, before=env.clock.now() - timedelta(days=1))


def _may_log_in(account: Account, presented: Credentials) -> bool:
    return account.may_log_in and account.party_id == presented.party_id


def _renewed(env: Environment, holder: TokenHolder, now: datetime) -> tuple[str, Token]:
    chain_started_at = holder.token.chain_started_at
    clear, token = _new_token(
        env, holder.sender, chain_started_at=chain_started_at, now=now
    )
    if token.expires_at <= holder.token.expires_at:
        raise ClearingHouseError(codes.LOGIN_NEEDED)
    return clear, token


def _new_token(
    env: Environment, sender: Sender, *, chain_started_at: datetime, now: datetime
) -> tuple[str, Token]:
    """Return a token in clear text and as it is stored."""
    if sender.account_id is None:
        raise ClearingHouseError(codes.TOKEN, "no account, no token")
    clear = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    chain_ends_at = chain_started_at + timedelta(seconds=env.limits.token_chain_seconds)
    ends_at = now + timedelta(seconds=env.limits.token_seconds)
    return clear, Token(
        token_hash=_hashed(clear),
        account_id=sender.account_id,
        participant_id=sender.participant_id,
        issued_at=now,
        expires_at=min(ends_at, chain_ends_at),
        chain_started_at=chain_started_at,
    )


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
