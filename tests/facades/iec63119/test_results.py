"""Answers: the result, its items, and what a refusal leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.errors import Item
from clearinghouse.facades.iec63119 import results
from clearinghouse.services.outcomes import Done, Refusal
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.operations import Call, Operation
from clearinghouse.soap.parser import parse_own
from tests.builders import NOW

if TYPE_CHECKING:
    from clearinghouse.services.outcomes import Done as AnyOutcome

CONTRACT = Contract.load()
BINDINGS = Bindings(CONTRACT.model)
CORRELATION = UUID(int=7)


def call(service: str = "credential", name: str = "PutCredentials") -> Call:
    operation = Operation(service=service, name=name, handler=lambda _: b"")
    nothing: Any = None
    return Call(
        operation=operation,
        header=nothing,
        body=nothing,
        stream=None,
        sender=None,
        content=nothing,
        correlation_id=CORRELATION,
        received_at=NOW,
        remote_address="",
    )


def answered(outcome: AnyOutcome | Refusal, **fields: object) -> etree._Element:
    return parse_own(results.answer(BINDINGS, call(), outcome, **fields))


def texts(element: etree._Element, name: str) -> list[str | None]:
    return [one.text for one in element.iterfind(f".//{{*}}{name}")]


def test_result_has_code_text_and_correlation_id() -> None:
    element = answered(Done(code=codes.LIST_STAGED), state="STAGED")

    assert texts(element, "code") == ["102"]
    assert texts(element, "text") == [codes.LIST_STAGED.text]
    assert texts(element, "retryable") == ["false"]
    assert texts(element, "correlationId") == [str(CORRELATION)]
    assert texts(element, "state") == ["STAGED"]


def test_refusal_has_no_business_part() -> None:
    element = answered(Refusal(code=codes.CREDENTIAL_LIST_PARTS), state="STAGED")

    assert texts(element, "state") == []


def test_item_beyond_the_thousandth_is_counted_only() -> None:
    items = tuple(Item(code=codes.EVSE_FIELD, index=n) for n in range(1003))

    element = answered(Done(code=codes.PARTLY, items=items))

    assert len(texts(element, "index")) == 1000
    assert texts(element, "itemsOmitted") == ["3"]


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_said_about_an_item_the_answer_stays_valid(
    path: str, expected: str, found: str
) -> None:
    item = Item(code=codes.EVSE_FIELD, path=path, expected=expected, found=found)

    element = answered(Done(code=codes.PARTLY, items=(item,)))

    schema = CONTRACT.schema("credential")
    assert schema.validate(element), schema.error_log


@pytest.mark.parametrize("given_", [UUID(int=5), str(UUID(int=5))])
def test_uuid_of_a_header_is_read_as_text_or_value(given_: object) -> None:
    assert results.uuid_of(given_) == UUID(int=5)
