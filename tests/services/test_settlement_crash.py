"""A close that is killed at any step, and windows cut over under load."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import Model, RunState
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import (
    run_payments,
    settlement,
    settlement_runs,
    statements,
)
from clearinghouse.services.settlement_runs import Wish
from clearinghouse.storage import ledger, tariffs
from clearinghouse.storage.tables.settlement import statement
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_agreement, make_participant, make_sender
from tests.fixtures.operators import make_operators
from tests.services.sdr_world import (
    SINCE,
    World,
    count_of,
    make_sdr,
    make_world,
    price,
    spanning,
)
from tests.services.settling import BOOKS, kill_writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def killer(site: Site) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with site.superuser() as admin:
        yield admin
        kill_writers(admin, None)


#: Each is a step of the closing transaction, by the table that it writes first.
STEPS = [
    "clearing.settlement",
    "clearing.settlement_pair",
    "clearing.settlement_position",
    "clearing.posting",
    "clearing.document_series",
    "clearing.document",
    "clearing.document_line",
    "clearing.document_vat",
    "clearing.statement",
    "clearing.settlement_window",
    "audit.entry",
]


@pytest.mark.parametrize("table", STEPS)
def test_a_close_killed_at_a_step_leaves_nothing_and_can_be_run_again(
    world: World, killer: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    world.submit([world.session()])
    settlement._cut_over(world.env, "2026-12")  # noqa: SLF001 -- the first of its steps
    kill_writers(killer, table)

    with pytest.raises(ClearingHouseError) as caught:
        world.close("2026-12")

    assert caught.value.code is codes.UNAVAILABLE
    kill_writers(killer, None)
    window = settlement.windows(world.env)[1]
    assert window.state is WindowState.CUTOVER
    for books in BOOKS:
        assert count_of(world, books) == 0

    closing = world.close("2026-12")

    assert closing.window.state is WindowState.CLOSED
    assert closing.statements == 2
    assert settlement.prove(world.env, window.window_id) == ()
    again = world.close("2026-12")
    assert again.settlements == closing.settlements


def test_a_close_killed_in_the_cutover_leaves_the_window_open(
    world: World, killer: psycopg.Connection[tuple[object, ...]]
) -> None:
    world.submit([world.session()])
    kill_writers(killer, "clearing.settlement_window")
    with pytest.raises(ClearingHouseError):
        world.close("2026-12")
    kill_writers(killer, None)

    (window,) = settlement.windows(world.env)
    assert window.state is WindowState.OPEN
    assert world.close("2026-12").window.window_id == window.window_id


def test_finishing_a_broken_close_does_not_end_the_next_window(
    world: World,
) -> None:
    world.submit([world.session()])
    settlement._cut_over(world.env, "2026-12")  # noqa: SLF001 -- and then it is killed

    closing = world.close("2027-01")

    assert closing.window.label == "2026-11"
    assert closing.next_window is not None
    assert closing.next_window.label == "2026-12"


def test_a_close_killed_before_the_documents_issues_them_later(
    world: World,
) -> None:
    world.submit([world.session()])
    settlement.close_window(world.env, next_label="2026-12")
    sender = make_sender(world.cso)
    page = statements.list_statements(world.env, sender, cursor=None, limit=10)
    assert page.items == ()

    assert statements.issue_pending(world.env) == 2

    page = statements.list_statements(world.env, sender, cursor=None, limit=10)
    assert len(page.items) == 1


def test_no_sdr_is_lost_while_windows_are_cut_over_under_load(
    env: Environment,
) -> None:
    world = make_world(env, terms=Terms(match_required=False))
    submitters = _submitters(world, 3)
    done = threading.Event()
    accepted: list[int] = []
    threads = [
        threading.Thread(target=_submit_until, args=(world, one, done, accepted))
        for one in submitters
    ]
    for thread in threads:
        thread.start()
    for number in range(8):
        settlement.close_window(world.env, next_label=f"W-{number}")
    done.set()
    for thread in threads:
        thread.join()
    settlement.close_window(world.env, next_label="W-last")

    closed = [w for w in settlement.windows(world.env) if w.state is WindowState.CLOSED]
    assert len(closed) == 9
    settled = sum(
        one.sdr_count
        for window in closed
        for one in settlement.settlements(world.env, window.window_id)
    )
    assert settled == sum(accepted) > 0
    for window in closed:
        assert settlement.prove(world.env, window.window_id) == ()
    _settle_all(world, 49 * settled)


def _settle_all(world: World, owed_minor: int) -> None:
    """Pay all windows in one run: what was accepted arrives, and nothing is left."""
    anna, _ = make_operators(world.env)
    wish = Wish(currency="EUR", model=Model.MULTILATERAL)
    run = settlement_runs.propose(world.env, anna, wish)
    steps = (settlement_runs.record, settlement_runs.reserve, settlement_runs.commit)
    for step in steps:
        step(world.env, anna, run.run_id)
    while due := run_payments.due_payments(world.env, run.run_id):
        for payment in due:
            run_payments.confirm(
                world.env,
                payment.transfer.end_to_end_id,
                amount_minor=payment.open_minor,
                booked_at=NOW,
                reference="B",
            )
    shown = settlement_runs.show(world.env, run.run_id)
    assert (shown.run.state, shown.run.moved_minor) == (RunState.SETTLED, owed_minor)
    assert len(shown.windows) == 9
    with world.env.database.begin_read_only() as tx:
        assert set(ledger.balances(tx).values()) == {0}


def _submitters(world: World, number: int) -> list[Participant]:
    people = []
    with world.env.database.begin() as tx:
        for place in range(number):
            person = make_participant(tx, party_id=f"ITV{place:02d}")
            terms = Terms(match_required=False, overlap_seconds_max=10**6)
            make_agreement(tx, person, world.csp, valid_from=SINCE, terms=terms)
            collecting = Terms(collects=True)
            make_agreement(tx, world.cso, person, valid_from=SINCE, terms=collecting)
            published = Publication(
                publisher_id=person.participant_id, tariff=price(490_000)
            )
            tariffs.publish(tx, published, at=SINCE)
            people.append(person)
    return people


def _submit_until(
    world: World, person: Participant, done: threading.Event, accepted: list[int]
) -> None:
    place = 0
    while not done.is_set():
        place += 1
        start = NOW - timedelta(hours=2, minutes=place % 30)
        record = spanning(make_sdr(cso_id="CHREP"), start, minutes=5, energy_wh=1_000)
        record.claimed_net = Decimal("0.49")
        outcome = world.submit([record], sender=person)
        accepted.append(outcome.counts.accepted)


def test_two_closers_at_once_close_one_window(world: World) -> None:
    world.submit([world.session()])
    closings: list[settlement.Closing] = []
    threads = [
        threading.Thread(target=lambda: closings.append(world.close("2026-12")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {closing.window.window_id for closing in closings} == {1}
    assert [w.label for w in settlement.windows(world.env)] == ["2026-12", "2026-11"]
    assert count_of(world, statement) == 2
