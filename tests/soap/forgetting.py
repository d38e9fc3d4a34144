"""Prints the memory of a process that refuses message after message.

A thread of lxml keeps every name it ever parsed, so this runs in a process and in a
thread of its own: ``python -m tests.soap.forgetting``, for the bulk lane with
``streamed``.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from clearinghouse.contract.catalogue import Contract
from tests.soap.house import SOAP_11, House, build

TURNS = 60
NAMES = 40_000


def resident_bytes() -> int:
    """Return the memory that the process holds now."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def whole(house: House, turn: int) -> None:
    """Send a message whose names are all different, to be taken as a whole."""
    start = f'<s:Envelope xmlns:s="{SOAP_11}"><s:Body>'.encode()
    names = _names(turn, NAMES)
    answer = house.post("credential", start + names + b"</s:Body></s:Envelope>")
    assert answer.code == "CH.SOAP"


def streamed(house: House, turn: int) -> None:
    """Send batches with different names, as much as may stand before the records."""
    start = f'<s:Envelope xmlns:s="{SOAP_11}"><s:Header>'.encode()
    end = b"</s:Header><s:Body><x/></s:Body></s:Envelope>"
    for place in range(5):
        names = _names(1_000_000 + 5 * turn + place, NAMES // 5)
        assert house.post("sdr", start + names + end).code == "CH.XML.LIMIT"


def _names(turn: int, count: int) -> bytes:
    return b"".join(b"<n%d-%d/>" % (turn, number) for number in range(count))


def send(house: House, one: Callable[[House, int], None], found: list[int]) -> None:
    """Send messages that are all of different names."""
    for turn in range(TURNS):
        one(house, turn)
        found.append(resident_bytes())


def main() -> None:
    """Print the memory after the first, the tenth and the last message."""
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    found: list[int] = []
    one = streamed if sys.argv[1:] == ["streamed"] else whole
    house = build(Contract.load())
    thread = threading.Thread(target=send, args=(house, one, found))
    thread.start()
    thread.join()
    sys.stdout.write(f"{found[0]} {found[9]} {found[-1]}\n")


if __name__ == "__main__":
    main()
