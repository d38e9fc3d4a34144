"""The contract, its bindings, and the engine over it."""

from __future__ import annotations

import pytest

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Bindings
from tests.soap.house import House, build


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()


@pytest.fixture(scope="session")
def bindings(contract: Contract) -> Bindings:
    return Bindings(contract.model)


@pytest.fixture(scope="session")
def house(contract: Contract) -> House:
    return build(contract)
