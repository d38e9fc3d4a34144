"""A batch as a whole: control totals, sequence, repeats, and all or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.services import sdr_batch, sdr_intake
from clearinghouse.services.sdr_batch import Unreadable
from clearinghouse.services.sdr_intake import Submitted
from clearinghouse.storage.tables import sdrs as tables
from clearinghouse.storage.tables.messages import message as message_table
from clearinghouse.storage.tables.messages import outbox
from tests.builders import NOW, make_agreement, make_sender
from tests.services.sdr_world import (
    World,
    count_of,
    make_sdr,
    make_world,
    message,
    spanning,
    totals_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site


#: What a batch writes.
WRITTEN = (
    tables.sdr,
    tables.sdr_key,
    tables.sdr_batch,
    tables.rule_hit,
    tables.refused_sdr,
    outbox,
    message_table,
)


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def lax_world(env: Environment) -> World:
    """Agreements that ask for no session."""
    return make_world(env, terms=Terms(match_required=False))


def test_refuses_control_totals_that_differ_and_stores_nothing(world: World) -> None:
    record = world.session()
    wrong = replace(totals_of([record]), energy_wh=23_457)

    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([record], control=wrong)

    assert caught.value.code is codes.SDR_BATCH_CONTROL
    item = caught.value.items[0]
    assert (item.rule, item.path) == ("B-003", "control/energyWh")
    assert (item.expected, item.found) == ("23456", "23457")
    for table in WRITTEN:
        assert count_of(world, table) == 0
    assert world.submit([record]).counts.accepted == 1


def test_compares_only_the_count_when_a_record_cannot_be_read(world: World) -> None:
    broken = Unreadable(sdr_id=None, items=(Item(code=codes.SDR_FIELD),))
    record = world.session()
    declared = replace(totals_of([record, broken]), energy_wh=99)

    assert world.submit([record, broken], control=declared).counts.accepted == 1
    with pytest.raises(ClearingHouseError) as caught:
        world.submit([record, broken], control=replace(declared, count=3))
    assert caught.value.items[0].path == "control/count"


@pytest.mark.parametrize("sequence", [2, 3, 99])
def test_refuses_a_gap_in_the_batch_sequence(world: World, sequence: int) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([], sequence=sequence)

    assert caught.value.code is codes.SDR_BATCH_SEQUENCE
    item = caught.value.items[0]
    assert (item.rule, item.expected, item.found) == ("B-004", "1", str(sequence))


def test_the_same_sequence_with_the_same_content_replays_the_answer(
    world: World,
) -> None:
    record = world.session()
    sender = make_sender(world.cso)
    first = message(sender)
    again = replace(message(sender), digest=first.digest)

    world.submit_raw([record], exchange=first, render=lambda _: b"<first/>")
    answer = world.submit_raw(
        [record], sequence=1, exchange=again, render=lambda _: b"<second/>"
    )

    assert answer == b"<first/>"
    assert count_of(world, tables.sdr) == 1


def test_the_same_sequence_with_other_content_is_refused(world: World) -> None:
    world.submit([world.session()])

    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([world.session()], sequence=1)

    assert caught.value.code is codes.SDR_BATCH_SEQUENCE
    assert count_of(world, tables.sdr) == 1


def test_the_same_message_replays_the_answer(world: World) -> None:
    exchange = message(make_sender(world.cso))
    record = world.session()

    world.submit_raw([record], exchange=exchange, render=lambda _: b"<first/>")
    answer = world.submit_raw(
        [record], sequence=1, exchange=exchange, render=lambda _: b"<second/>"
    )

    assert answer == b"<first/>"


def test_the_same_message_id_with_another_body_is_a_conflict(world: World) -> None:
    exchange = message(make_sender(world.cso))
    world.submit_raw([], exchange=exchange)

    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([], exchange=replace(exchange, digest=bytes(32)))

    assert caught.value.code is codes.DUPLICATE_CONFLICT


@pytest.mark.clause("4.2-visited")
def test_a_visited_csp_submits_for_the_cso_and_is_the_creditor(
    lax_world: World,
) -> None:
    record = make_sdr(cso_id="CHREP")

    outcome = lax_world.submit([record], sender=lax_world.visited_csp)

    assert outcome.counts.accepted == 1, outcome.items
    with lax_world.env.database.begin_read_only() as tx:
        row = tx.execute(text("SELECT submitter_id, cso_id FROM clearing.sdr")).one()
        total = tx.execute(text("SELECT submitter_id FROM clearing.batch_total"))
        assert total.scalar_one() == lax_world.visited_csp.participant_id
    assert row.submitter_id == lax_world.visited_csp.participant_id
    assert row.cso_id == lax_world.cso.participant_id


@pytest.mark.clause("4.2-visited")
@pytest.mark.parametrize("named", ["CHREP", "FRXYZ", "DENON"])
def test_refuses_the_batch_of_a_csp_that_does_not_collect_for_the_cso(
    lax_world: World, named: str
) -> None:
    # It is the CSO's partner for its own users, which is no leave to bill for it.
    stranger = lax_world.other_csp

    with pytest.raises(ClearingHouseError) as caught:
        lax_world.submit([make_sdr(cso_id=named)], sender=stranger)

    assert caught.value.code is codes.SDR_BATCH_ENTITLED
    (item,) = caught.value.items
    assert (item.rule, item.index, item.found) == ("B-005", 0, named)
    assert item.expected == "a CSO that the sender collects for"
    assert count_of(lax_world, tables.sdr) == 0


@pytest.mark.clause("4.2-visited")
def test_a_visited_csp_collects_while_that_is_agreed(lax_world: World) -> None:
    world = lax_world
    with world.env.database.begin() as tx:
        make_agreement(
            tx, world.cso, world.visited_csp, valid_from=NOW - timedelta(days=1)
        )
    before, after = (
        spanning(make_sdr(cso_id="CHREP"), NOW - timedelta(hours=age), minutes=40)
        for age in (25, 23)
    )

    taken = world.submit([before], sender=world.visited_csp)
    with pytest.raises(ClearingHouseError) as caught:
        world.submit([after], sender=world.visited_csp)

    assert taken.counts.accepted == 1, taken.items
    assert caught.value.code is codes.SDR_BATCH_ENTITLED


@pytest.mark.parametrize("named", ["FRXYZ", "ATVIS"])
def test_refuses_the_batch_of_a_cso_that_speaks_for_another(
    world: World, named: str
) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        world.submit([world.session(), world.session(cso_id=named)])

    assert caught.value.code is codes.SDR_BATCH_ENTITLED
    assert caught.value.items[0].rule == "B-005"
    assert caught.value.items[0].index == 1
    assert count_of(world, tables.sdr) == 0


def test_keeps_nothing_of_a_message_that_breaks_off(world: World) -> None:
    def records() -> Iterator[ServiceDetailRecord]:
        for _ in range(sdr_intake.CHUNK_RECORDS + 1):
            yield make_sdr()
        raise ValueError("the rest of the message is broken")

    submission = sdr_intake.Submission(
        batch_sequence=1, control=totals_of([]), records=records()
    )
    with pytest.raises(ValueError, match="broken"):
        sdr_intake.submit_sdrs(
            world.env, message(make_sender(world.cso)), submission, lambda _: b""
        )

    for table in WRITTEN:
        assert count_of(world, table) == 0


def test_keeps_nothing_when_the_database_goes_away_in_the_middle(
    world: World, site: Site
) -> None:
    def records() -> Iterator[ServiceDetailRecord]:
        for place in range(2 * sdr_intake.CHUNK_RECORDS):
            if place == sdr_intake.CHUNK_RECORDS + 10:
                with site.superuser() as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND state ="
                        " 'idle in transaction'"
                    )
            yield make_sdr()

    submission = sdr_intake.Submission(
        batch_sequence=1, control=totals_of([]), records=records()
    )
    with pytest.raises(ClearingHouseError) as caught:
        sdr_intake.submit_sdrs(
            world.env, message(make_sender(world.cso)), submission, lambda _: b""
        )

    assert caught.value.code is codes.UNAVAILABLE
    assert caught.value.code.retryable
    for table in WRITTEN:
        assert count_of(world, table) == 0
    assert world.submit([world.session()]).counts.accepted == 1


def test_the_answer_is_bounded_and_tells_what_is_left_out(lax_world: World) -> None:
    number = sdr_batch.ITEMS_MAX + 5
    remarks = [
        spanning(make_sdr(), NOW - timedelta(days=2, minutes=45 * n), minutes=40)
        for n in range(10)
    ]
    remarks[0].ended_at += timedelta(seconds=1)  # not all in whole minutes
    refused = [make_sdr(tariff_id="T-404") for _ in range(number)]

    outcome = lax_world.submit([*remarks, *refused])

    assert outcome.counts.refused == number
    assert len(outcome.items) == sdr_batch.ITEMS_MAX
    assert outcome.omitted == 15
    assert {item.code for item in outcome.items} == {codes.SDR_TARIFF}


def test_a_batch_that_broke_off_has_the_same_id_when_it_is_sent_again(
    world: World,
) -> None:
    record = world.session()
    exchange = message(make_sender(world.cso))
    ids = []

    def render(outcome: Submitted) -> bytes:
        ids.append(outcome.batch_id)
        if len(ids) == 1:
            raise ClearingHouseError(codes.UNAVAILABLE)
        return b"<answer/>"

    with pytest.raises(ClearingHouseError):
        world.submit_raw([record], exchange=exchange, render=render)
    world.submit_raw([record], exchange=exchange, render=render)
    assert ids[0] == ids[1]
