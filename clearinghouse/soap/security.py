"""Who sends a message: the exchange header, and the seam to authentication.

The engine finds the one header that identifies the sender and hands it to the
``authenticate`` it was given. What a signature covers will be checked here, before
anything is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.catalogue import EXCHANGE_HEADER
from clearinghouse.soap.binding import Record
from clearinghouse.soap.faults import SoapFault

# Takes the exchange header and the operation's name; returns the sender, whatever
# that is above the engine, or raises a SoapFault.
Authenticate = Callable[[Record, str], Any]


def is_understood(tag: str) -> bool:
    """Whether we process header blocks of this name."""
    return tag == EXCHANGE_HEADER


def exchange_header(blocks: Sequence[etree._Element]) -> etree._Element:
    """Return the one exchange header.

    Raises :class:`SoapFault` HEADER when there is none or more than one: whoever
    takes the first of two has not checked the other.
    """
    found = [block for block in blocks if block.tag == EXCHANGE_HEADER]
    if len(found) != 1:
        raise SoapFault(codes.HEADER, detail=f"{len(found)} exchange headers")
    return found[0]
