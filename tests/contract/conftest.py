"""The contract as the server loads it."""

from __future__ import annotations

import pytest

from clearinghouse.contract.catalogue import Contract


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()
