"""Messages of two transactions: who may go on, and what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.services.outcomes import Refusal, partly, remember_refusal
from clearinghouse.services.takeover import claimed
from clearinghouse.storage import messages
from tests.builders import make_cso, make_exchange, make_sender, seconds

if TYPE_CHECKING:
    from clearinghouse.domain.exchange import Exchange
    from clearinghouse.services.environment import Environment


@pytest.fixture
def exchange(env: Environment) -> Exchange:
    """Give a message of an operator."""
    with env.database.begin() as tx:
        return make_exchange(make_sender(make_cso(tx)))


def claim(env: Environment, exchange: Exchange, *, after_seconds: int) -> bytes | None:
    with env.database.begin() as tx:
        return claimed(
            tx, exchange, now=seconds(after_seconds), milliseconds_max=10_000
        )


def test_new_message_is_ours_to_handle(env: Environment, exchange: Exchange) -> None:
    assert claim(env, exchange, after_seconds=0) is None


def test_twin_is_told_to_wait_until_the_first_must_be_dead(
    env: Environment, exchange: Exchange
) -> None:
    claim(env, exchange, after_seconds=0)

    with pytest.raises(ClearingHouseError) as early:
        claim(env, exchange, after_seconds=10)

    assert early.value.code is codes.IN_PROGRESS
    assert claim(env, exchange, after_seconds=11) is None


def test_answered_message_is_answered_again(
    env: Environment, exchange: Exchange
) -> None:
    claim(env, exchange, after_seconds=0)
    with env.database.begin() as tx:
        messages.remember(tx, exchange, b"<answer/>", at=seconds(1))

    assert claim(env, exchange, after_seconds=2) == b"<answer/>"


def test_refusal_is_remembered_and_a_later_one_gives_way(
    env: Environment, exchange: Exchange
) -> None:
    refusal = Refusal(code=codes.EVSE_UNKNOWN)

    first = remember_refusal(env, exchange, refusal, lambda _: b"<first/>")
    second = remember_refusal(env, exchange, refusal, lambda _: b"<second/>")

    assert (first, second) == (b"<first/>", b"<first/>")


def test_refusal_that_may_be_tried_again_is_not_remembered(
    env: Environment, exchange: Exchange
) -> None:
    refusal = Refusal(code=codes.PARTNER_BUSY)

    remember_refusal(env, exchange, refusal, lambda _: b"<busy/>")

    assert claim(env, exchange, after_seconds=0) is None


def test_list_with_items_was_taken_partly() -> None:
    refused = Refusal.of(ClearingHouseError(codes.EVSE_UNKNOWN, "secret"))

    assert refused == Refusal(code=codes.EVSE_UNKNOWN)
    assert partly(()) is codes.OK
    assert partly((Item(code=codes.EVSE_UNKNOWN),)) is codes.PARTLY
