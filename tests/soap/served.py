"""The engine of the tests in the real application server: its settings, its reception.

``python -m tests.soap.served PORT SECONDS`` serves it until it is asked to stop; a body
has SECONDS.
"""

from __future__ import annotations

import os
import sys

from clearinghouse.app import Front
from clearinghouse.cli import server
from clearinghouse.contract.catalogue import Contract
from clearinghouse.settings import Settings
from clearinghouse.soap.operations import EngineSettings
from clearinghouse.soap.reception import Reception
from tests.soap.house import build

# Short, so that the tests of slow senders do not take long; ten in production.
READ_SECONDS = 1.5
HEADER_SECONDS = 2
_READ_SECONDS = "TEST_READ_SECONDS"
BULK_BYTES_MAX = 20_000_000


def application() -> Reception:
    """Return an engine that offers every operation and answers with the examples."""
    read_seconds = float(os.environ[_READ_SECONDS])
    settings = EngineSettings(read_seconds=read_seconds, bulk_bytes_max=BULK_BYTES_MAX)
    engine = build(Contract.load(), settings=settings).engine
    front = Front(engine, lambda: True)
    return Reception(front, engine.body_limits, threads=Settings().threads)


if __name__ == "__main__":
    server.HEADER_READ_MS = HEADER_SECONDS * 1_000
    # The process that serves is another one.
    os.environ[_READ_SECONDS] = sys.argv[2]
    own = Settings(port=int(sys.argv[1]), workers=1)
    server.run(own, "tests.soap.served:application")
