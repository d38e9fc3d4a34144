"""Answers: the ``result`` of level 1 and the fields of level 2 beside it.

Texts come from the catalogue; what is said about an item is cut to the schema's length
and holds nothing that the schema refuses in a text, so that no value of a message can
make an answer that its receiver cannot read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast
from uuid import UUID

from clearinghouse.codes import Code
from clearinghouse.domain.errors import Item
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.operations import Call
from clearinghouse.texts import readable

#: Items of one answer; the rest is counted in ``itemsOmitted``.
ITEMS_MAX = 1_000
#: Characters of each text of an item, as the schema has it.
TEXT_MAX = 200

#: From this code on the answer has no business part.
_REFUSED_FROM = 200


class Outcome(Protocol):
    """What every outcome of a service says of itself."""

    @property
    def code(self) -> Code:
        """What became of the message."""

    @property
    def items(self) -> tuple[Item, ...]:
        """What is to be said about single items of it."""


def answer(bindings: Bindings, call: Call, outcome: Outcome, **fields: object) -> bytes:
    """Return the response element of a call's operation.

    ``fields`` are its elements beside ``result``, in snake case. They are left out of a
    refusal, for then they mean nothing.
    """
    code = outcome.code
    kept = fields if code.number < _REFUSED_FROM else {}
    name = f"{call.operation.service}:{call.operation.name}Response"
    record = bindings.new(
        name, result=result(bindings, call, code, items=outcome.items), **kept
    )
    return bindings.write(record)


def result(
    bindings: Bindings, call: Call, code: Code, *, items: Sequence[Item] = ()
) -> Record:
    """Return the ``result`` element of an answer."""
    omitted = len(items) - ITEMS_MAX
    return bindings.new(
        "common:Result",
        code=code.number,
        text=code.text,
        retryable=code.retryable,
        correlation_id=call.correlation_id,
        item=[result_item(bindings, item) for item in items[:ITEMS_MAX]],
        items_omitted=omitted if omitted > 0 else None,
    )


def result_item(bindings: Bindings, item: Item) -> Record:
    """Return what is said about one item."""
    return bindings.new(
        "common:ResultItem",
        index=item.index,
        code=item.code.number,
        rule=item.rule,
        text=item.code.text,
        path=cleaned(item.path),
        expected=cleaned(item.expected),
        found=cleaned(item.found),
        rule_version=item.rule_version,
    )


def uuid_of(text: object) -> UUID:
    """Return a UUID that the schema has accepted."""
    return text if isinstance(text, UUID) else UUID(cast("str", text))


def cleaned(text: str) -> str | None:
    """Return a text as the schema takes it; ``None`` for an empty one."""
    return readable(text)[:TEXT_MAX] or None
