"""How an operation of the contract is joined to a use case.

A handler reads the request into a typed command, calls one service function, and words
its outcome. What goes wrong on the way is worded here, once for all operations: as a
fault, or as an answer that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clearinghouse.codes import NOT_AUTHORISED
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.facades.iec63119 import faults, results
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Refusal, remember_refusal
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.operations import Call, Lane, Operation


@dataclass(frozen=True, slots=True)
class Desk:
    """Where messages are taken: what handlers need besides the call."""

    env: Environment
    bindings: Bindings


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One operation, by the names of its WSDL, and the function that handles it.

    ``changes``: the operation changes something, so that a refusal of it is stored and
    given again when the message is repeated. ``told`` says its faults in its own words.
    """

    service: str
    name: str
    handle: Callable[[Desk, Call], bytes]
    changes: bool
    lane: Lane = Lane.ORDINARY
    told: Callable[[SoapFault], SoapFault] | None = None


def mounted(desk: Desk, specs: Iterable[OperationSpec]) -> tuple[Operation, ...]:
    """Return the engine's operations, with their handlers bound to the desk."""
    return tuple(
        Operation(
            service=spec.service,
            name=spec.name,
            handler=_bound(desk, spec),
            lane=spec.lane,
            told=spec.told,
        )
        for spec in specs
    )


def sender_of(call: Call) -> Sender:
    """Return the authenticated sender of a message.

    Raises :class:`ClearingHouseError` (``CH.NOT_AUTHORISED``) when there is none: an
    operation that needs a sender was let through without a token.
    """
    sender = call.sender
    if not isinstance(sender, Sender):
        raise ClearingHouseError(NOT_AUTHORISED, "no sender")
    return sender


def exchange_of(call: Call) -> Exchange:
    """Return a message that changes something, as services are told about it."""
    return Exchange(
        sender=sender_of(call),
        message_id=results.uuid_of(call.header.message_id),
        operation=call.operation.name,
        digest=call.digest,
        correlation_id=call.correlation_id,
        created_at=call.header.created_at,
        received_at=call.received_at,
    )


def _bound(desk: Desk, spec: OperationSpec) -> Callable[[Call], bytes]:
    def handler(call: Call) -> bytes:
        try:
            return _handled(desk, spec, call)
        except ClearingHouseError as error:
            raise faults.fault_of(error) from error

    return handler


def _handled(desk: Desk, spec: OperationSpec, call: Call) -> bytes:
    try:
        return spec.handle(desk, call)
    except ClearingHouseError as error:
        if faults.is_fault(error.code):
            raise
        refusal = Refusal.of(error)

    def render(refused: Refusal) -> bytes:
        return results.answer(desk.bindings, call, refused)

    if spec.changes:
        return remember_refusal(desk.env, exchange_of(call), refusal, render)
    return render(refusal)
