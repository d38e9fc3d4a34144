"""Login and tokens as use cases: bounds and races that messages cannot show."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role
from clearinghouse.services import access, passwords
from clearinghouse.services.access import TOKENS_PER_ACCOUNT_MAX, Credentials
from clearinghouse.services.gate import Gate, HashingQueue
from clearinghouse.storage import access as rows
from tests.builders import NOW, make_cso
from tests.fixtures.engine import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock

MACHINE = Credentials(party_id="CHREP", username="machine", password=PASSWORD)


@pytest.fixture
def account_id(env: Environment, password_hash: str) -> int:
    """Store a machine account of an operator."""
    with env.database.begin() as tx:
        return rows.add_account(
            tx,
            make_cso(tx).participant_id,
            username="machine",
            password_hash=password_hash,
            at=env.clock.now(),
        )


class Interrupted(HashingQueue):
    """A hashing queue in which something happens while the hash runs."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let the other thing happen first."""
        with super().turn():
            self._meanwhile()
            yield


@pytest.mark.usefixtures("account_id")
def test_oldest_token_ends_when_an_account_has_too_many(
    env: Environment, clock: StillClock
) -> None:
    tokens = []
    for _ in range(TOKENS_PER_ACCOUNT_MAX + 1):
        clock.forward(seconds=30)
        tokens.append(access.login(env, MACHINE).token)

    with pytest.raises(ClearingHouseError) as first:
        access.authenticate(env, tokens[0])

    assert first.value.code is codes.TOKEN
    for token in tokens[1:]:
        assert access.authenticate(env, token).party_id == "CHREP"


def test_password_that_changes_while_it_is_hashed_ends_the_login(
    env: Environment, clock: StillClock, account_id: int
) -> None:
    def change() -> None:
        with env.database.begin() as tx:
            new = passwords.hashed("another long password")
            rows.set_password(tx, account_id, new, at=clock.now())

    env = replace(env, gate=Gate(hashing=Interrupted(change)))

    with pytest.raises(ClearingHouseError) as refused:
        access.login(env, MACHINE)

    assert refused.value.code is codes.LOGIN_FAILED
    with env.database.begin_read_only() as tx:
        assert tx.execute(text("SELECT count(*) FROM clearing.token")).scalar() == 0


@pytest.mark.usefixtures("account_id")
def test_token_is_read_once_in_five_seconds(
    env: Environment, clock: StillClock
) -> None:
    token = access.login(env, MACHINE).token
    access.authenticate(env, token)
    with env.database.begin() as tx:
        tx.execute(
            text("UPDATE clearing.token SET revoked_at = :at"), {"at": clock.now()}
        )

    clock.forward(seconds=4)
    believed = access.authenticate(env, token)
    clock.forward(seconds=1)

    assert believed.party_id == "CHREP"
    with pytest.raises(ClearingHouseError):
        access.authenticate(env, token)


@pytest.mark.usefixtures("account_id")
def test_token_read_from_the_database_is_dead_at_once(
    env: Environment, clock: StillClock
) -> None:
    token = access.login(env, MACHINE).token
    access.authenticate(env, token)
    with env.database.begin() as tx:
        tx.execute(
            text("UPDATE clearing.token SET revoked_at = :at"), {"at": clock.now()}
        )

    with pytest.raises(ClearingHouseError):
        access.authenticate(env, token, from_database=True)
    with pytest.raises(ClearingHouseError):
        access.authenticate(env, token)


@pytest.mark.usefixtures("account_id")
def test_tokens_long_expired_are_forgotten(env: Environment, clock: StillClock) -> None:
    access.login(env, MACHINE)

    clock.forward(seconds=1200 + 86_400)
    early = access.forget_expired_tokens(env)
    clock.forward(seconds=1)

    assert (early, access.forget_expired_tokens(env)) == (0, 1)


def test_secrets_are_not_printed() -> None:
    issued = access.IssuedToken(
        token="ch1_opaque", expires_at=NOW, roles=frozenset({Role.CSO})
    )

    assert PASSWORD not in repr(MACHINE)
    assert "ch1_opaque" not in repr(issued)
