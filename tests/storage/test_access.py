"""Accounts and tokens (clauses 7.2-login to 7.2-expiry)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.storage import access, participants
from tests.builders import NOW, make_csp, seconds

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clearinghouse.storage.database import Database

_HASH = sha256(b"ch1_token").digest()


def _login(tx: Connection) -> access.Account:
    csp = make_csp(tx)
    access.add_account(
        tx, csp.participant_id, username="abc", password_hash="argon", at=NOW
    )
    account = access.account_by_username(tx, "abc")
    assert account is not None
    access.insert_token(
        tx,
        access.Token(
            token_hash=_HASH,
            account_id=account.account_id,
            participant_id=csp.participant_id,
            issued_at=NOW,
            expires_at=seconds(1200),
            chain_started_at=NOW,
        ),
    )
    return account


@pytest.mark.clause("7.2-token", "7.2-expiry")
def test_token_is_good_until_the_second_it_expires(database: Database) -> None:
    with database.begin() as tx:
        account = _login(tx)

        held = access.holder_of(tx, _HASH, now=seconds(1199))

        assert held is not None
        assert held.sender == account.sender
        assert held.token.chain_started_at == NOW
        assert access.holder_of(tx, _HASH, now=seconds(1200)) is None
        assert access.holder_of(tx, sha256(b"x").digest(), now=NOW) is None


def test_account_is_found_by_username_with_its_hash(database: Database) -> None:
    with database.begin() as tx:
        account = _login(tx)

        assert account.may_log_in
        assert account.password_hash == "argon"
        assert "argon" not in repr(account)
        assert access.account_by_username(tx, "abd") is None


def test_revoked_token_is_dead_at_once(database: Database) -> None:
    with database.begin() as tx:
        _login(tx)

        assert access.revoke(tx, _HASH, at=seconds(1))
        assert not access.revoke(tx, _HASH, at=seconds(2))
        assert access.holder_of(tx, _HASH, now=seconds(3)) is None


def test_new_password_ends_all_sessions(database: Database) -> None:
    with database.begin() as tx:
        account = _login(tx)

        ended = access.set_password(tx, account.account_id, "new", at=seconds(1))

        assert ended == 1
        assert access.holder_of(tx, _HASH, now=seconds(2)) is None


def test_disabled_account_and_suspended_participant_hold_no_token(
    database: Database,
) -> None:
    with database.begin() as tx:
        account = _login(tx)
        participants.set_status(tx, account.participant_id, ParticipantStatus.SUSPENDED)
        suspended = access.holder_of(tx, _HASH, now=NOW)
        participants.set_status(tx, account.participant_id, ParticipantStatus.ACTIVE)
        again = access.holder_of(tx, _HASH, now=NOW)
        access.set_account_status(
            tx, account.account_id, access.AccountStatus.DISABLED, at=NOW
        )
        stored = access.account_by_username(tx, "abc")

    assert (suspended is None, again is None) == (True, False)
    assert stored is not None
    assert not stored.may_log_in


def test_expired_tokens_are_forgotten(database: Database) -> None:
    with database.begin() as tx:
        _login(tx)

        assert access.forget_expired(tx, before=seconds(1200)) == 0
        assert access.forget_expired(tx, before=seconds(1201)) == 1
