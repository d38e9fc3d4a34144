"""The engine of the tests as an application that a server process can load."""

from __future__ import annotations

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.operations import EngineSettings
from tests.soap.house import build

# Short, so that the tests of slow senders do not take long; ten in production.
READ_SECONDS = 1.5

application = build(
    Contract.load(),
    settings=EngineSettings(read_seconds=READ_SECONDS, bulk_bytes_max=20_000_000),
).engine
