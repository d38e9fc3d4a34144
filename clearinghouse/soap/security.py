"""Who sends a message: the exchange header, and the seam to authentication.

The engine finds the one header that identifies the sender and hands it to the
``authenticate`` it was given. What a signature covers will be checked here, before
anything is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.catalogue import EXCHANGE_HEADER
from clearinghouse.soap.binding import Record
from clearinghouse.soap.envelope import Envelope, check_understood
from clearinghouse.soap.faults import SoapFault

# Takes the exchange header and the operation's name; returns the sender, whatever
# that is above the engine, or raises a SoapFault.
Authenticate = Callable[[Record, str], Any]


def is_understood(tag: str) -> bool:
    """Whether we process header blocks of this name."""
    return tag == EXCHANGE_HEADER


def exchange_header(envelope: Envelope) -> etree._Element:
    """Return the one exchange header, when all others may be passed over.

    Raises :class:`SoapFault` MUST_UNDERSTAND for a block that we must understand and
    do not; HEADER when there is no exchange header or more than one: whoever takes
    the first of two has not checked the other.
    """
    blocks = envelope.blocks
    if len(blocks) == 1 and blocks[0].tag == EXCHANGE_HEADER:
        return blocks[0]
    check_understood(envelope, is_understood)
    found = [block for block in blocks if block.tag == EXCHANGE_HEADER]
    if len(found) != 1:
        raise SoapFault(codes.HEADER, detail=f"{len(found)} exchange headers")
    return found[0]
