"""The circuit breaker: when it opens, what it lets pass, how it closes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.link import (
    OPEN_MAX_SECONDS,
    PROBE_LIMIT,
    RECENT_CALLS,
    Link,
    LinkState,
    admit,
    failed,
    succeeded,
)
from tests.domain.builders import NOW, seconds


def broken() -> Link:
    link = Link()
    for _ in range(5):
        link = failed(link, NOW)
    return link


def test_five_failures_in_a_row_open_it() -> None:
    link = Link()
    for _ in range(4):
        link = failed(link, NOW)

    assert link.state is LinkState.CLOSED
    assert failed(link, NOW).state is LinkState.OPEN


def test_success_between_failures_keeps_it_closed() -> None:
    link = Link()
    for _ in range(4):
        link = failed(link, NOW)
    link = failed(succeeded(link, NOW), NOW)

    assert link.state is LinkState.CLOSED
    assert link.consecutive_failures == 1


def mixed(step_milliseconds: int) -> Link:
    """Return the link after 20 calls of which 12 fail, never five in a row."""
    link = Link()
    at = NOW
    for number in range(20):
        at += timedelta(milliseconds=step_milliseconds)
        answers = number % 5 in (1, 3)
        link = succeeded(link, at) if answers else failed(link, at)
        if link.state is LinkState.OPEN:
            return link
    return link


def test_more_than_half_of_twenty_calls_within_ten_seconds_open_it() -> None:
    assert mixed(100).state is LinkState.OPEN


def test_the_same_failures_over_a_longer_time_do_not() -> None:
    assert mixed(1_000).state is LinkState.CLOSED


def test_open_link_refuses_until_its_pause_is_over() -> None:
    early, _ = admit(broken(), NOW + seconds(4))
    late, probing = admit(broken(), NOW + seconds(5))

    assert not early
    assert late
    assert probing.state is LinkState.PROBING


def test_one_probe_at_a_time() -> None:
    _, probing = admit(broken(), NOW + seconds(5))

    second, _ = admit(probing, NOW + seconds(6))

    assert not second


def test_lost_probe_does_not_keep_the_link_shut() -> None:
    _, probing = admit(broken(), NOW + seconds(5))

    again, _ = admit(probing, NOW + seconds(5) + PROBE_LIMIT)

    assert again


def test_answered_probe_closes_it_and_forgets() -> None:
    _, probing = admit(broken(), NOW + seconds(5))

    assert succeeded(probing, NOW + seconds(6)) == Link()


def test_failed_probes_double_the_pause_up_to_a_minute() -> None:
    link = broken()
    at = NOW
    pauses = []
    for _ in range(6):
        pauses.append(link.open_seconds)
        at += seconds(link.open_seconds)
        _, link = admit(link, at)
        link = failed(link, at)

    assert pauses == [5, 10, 20, 40, 60, 60]


def test_late_answers_to_earlier_calls_decide_nothing() -> None:
    link = broken()

    assert succeeded(link, NOW + seconds(1)) == link
    assert failed(link, NOW + seconds(1)).open_until == link.open_until


@given(st.lists(st.tuples(st.sampled_from("asf"), st.integers(0, 30)), max_size=60))
def test_link_is_never_shut_for_longer_than_a_minute(
    story: list[tuple[str, int]],
) -> None:
    link = Link()
    at = NOW
    for action, pause in story:
        at += seconds(pause)
        if action == "a":
            _, link = admit(link, at)
        else:
            link = succeeded(link, at) if action == "s" else failed(link, at)

        assert len(link.recent) <= RECENT_CALLS
        if link.state is LinkState.CLOSED:
            assert link.open_until is None
        else:
            assert link.open_until is not None
            assert link.open_until - at <= seconds(OPEN_MAX_SECONDS)


@pytest.mark.parametrize("state", LinkState)
def test_every_state_answers_in_the_end(state: LinkState) -> None:
    link = Link(state=state, open_until=NOW, open_seconds=5)

    allowed, _ = admit(link, NOW + seconds(60))

    assert allowed
