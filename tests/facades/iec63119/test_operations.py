"""How operations are joined to use cases: refusals, faults, senders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.facades.iec63119 import results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    mounted,
)
from clearinghouse.services.outcomes import Done
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.operations import Call
from clearinghouse.storage import messages
from tests.builders import make_exchange, make_sender

if TYPE_CHECKING:
    from clearinghouse.contract.catalogue import Contract
    from clearinghouse.services.environment import Environment
    from clearinghouse.soap.operations import Operation
    from tests.fixtures.roaming import Roaming


@dataclass(frozen=True)
class Sent:
    """The content of a message, known by its digest."""

    known: bytes

    def digest(self) -> bytes:
        """Return the digest that it was made with."""
        return self.known


@pytest.fixture
def desk(env: Environment, contract: Contract) -> Desk:
    """Give a desk over the test's own database."""
    return Desk(env, Bindings(contract.model))


def operation(desk: Desk, error: ClearingHouseError, *, changes: bool) -> Operation:
    """Return an operation whose handler always meets this error."""

    def handle(_desk: Desk, _call: Call) -> bytes:
        raise error

    spec = OperationSpec(
        service="directory", name="PutEndpoints", handle=handle, changes=changes
    )
    (bound,) = mounted(desk, [spec])
    return bound


def call_of(roaming: Roaming, desk: Desk, bound: Operation) -> Call:
    header = desk.bindings.new(
        "common:ExchangeHeader",
        message_id=str(uuid4()),
        sender_id="CHREP",
        created_at=desk.env.clock.now(),
    )
    body = desk.bindings.new("directory:PutEndpointsRequest", endpoint=[])
    return Call(
        operation=bound,
        header=header,
        body=body,
        stream=None,
        sender=make_sender(roaming.cso),
        content=Sent(bytes(32)),
        correlation_id=uuid4(),
        received_at=desk.env.clock.now(),
        remote_address="",
    )


def stored(env: Environment, call: Call) -> bytes | None:
    with env.database.begin_read_only() as tx:
        return messages.answered(tx, exchange_of(call))


def test_business_error_becomes_an_answer_that_is_remembered(
    roaming: Roaming, desk: Desk
) -> None:
    bound = operation(desk, ClearingHouseError(codes.EVSE_UNKNOWN), changes=True)
    call = call_of(roaming, desk, bound)

    answer = bound.handler(call)

    assert isinstance(answer, bytes)
    assert b">500<" in answer
    assert stored(desk.env, call) == answer


def test_error_that_says_try_again_is_not_remembered(
    roaming: Roaming, desk: Desk
) -> None:
    bound = operation(desk, ClearingHouseError(codes.PARTNER_SILENT), changes=True)
    call = call_of(roaming, desk, bound)

    bound.handler(call)

    assert stored(desk.env, call) is None


def test_refusal_of_a_query_is_not_remembered(roaming: Roaming, desk: Desk) -> None:
    bound = operation(desk, ClearingHouseError(codes.NO_AGREEMENT), changes=False)
    call = call_of(roaming, desk, bound)

    bound.handler(call)

    assert stored(desk.env, call) is None


def test_house_error_becomes_a_fault(roaming: Roaming, desk: Desk) -> None:
    bound = operation(desk, ClearingHouseError(codes.UNAVAILABLE, "disk"), changes=True)

    with pytest.raises(SoapFault) as fault:
        bound.handler(call_of(roaming, desk, bound))

    assert fault.value.code is codes.UNAVAILABLE
    assert fault.value.detail == "disk"


def test_refusal_under_a_used_message_id_is_a_conflict(
    roaming: Roaming, desk: Desk
) -> None:
    bound = operation(desk, ClearingHouseError(codes.EVSE_UNKNOWN), changes=True)
    call = call_of(roaming, desk, bound)
    bound.handler(call)

    with pytest.raises(SoapFault) as fault:
        bound.handler(replace(call, content=Sent(b"x" * 32)))

    assert fault.value.code is codes.DUPLICATE_CONFLICT


def test_message_without_a_sender_reaches_no_use_case(
    roaming: Roaming, desk: Desk
) -> None:
    def handle(given: Desk, call: Call) -> bytes:
        exchange_of(call)
        return results.answer(given.bindings, call, Done())

    spec = OperationSpec(
        service="directory", name="PutEndpoints", handle=handle, changes=True
    )
    (bound,) = mounted(desk, [spec])

    with pytest.raises(SoapFault) as fault:
        bound.handler(replace(call_of(roaming, desk, bound), sender=None))

    assert fault.value.code is codes.NOT_AUTHORISED


def test_exchange_is_what_header_and_engine_say(roaming: Roaming, desk: Desk) -> None:
    bound = operation(desk, ClearingHouseError(codes.EVSE_UNKNOWN), changes=True)
    call = call_of(roaming, desk, bound)

    exchange = exchange_of(call)

    expected = make_exchange(
        make_sender(roaming.cso),
        message_id=results.uuid_of(call.header.message_id),
        operation="PutEndpoints",
        digest=call.digest,
        correlation_id=call.correlation_id,
        created_at=call.header.created_at,
        received_at=call.received_at,
    )
    assert exchange == expected
