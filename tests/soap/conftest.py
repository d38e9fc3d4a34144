"""The contract, its bindings, the engine over it, and a client with one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.client import Client, ClientSettings
from clearinghouse.soap.envelope import close_envelope
from tests.soap.desk import Desk
from tests.soap.house import House, build, example
from tests.soap.partner import Caller, Calling


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()


@pytest.fixture(scope="session")
def bindings(contract: Contract) -> Bindings:
    return Bindings(contract.model)


@pytest.fixture(scope="session")
def house(contract: Contract) -> House:
    return build(contract)


@pytest.fixture(scope="session")
def lasting_desk(contract: Contract) -> Desk:
    """Return a desk for all: an engine has compiled schemas of some megabytes."""
    return Desk(contract)


@pytest.fixture
def desk(lasting_desk: Desk) -> Desk:
    """Return a desk that has seen nothing."""
    lasting_desk.fresh()
    return lasting_desk


@pytest.fixture
def client(contract: Contract, bindings: Bindings) -> Iterator[Client]:
    made = Client(
        contract, bindings, ClientSettings(allow_private=True, allow_http=True)
    )
    yield made
    made.close()


@pytest.fixture
def request_record(bindings: Bindings) -> Record:
    return bindings.read(example("csp-endpoint", "Authorize").parts()[-1])


@pytest.fixture
def header(bindings: Bindings) -> Record:
    return bindings.new(
        "common:ExchangeHeader",
        message_id="9247378e-5376-4af2-adee-b019389acf41",
        sender_id="CHCLR",
        created_at=datetime(2026, 3, 14, tzinfo=UTC),
        session_token="secret-of-the-partner",
    )


@pytest.fixture
def answer(bindings: Bindings) -> bytes:
    (body,) = example("csp-endpoint", "Authorize", "response").parts()
    return close_envelope(bindings.write(bindings.read(body)))


@pytest.fixture
def call(client: Client, request_record: Record, header: Record) -> Caller:
    return Caller(client, request_record, header)


@pytest.fixture
def calling(
    contract: Contract, bindings: Bindings, request_record: Record, header: Record
) -> Iterator[Calling]:
    """Return a maker of callers whose client has settings of its own."""
    with contextlib.ExitStack() as stack:

        def made(settings: ClientSettings) -> Caller:
            client = Client(contract, bindings, settings)
            stack.callback(client.close)
            return Caller(client, request_record, header)

        yield made
