"""Participants, their links, and the lists they upload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.credentials import is_held
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import (
    Connection,
    Participant,
    ParticipantStatus,
    connection,
    is_skewed,
    skew_milliseconds,
)
from tests.domain.builders import NOW, seconds


@pytest.mark.clause("4.2-dual")
def test_one_participant_may_hold_both_roles_and_several_ids() -> None:
    both = Participant(
        participant_id=1,
        party_id="CHVIS",
        name="Visited",
        roles=frozenset(Role),
        country="CH",
        aliases=frozenset({"DE823"}),
    )

    assert both.is_active
    assert both.owns("CHVIS")
    assert both.owns("DE823")
    assert not both.owns("DE824")


def test_suspended_participant_is_not_active() -> None:
    suspended = Participant(
        participant_id=1,
        party_id="CHVIS",
        name="Visited",
        roles=frozenset({Role.CSO}),
        country="CH",
        status=ParticipantStatus.SUSPENDED,
    )

    assert not suspended.is_active


@pytest.mark.parametrize(
    ("silence", "expected"),
    [(None, Connection.UNKNOWN), (900, Connection.ONLINE), (901, Connection.OFFLINE)],
)
def test_three_missed_heartbeats_are_offline(
    silence: int | None, expected: Connection
) -> None:
    last = None if silence is None else NOW - seconds(silence)

    assert connection(last, now=NOW, period_seconds=300) is expected


def test_skew_is_positive_when_the_partner_runs_ahead() -> None:
    assert skew_milliseconds(NOW + seconds(6), NOW) == 6_000
    assert skew_milliseconds(NOW, NOW + seconds(6)) == -6_000
    assert is_skewed(-6_000)
    assert not is_skewed(5_000)


@pytest.mark.parametrize(
    ("present", "removed", "held"),
    [(0, 0, False), (10, 5, False), (10, 6, True), (1, 1, True), (3, 1, False)],
)
def test_list_that_would_remove_more_than_half_is_held(
    present: int, removed: int, *, held: bool
) -> None:
    assert is_held(present=present, removed=removed) is held


@given(st.integers(1, 10**6))
def test_empty_list_is_always_held(present: int) -> None:
    assert is_held(present=present, removed=present)
