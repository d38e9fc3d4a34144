"""Prints the memory of a process that refuses message after message.

A thread of lxml keeps every name it ever parsed, so this runs in a process and in a
thread of its own: ``python -m tests.soap.forgetting``.
"""

from __future__ import annotations

import os
import sys
import threading
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


def send(house: House, found: list[int]) -> None:
    """Send messages that are all of different names."""
    start = f'<s:Envelope xmlns:s="{SOAP_11}"><s:Body>'.encode()
    for turn in range(TURNS):
        names = b"".join(b"<n%d-%d/>" % (turn, number) for number in range(NAMES))
        answer = house.post("credential", start + names + b"</s:Body></s:Envelope>")
        assert answer.code == "CH.SOAP"
        found.append(resident_bytes())


def main() -> None:
    """Print the memory after the first, the tenth and the last message."""
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    found: list[int] = []
    thread = threading.Thread(target=send, args=(build(Contract.load()), found))
    thread.start()
    thread.join()
    sys.stdout.write(f"{found[0]} {found[9]} {found[-1]}\n")


if __name__ == "__main__":
    main()
