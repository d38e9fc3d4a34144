"""Deliveries: what is tried again, when, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.outbox import (
    AWAY,
    BACKOFF_MAX_MILLISECONDS,
    NOT_SENT_MILLISECONDS,
    SERVICE_OF,
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryState,
    NextStep,
    backoff_milliseconds,
    next_step,
)
from tests.domain.builders import NOW


def longest(below: int) -> int:
    """Draw the longest wait."""
    return below - 1


def after(
    outcome: Attempt, *, attempts: int = 0, age: timedelta = timedelta(0)
) -> NextStep:
    delivery = Delivery(attempts=attempts, created_at=NOW - age)
    return next_step(outcome, delivery, now=NOW, randbelow=longest)


@pytest.mark.parametrize(
    ("attempts", "longest_wait"),
    [(1, 1_000), (2, 2_000), (5, 16_000), (10, 512_000), (11, 600_000), (99, 600_000)],
)
def test_wait_doubles_from_one_second_to_ten_minutes(
    attempts: int, longest_wait: int
) -> None:
    assert backoff_milliseconds(attempts, longest) == longest_wait
    assert backoff_milliseconds(attempts, lambda _: 0) == 0


def test_what_is_taken_or_moot_is_done_and_taken_shows_that_the_partner_is_there() -> (
    None
):
    taken, moot = after(Attempt.TAKEN, attempts=3), after(Attempt.MOOT, attempts=3)

    assert taken == NextStep(state=DeliveryState.DONE, attempts=4, reached=True)
    assert moot == NextStep(state=DeliveryState.DONE, attempts=4, reached=False)


def test_each_kind_is_taken_by_a_service_of_the_partner() -> None:
    assert set(SERVICE_OF) == set(DeliveryKind)


def test_a_partner_that_refuses_was_not_away() -> None:
    away = {
        outcome
        for outcome in Attempt
        if (error := after(outcome).error) is not None and error.number in AWAY
    }

    assert away == {
        Attempt.TIMED_OUT,
        Attempt.UNREACHABLE,
        Attempt.FAULTED,
        Attempt.NOT_SENT,
        Attempt.NO_ENDPOINT,
    }


def test_refusal_for_good_is_not_repeated() -> None:
    step = after(Attempt.REFUSED)

    assert step.state is DeliveryState.DEAD
    assert step.error is codes.PARTNER_REFUSED
    assert step.run_at is None


@pytest.mark.parametrize(
    "outcome",
    [
        Attempt.REFUSED_FOR_NOW,
        Attempt.TIMED_OUT,
        Attempt.UNREACHABLE,
        Attempt.FAULTED,
        Attempt.NO_ENDPOINT,
    ],
)
def test_everything_else_is_tried_again_for_a_day(outcome: Attempt) -> None:
    young = after(outcome, attempts=1, age=timedelta(hours=23, minutes=59))
    old = after(outcome, attempts=1, age=timedelta(hours=24))

    assert young.state is DeliveryState.READY
    assert young.attempts == 2
    assert young.run_at == NOW + timedelta(seconds=2)
    assert old.state is DeliveryState.DEAD
    assert old.error is not None


def test_delivery_that_was_not_sent_costs_no_attempt() -> None:
    step = after(Attempt.NOT_SENT, attempts=5)

    assert step.attempts == 5
    assert step.run_at == NOW + timedelta(milliseconds=NOT_SENT_MILLISECONDS)


@given(
    outcome=st.sampled_from(Attempt),
    attempts=st.integers(0, 1000),
    age_seconds=st.integers(0, 200_000),
    data=st.data(),
)
def test_every_delivery_ends_or_runs_within_ten_minutes(
    outcome: Attempt, attempts: int, age_seconds: int, data: st.DataObject
) -> None:
    delivery = Delivery(
        attempts=attempts, created_at=NOW - timedelta(seconds=age_seconds)
    )

    step = next_step(
        outcome,
        delivery,
        now=NOW,
        randbelow=lambda below: data.draw(st.integers(0, below - 1)),
    )

    if step.state is DeliveryState.READY:
        assert step.run_at is not None
        longest_wait = timedelta(milliseconds=BACKOFF_MAX_MILLISECONDS)
        assert NOW <= step.run_at <= NOW + longest_wait
    else:
        assert step.run_at is None
        assert step.state in (DeliveryState.DONE, DeliveryState.DEAD)
