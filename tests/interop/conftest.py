"""A running clearing house with a CSO and a CSP that are ready to roam."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.connection import Account
from tests.fixtures.database import make_state_dir
from tests.running import world
from tests.running.house import House


@dataclass(slots=True)
class Roaming:
    """The running house, and how many batches the CSO has submitted."""

    house: House
    pair: world.Pair
    csp: ClearingHouse
    batches: int = 0

    @property
    def url(self) -> str:
        """Where the clearing house answers."""
        return self.house.url

    def account_for(self, name: str) -> tuple[str, str]:
        """Add a user of the CSO: five logins a minute are too few for all clients."""
        username, password = f"cso-{name}", f"a long password of {name}"
        self.house.command(
            "account",
            "add",
            self.pair.cso.party_id,
            "--username",
            username,
            "--password-stdin",
            text=password + "\n",
        )
        return username, password


@pytest.fixture(scope="session")
def roaming() -> Iterator[Roaming]:
    folder = make_state_dir()
    try:
        with House(
            folder, settings={"CLEARINGHOUSE_VALIDATE_RESPONSES": "true"}
        ) as house:
            pair = world.pair(house)
            account = Account(
                party_id=pair.csp.party_id,
                username=pair.csp.username,
                password=pair.csp.password,
            )
            csp = ClearingHouse(house.url, account)
            yield Roaming(house, pair, csp)
            for connection in (pair.cso, pair.csp, csp):
                connection.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
