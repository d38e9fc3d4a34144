"""From the bytes of one message to the bytes of its answer.

The order of the steps is the defence: nothing is read by name before position and
schema are checked, no handler runs before the sender is known, and the operation is
the one element of the Body, whatever the SOAPAction says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Self
from uuid import UUID

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.catalogue import (
    EXCHANGE_HEADER,
    Contract,
    OperationContract,
)
from clearinghouse.soap.binding import Bindings, Reader, Record
from clearinghouse.soap.bulk import BulkFormat, BulkStream
from clearinghouse.soap.envelope import (
    Envelope,
    body_offset,
    check_text,
    close_envelope,
    open_envelope,
)
from clearinghouse.soap.explain import Explainer
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.feed import Feed
from clearinghouse.soap.limits import ORDINARY_BYTES_MAX, REALTIME_BYTES_MAX
from clearinghouse.soap.operations import Call, Lane, Operation
from clearinghouse.soap.parser import apart, count_suspect, parse, parse_own
from clearinghouse.soap.security import Authenticate, exchange_header
from clearinghouse.soap.spool import Spool
from clearinghouse.soap.validation import envelope_validators
from clearinghouse.soap.versions import Version


@dataclass(slots=True)
class Message:
    """A message that is in memory as a whole."""

    data: bytes

    def digest(self) -> bytes:
        """Return the SHA-256 of the Body as received; computed when asked for."""
        return hashlib.sha256(self.data[body_offset(self.data) :]).digest()

    def __repr__(self) -> str:
        """Show no content: a message holds personal data."""
        return f"<Message of {len(self.data)} bytes>"


@dataclass(slots=True)
class Arrival:
    """What HTTP said about a message, and what was found out about it so far."""

    service: str
    version: Version
    action: str
    correlation_id: UUID
    remote_address: str
    operation: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation as the contract knows it, with the handler that runs it."""

    operation: Operation
    service: str
    name: str
    request: str
    response: str
    action: str
    # The longest message that is taken as a whole.
    bytes_max: int
    read: Reader
    bulk: BulkFormat | None

    @classmethod
    def of(
        cls,
        operation: Operation,
        known: OperationContract,
        read: Reader,
        bulk: BulkFormat | None,
    ) -> Self:
        """Join an operation with what the contract says about it."""
        realtime = operation.lane is Lane.REALTIME
        return cls(
            operation=operation,
            service=operation.service,
            name=operation.name,
            request=known.request,
            response=known.response,
            action=known.soap_action,
            bytes_max=REALTIME_BYTES_MAX if realtime else ORDINARY_BYTES_MAX,
            read=read,
            bulk=bulk,
        )


