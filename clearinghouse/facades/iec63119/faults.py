"""Errors as the wire knows them: a fault, or an answer with a code.

One total table by kind decides. A business refusal is an answer; faults are for
transport, schema and security, whose codes are those from 800 on (contract: Style).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from clearinghouse.codes import Code, Kind
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.facades.iec63119.results import cleaned
from clearinghouse.services.gate import TooManyError
from clearinghouse.soap.faults import FaultItem, SoapFault

#: Codes from here on are about the message and the house, not about the business.
_HOUSE_CODES_FROM = 800


class Wire(Enum):
    """How an error of a kind leaves the house."""

    ANSWER = "ANSWER"  #: always an answer with a result code
    FAULT = "FAULT"  #: always a SOAP fault
    BY_RANGE = "BY_RANGE"  #: a fault from code 800 on, else an answer


WIRE_OF_KIND: Mapping[Kind, Wire] = MappingProxyType(
    {
        Kind.DONE: Wire.ANSWER,
        Kind.WARNING: Wire.ANSWER,
        Kind.REFUSED: Wire.ANSWER,
        Kind.MALFORMED: Wire.BY_RANGE,
        Kind.NOT_PERMITTED: Wire.FAULT,
        Kind.NOT_FOUND: Wire.BY_RANGE,
        Kind.CONFLICT: Wire.BY_RANGE,
        Kind.LIMIT: Wire.FAULT,
        Kind.UNAVAILABLE: Wire.FAULT,
        Kind.INTERNAL: Wire.FAULT,
    }
)


def is_fault(code: Code) -> bool:
    """Say whether a code travels as a SOAP fault."""
    wire = WIRE_OF_KIND[code.kind]
    if wire is Wire.BY_RANGE:
        return code.number >= _HOUSE_CODES_FROM
    return wire is Wire.FAULT


def fault_of(error: ClearingHouseError) -> SoapFault:
    """Return the fault for an error; its detail goes to the log only."""
    retry_after = None
    if isinstance(error, TooManyError):
        retry_after = error.retry_after_seconds
    return SoapFault(
        error.code,
        detail=error.detail,
        items=[_fault_item(item) for item in error.items],
        retry_after_seconds=retry_after,
    )


def _fault_item(item: Item) -> FaultItem:
    return FaultItem(
        code=item.code.number,
        text=item.code.text,
        path=cleaned(item.path) or "",
        expected=cleaned(item.expected),
        found=cleaned(item.found),
        index=item.index,
    )
