"""Idempotency of messages: a twin waits, then hears the same answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.codes import DUPLICATE_CONFLICT, IN_PROGRESS
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import messages
from tests.builders import NOW, make_csp, make_exchange, make_sender, seconds
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from clearinghouse.domain.exchange import Exchange
    from clearinghouse.storage.database import Database
    from tests.fixtures.database import Site


@pytest.fixture
def exchange(database: Database) -> Exchange:
    with database.begin() as tx:
        return make_exchange(make_sender(make_csp(tx)))


def test_exact_repeat_gets_the_stored_answer(
    database: Database, exchange: Exchange
) -> None:
    with database.begin() as tx:
        assert messages.claim(tx, exchange) is None
        messages.remember(tx, exchange, b"<answer/>", at=NOW)

    with database.begin() as tx:
        assert messages.claim(tx, exchange) == b"<answer/>"


def test_same_id_of_another_sender_is_another_message(
    database: Database, exchange: Exchange
) -> None:
    with database.begin() as tx:
        messages.claim(tx, exchange)
        other = replace(exchange, sender=make_sender(make_csp(tx, "FRXYZ")))

        assert messages.claim(tx, other) is None


@pytest.mark.parametrize(
    "change", [{"digest": sha256(b"x").digest()}, {"operation": "PutStatus"}]
)
def test_refuses_id_that_was_used_with_another_body(
    database: Database, exchange: Exchange, change: dict[str, Any]
) -> None:
    with database.begin() as tx:
        messages.claim(tx, exchange)
        messages.remember(tx, exchange, b"<answer/>", at=NOW)

    with pytest.raises(ClearingHouseError) as caught, database.begin() as tx:
        messages.claim(tx, replace(exchange, **change))

    assert caught.value.code is DUPLICATE_CONFLICT


def test_message_that_lost_its_answer_is_told_apart(
    database: Database, exchange: Exchange
) -> None:
    with database.begin() as tx:
        messages.claim(tx, exchange)

    with database.begin() as tx:
        assert messages.claim(tx, exchange) == messages.Unanswered(NOW)
        messages.remember(tx, exchange, b"<late/>", at=seconds(1))
        assert messages.claim(tx, exchange) == b"<late/>"


def test_rolled_back_message_was_never_there(
    database: Database, exchange: Exchange
) -> None:
    def fail() -> None:
        with database.begin() as tx:
            messages.claim(tx, exchange)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with database.begin() as tx:
        assert messages.claim(tx, exchange) is None


def test_answer_is_found_without_a_claim(
    database: Database, exchange: Exchange
) -> None:
    with database.begin() as tx:
        assert messages.answered(tx, exchange) is None
        messages.claim(tx, exchange)
        assert messages.answered(tx, exchange, for_update=True) is None
        messages.remember(tx, exchange, b"<answer/>", at=NOW)
        assert messages.answered(tx, exchange, for_update=True) == b"<answer/>"

    other = replace(exchange, digest=sha256(b"x").digest())
    with pytest.raises(ClearingHouseError), database.begin() as tx:
        messages.answered(tx, other)


def test_answer_needs_a_claim(database: Database, exchange: Exchange) -> None:
    with database.begin() as tx, pytest.raises(LookupError):
        messages.remember(tx, exchange, b"<answer/>", at=NOW)


def test_twin_waits_for_the_first_and_hears_its_answer(
    site: Site, database: Database, exchange: Exchange
) -> None:
    def twin() -> bytes | messages.Unanswered | None:
        with database.begin() as tx:
            return messages.claim(tx, exchange)

    with ThreadPoolExecutor(1) as pool:
        with database.begin() as tx:
            assert messages.claim(tx, exchange) is None
            waiting = pool.submit(twin)
            site.until_locked_out(waiting)
            messages.remember(tx, exchange, b"<answer/>", at=NOW)
        assert waiting.result(PATIENCE_SECONDS) == b"<answer/>"


def test_twin_goes_on_when_the_first_rolled_back(
    site: Site, database: Database, exchange: Exchange
) -> None:
    def twin() -> bytes | messages.Unanswered | None:
        with database.begin() as tx:
            return messages.claim(tx, exchange)

    with ThreadPoolExecutor(1) as pool:
        with database.begin() as tx, tx.begin_nested() as point:
            messages.claim(tx, exchange)
            waiting = pool.submit(twin)
            site.until_locked_out(waiting)
            point.rollback()
        assert waiting.result(PATIENCE_SECONDS) is None


@pytest.mark.usefixtures("usual_budgets")
def test_twin_that_waits_too_long_is_told_to_come_again(
    database: Database, exchange: Exchange
) -> None:
    with database.begin() as tx:
        messages.claim(tx, exchange)

        with (
            pytest.raises(ClearingHouseError) as caught,
            database.begin("realtime") as twin,
        ):
            messages.claim(twin, exchange)

    assert caught.value.code is IN_PROGRESS
    assert caught.value.code.retryable