class Dispatcher:
    """The operations of a contract and what answers them."""

    def __init__(
        self,
        contract: Contract,
        bindings: Bindings,
        *,
        authenticate: Authenticate,
        now: Callable[[], datetime],
        validate_responses: bool,
    ) -> None:
        self._contract = contract
        self._bindings = bindings
        self._read_header = bindings.reader(EXCHANGE_HEADER)
        self._authenticate = authenticate
        self._now = now
        self._validate_responses = validate_responses
        self._validators = envelope_validators(contract)
        self._explainer = contract.once(Explainer)
        self._routes: dict[str, Route] = {}
        # The requests that are streamed, with their records.
        self._streamed: dict[str, str] = {}

    def add(self, operation: Operation) -> None:
        """Offer an operation.

        Raises :class:`KeyError` when the contract has none of that name,
        :class:`ValueError` when it is offered twice or its request cannot be
        streamed although it is a bulk operation.
        """
        known = self._contract.operation(operation.service, operation.name)
        if known.request in self._routes:
            raise ValueError(f"{operation.name} is offered twice")
        bulk = None
        if operation.lane is Lane.BULK:
            bulk = BulkFormat(self._contract, self._bindings, known.request)
            self._streamed[bulk.request] = bulk.record.name
        self._routes[known.request] = Route.of(
            operation, known, self._bindings.reader(known.request), bulk
        )

    def answer(self, data: bytes, arrival: Arrival) -> bytes:
        """Return the answer to a whole message.

        Raises :class:`SoapFault` for everything that is wrong with it, and whatever
        a handler raises beside that.
        """
        root = parse(data)
        try:
            envelope = open_envelope(root, arrival.version)
            route = self._route(str(envelope.body.tag), arrival)
            if len(data) > route.bytes_max or route.bulk is not None:
                raise _refused_as_whole(len(data), route)
            header, body, sender = self._admit(root, envelope, arrival, route)
        except SoapFault:
            count_suspect(len(data))
            raise
        # By position, which takes half the time; the order is that of the class.
        call = Call(
            route.operation,
            header,
            body,
            None,
            sender,
            Message(data),
            arrival.correlation_id,
            self._now(),
            arrival.remote_address,
        )
        return self._respond(route, call, arrival)

    def _route(self, tag: str, arrival: Arrival) -> Route:
        """Find the operation by the element in the Body, within the service called."""
        route = self._routes.get(tag)
        if route is None or route.service != arrival.service:
            raise SoapFault(codes.UNKNOWN_OPERATION)
        arrival.operation = route.name
        if arrival.action and arrival.action != route.action:
            raise SoapFault(codes.ACTION_MISMATCH)
        return route

    def _admit(
        self,
        root: etree._Element,
        envelope: Envelope,
        arrival: Arrival,
        route: Route,
    ) -> tuple[Record, Record, Any]:
        block = exchange_header(envelope)
        if not self._validators[arrival.version].accepts(root):
            check_text(root)
            raise SoapFault(codes.SCHEMA, items=self._explainer.envelope(envelope))
        try:
            header = self._read_header(block)
            body = route.read(envelope.body)
        except (ValueError, ArithmeticError) as error:
            items = self._explainer.envelope(envelope)
            raise SoapFault(codes.SCHEMA, items=items) from error
        return header, body, self._authenticate(header, arrival.operation)

    def answer_stream(self, spool: Spool, arrival: Arrival) -> bytes:
        """Return the answer to a message of a service that streams.

        A message of another operation of that service is taken as a whole. Raises
        as :meth:`answer` does. The thread that parses it keeps its names, so it gets
        one of its own.
        """
        return apart(partial(self._answer_stream, spool, arrival))

    def _answer_stream(self, spool: Spool, arrival: Arrival) -> bytes:
        feed = Feed(spool, self._streamed)
        route = self._routes.get(feed.body_tag())
        if route is None or route.bulk is None:
            if spool.length > ORDINARY_BYTES_MAX:
                raise SoapFault(codes.SIZE, detail="no batch")
            return self.answer(spool.read_all(), arrival)
        self._route(route.request, arrival)
        stream = BulkStream(feed, route.bulk, arrival.version)
        sender = self._authenticate(stream.header, arrival.operation)
        call = Call(
            operation=route.operation,
            header=stream.header,
            body=stream.head,
            stream=stream,
            sender=sender,
            content=spool,
            correlation_id=arrival.correlation_id,
            received_at=self._now(),
            remote_address=arrival.remote_address,
        )
        return self._respond(route, call, arrival)

    def _respond(self, route: Route, call: Call, arrival: Arrival) -> bytes:
        answer = route.operation.handler(call)
        if isinstance(answer, Record):
            answer = self._bindings.write(answer, route.response)
        message = close_envelope(answer, arrival.version)
        if self._validate_responses:
            self._check_response(route, message, arrival.version)
        return message

    def _check_response(self, route: Route, message: bytes, version: Version) -> None:
        """Check our own answer; raises :class:`ValueError` naming the first fault."""
        root = parse_own(message)
        envelope = open_envelope(root, version)
        if envelope.body.tag != route.response:
            raise ValueError(f"{route.operation.name} answered another operation")
        if not self._validators[version].accepts(root):
            items = self._explainer.envelope(envelope)
            where = f"{items[0].path}: {items[0].expected}" if items else "unknown"
            raise ValueError(
                f"{route.operation.name} answers against its schema: {where}"
            )


def _refused_as_whole(length: int, route: Route) -> SoapFault:
    """Return SIZE, or XML_LIMIT for a request of the bulk lane.

    Such a one is taken as a whole only when so much stands in front of its Body that
    nobody looked further.
    """
    if length > route.bytes_max:
        return SoapFault(codes.SIZE, detail="longer than its operation allows")
    return SoapFault(codes.XML_LIMIT, detail="long head")
