"""Disputes as rules: the table of steps, amounts, terms, and the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain import disputes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.business_days import (
    easter_sunday,
    is_business_day,
    term_end,
)
from clearinghouse.domain.disputes import (
    FINAL,
    STEPS,
    Act,
    Case,
    Days,
    Disputed,
    DisputeState,
    Party,
    Result,
)
from clearinghouse.domain.sdrs import SdrKind, SdrStatus

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday
STOP = NOW + timedelta(days=120)
DAYS = Days(answer=15, evidence=10, decision=10)
S = DisputeState


def case(state: DisputeState = S.OPEN, **override: int | None) -> Case:
    """Make a case about 11.49."""
    values = {"net_minor": 1149, "asked_minor": None, "offered_minor": None} | override
    return Case(state=state, **values)  # type: ignore[arg-type]  # by the tests


@pytest.mark.parametrize(
    ("state", "party", "act"), list(product(DisputeState, Party, Act))
)
def test_only_steps_of_the_table_are_taken(
    state: DisputeState, party: Party, act: Act
) -> None:
    amount = 500 if act in disputes.WITH_AMOUNT else None
    found = disputes.step(case(state, offered_minor=500), party, act, amount)

    assert isinstance(found, Result) is ((state, party, act) in STEPS)
    if isinstance(found, Code):
        assert (found is codes.DISPUTE_ENDED) is (state in FINAL)


def test_every_running_state_has_a_way_on_for_the_clock_and_ends_at_last() -> None:
    for state in set(DisputeState) - FINAL:
        assert (state, Party.TIMER, Act.STOP) in STEPS
        assert disputes.due_at(state, DAYS, now=NOW, hard_stop_at=STOP)
    assert not [key for key in STEPS if key[0] in FINAL]


@pytest.mark.parametrize(
    ("asked", "state", "agreed"), [(None, S.UPHELD_CSP, 0), (600, S.SPLIT, 600)]
)
def test_acceptance_and_silence_grant_what_was_asked_for(
    asked: int | None, state: DisputeState, agreed: int
) -> None:
    for party, act in ((Party.SUBMITTER, Act.ACCEPT), (Party.TIMER, Act.LAPSE)):
        found = disputes.step(case(asked_minor=asked), party, act)

        assert isinstance(found, Result)
        assert (found.state, found.agreed_minor) == (state, agreed)


@pytest.mark.parametrize("amount", [None, 0, -1, 1149, 1150])
def test_an_offer_is_a_part_of_the_net(amount: int | None) -> None:
    refused = disputes.step(case(), Party.SUBMITTER, Act.OFFER, amount)

    assert refused is codes.DISPUTE_AMOUNT
    assert (
        disputes.step(case(), Party.SUBMITTER, Act.REJECT, 500) is codes.DISPUTE_AMOUNT
    )


_WORDS = st.lists(
    st.tuples(st.sampled_from(Party), st.sampled_from(Act), st.integers(-5, 1200)),
    max_size=30,
)


@given(_WORDS, st.one_of(st.none(), st.integers(1, 1148)))
def test_whatever_is_said_a_dispute_ends_once_with_a_part_of_the_net(
    words: list[tuple[Party, Act, int]], asked: int | None
) -> None:
    now = case(asked_minor=asked)
    ends = 0
    for party, act, number in words:
        amount = number if act in disputes.WITH_AMOUNT else None
        found = disputes.step(now, party, act, amount)
        if isinstance(found, Code):
            continue
        assert now.state not in FINAL
        assert (found.agreed_minor is None) is (found.state not in FINAL)
        if found.agreed_minor is not None:
            ends += 1
            assert 0 <= found.agreed_minor <= now.net_minor
            assert (found.agreed_minor == 0) is (found.state is S.UPHELD_CSP)
            split = 0 < found.agreed_minor < now.net_minor
            assert split is (found.state is S.SPLIT)
        now = case(found.state, asked_minor=asked, offered_minor=found.offered_minor)
    assert ends <= 1


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (S.OPEN, datetime(2026, 12, 9, tzinfo=UTC)),  # until the end of 8 December
        (S.OFFERED, datetime(2026, 12, 4, tzinfo=UTC)),
        (S.ANSWERED, datetime(2026, 12, 4, tzinfo=UTC)),
        (S.EVIDENCE, datetime(2026, 12, 4, tzinfo=UTC)),
        (S.ESCALATED, datetime(2026, 12, 4, tzinfo=UTC)),
        (S.SPLIT, None),
    ],
)
def test_each_state_has_its_term(state: DisputeState, due: datetime | None) -> None:
    assert disputes.due_at(state, DAYS, now=NOW, hard_stop_at=STOP) == due
    if due is not None:
        soon = NOW + timedelta(days=1)
        assert disputes.due_at(state, DAYS, now=NOW, hard_stop_at=soon) == soon


def test_clock_acts_at_the_term_and_not_before() -> None:
    due = NOW + timedelta(days=15)
    early = due - timedelta(microseconds=1)

    def acts(state: DisputeState, now: datetime) -> Act | None:
        return disputes.timed_act(state, now=now, due=due, hard_stop_at=STOP)

    assert acts(S.OPEN, early) is None
    assert acts(S.OPEN, due) is Act.LAPSE
    assert acts(S.ESCALATED, due) is None
    assert acts(S.ESCALATED, STOP) is Act.STOP
    assert acts(S.SPLIT, STOP) is None


@pytest.mark.parametrize(
    ("override", "faults"),
    [
        ({}, ()),
        ({"status": SdrStatus.SETTLED}, ()),
        ({"status": SdrStatus.CONFIRMED}, ()),
        ({"status": SdrStatus.REJECTED}, (codes.SDR_DECIDED,)),
        ({"status": SdrStatus.CORRECTED}, (codes.SDR_DECIDED,)),
        ({"status": SdrStatus.DISPUTED}, (codes.DISPUTE_RUNS,)),
        ({"kind": SdrKind.CREDIT}, (codes.DISPUTE_FINAL,)),
        ({"is_outcome": True}, (codes.DISPUTE_FINAL,)),
        ({"window_closed_at": NOW - timedelta(days=59)}, ()),
        ({"window_closed_at": NOW - timedelta(days=70)}, (codes.DISPUTE_LATE,)),
    ],
)
def test_what_speaks_against_a_dispute(
    override: dict[str, object], faults: tuple[Code, ...]
) -> None:
    usual = Disputed(
        kind=SdrKind.ORIGINAL,
        status=SdrStatus.DELIVERED,
        net_minor=1149,
        window_closed_at=None,
        is_outcome=False,
    )
    found = usual._replace(**override)  # type: ignore[arg-type]  # by the tests

    for asked, more in ((None, ()), (1149, (codes.DISPUTE_AMOUNT,))):
        refused = disputes.why_not_disputed(found, Terms(), asked_minor=asked, now=NOW)
        assert refused == faults + more


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 12, 24), True),
        (date(2026, 12, 25), False),
        (date(2026, 4, 3), False),
        (date(2026, 4, 6), False),
        (date(2026, 5, 1), False),
        (date(2026, 11, 21), False),
        (date(2026, 11, 23), True),
    ],
)
def test_days_off_are_weekends_and_the_closing_days_of_target(
    day: date, *, expected: bool
) -> None:
    assert is_business_day(day) is expected


@pytest.mark.parametrize(
    ("year", "sunday"),
    [
        (2024, "2024-03-31"),
        (2025, "2025-04-20"),
        (2027, "2027-03-28"),
        (2038, "2038-04-25"),
    ],
)
def test_easter_falls_where_the_calendar_says(year: int, sunday: str) -> None:
    assert easter_sunday(year).isoformat() == sunday


def test_term_that_ends_on_a_day_off_ends_with_the_next_business_day() -> None:
    before_christmas = datetime(2026, 12, 15, 12, tzinfo=UTC)

    # 25 December is a Friday: closed, as is the weekend behind it.
    assert term_end(before_christmas, 10) == datetime(2026, 12, 29, tzinfo=UTC)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds without zone
    st.integers(0, 200),
)
def test_a_term_is_never_shorter_than_its_days_nor_much_longer(
    since: datetime, days: int
) -> None:
    end = term_end(since, days)

    assert timedelta(days=days) <= end - since <= timedelta(days=days + 6)
    assert is_business_day((end - timedelta(days=1)).date())
