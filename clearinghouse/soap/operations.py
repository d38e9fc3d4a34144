"""What the engine and its users hand each other: operations, calls, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from clearinghouse.settings import Settings
from clearinghouse.soap.binding import Record

if TYPE_CHECKING:
    from clearinghouse.soap.bulk import BulkStream
    from clearinghouse.soap.faults import SoapFault


class Lane(Enum):
    """How urgent an operation is; each lane has its own bound of calls in flight."""

    REALTIME = "realtime"
    ORDINARY = "ordinary"
    BULK = "bulk"


class Content(Protocol):
    """The bytes of a message, as far as a call is asked about them."""

    def digest(self) -> bytes:
        """Return the SHA-256 of the Body as received."""


@dataclass(slots=True)
class Call:
    """One authenticated, valid request.

    ``header`` is the exchange header, ``sender`` what ``authenticate`` returned.
    ``body`` is the request; in the bulk lane its list of records is empty, and
    ``stream`` yields them. ``remote_address`` is empty when it is unknown.
    """

    operation: Operation
    header: Record
    body: Record
    stream: BulkStream | None
    sender: Any
    content: Content
    correlation_id: UUID
    received_at: datetime
    remote_address: str

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the Body as received, 32 bytes.

        The header may change when a message is repeated, the Body may not.
        """
        return self.content.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation that the server offers, by the names of the WSDL.

    ``handler`` returns the response record, or the bytes of a response element that
    was stored before. It refuses a message by raising
    :class:`~clearinghouse.soap.faults.SoapFault`. ``told`` says a fault of a message
    that was known to be of this operation in the operation's own words.
    """

    service: str
    name: str
    handler: Callable[[Call], Record | bytes]
    lane: Lane = Lane.ORDINARY
    told: Callable[[SoapFault], SoapFault] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """The engine's own settings; the defaults suit one server process."""

    public_url: str | None = None
    validate_responses: bool = False
    bulk_bytes_max: int = 268_435_456
    # Longest time a body may take to come in; None: any.
    read_seconds: float | None = 10.0
    # Calls in flight per lane. Real time waits for partners, so it gets the most;
    # ordinary and bulk together stay below the connections of the database pool.
    realtime_calls_max: int = 32
    ordinary_calls_max: int = 8
    bulk_calls_max: int = 2
    # How long a call may wait for a free place before it is shed.
    queue_seconds: float = 0.2

    @classmethod
    def of(cls, settings: Settings) -> EngineSettings:
        """Take over what the house's settings say."""
        return cls(
            public_url=settings.url,
            validate_responses=settings.validate_responses,
            bulk_bytes_max=settings.bulk_body_bytes_max,
        )
