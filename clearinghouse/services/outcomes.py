"""What became of a message that changes something, before a façade words it.

A refusal is a value like any other outcome: it is stored under the message's id and
given again when the message is repeated (contract: Style).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange
from clearinghouse.services.environment import Environment
from clearinghouse.storage import messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Carried out; ``items`` are remarks, or what was not taken of a list."""

    code: Code = codes.OK
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Not carried out, and why."""

    code: Code
    items: tuple[Item, ...] = ()

    @classmethod
    def of(cls, error: ClearingHouseError) -> Refusal:
        """Return an error as the outcome it is for the sender."""
        return cls(code=error.code, items=error.items)


def partly(items: tuple[Item, ...]) -> Code:
    """Return the code of a list: all of it was taken, or not the items named."""
    return codes.PARTLY if items else codes.OK


def remember_refusal(
    env: Environment,
    exchange: Exchange,
    refusal: Refusal,
    render: Callable[[Refusal], bytes],
) -> bytes:
    """Store a refusal whose transaction was rolled back, and return the answer.

    One that says "try again" is not stored, or the same message could never succeed.
    """
    if refusal.code.retryable:
        return render(refusal)
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        answer = render(refusal)
        messages.remember(tx, exchange, answer, at=env.clock.now())
    return answer
