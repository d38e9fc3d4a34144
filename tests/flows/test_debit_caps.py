"""Net debit caps through SOAP: the border, two batches at once, release, alarm."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Event
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.debit_caps import DebitCap
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import RunState
from clearinghouse.domain.sdrs import RULE_VERSION
from clearinghouse.domain.sessions import SessionState
from clearinghouse.services import debit_caps, held_sdrs, run_undoing, sdr_intake
from clearinghouse.storage import debit_caps as stored_caps
from clearinghouse.storage import sessions
from clearinghouse.storage.sessions import PartnerSessionId
from clearinghouse.storage.tables.sdrs import batch_total, sdr
from tests.builders import NOW, make_sender, make_session
from tests.fixtures.operators import make_operators
from tests.flows.sdr_messages import batch
from tests.services.run_world import RunWorld
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    count_of,
    make_sdr,
    make_world,
    message,
    spanning,
    totals_of,
)
from tests.services.settling import kill_writers
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site
    from tests.fixtures.engine import Answer, Speaker

LAX = Terms(match_required=False)


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env, terms=LAX)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


def cap(
    world: World, limit_minor: int | None, party_id: str = "DEABC", **more: object
) -> None:
    new = DebitCap(
        party_id=party_id, currency="EUR", limit_minor=limit_minor, valid_from=NOW
    )
    debit_caps.put_cap(world.env, replace(new, **more))  # type: ignore[arg-type]


def sdrs(count: int, first: int = 0, **override: object) -> list[ServiceDetailRecord]:
    """Return so many SDRs of 11.49 EUR, an hour apart."""
    return [
        replace(
            spanning(make_sdr(), STARTED_AT - timedelta(hours=n), minutes=40),
            **override,  # type: ignore[arg-type]  # by the tests
        )
        for n in range(first, first + count)
    ]


def submit(
    speaker: Speaker, records: list[ServiceDetailRecord], sequence: int = 1
) -> Answer:
    return speaker.call("sdr", "SubmitSdrs", batch(sequence, records))


def statuses(speaker: Speaker, records: list[ServiceDetailRecord]) -> list[str]:
    asked = "".join(f"<sdrId>{one.sdr_id}</sdrId>" for one in records)
    answer = speaker.call("sdr", "GetSdrStatus", asked)
    return [answer.children(one)["status"] for one in answer.all("status") if len(one)]


def owed(world: World) -> int:
    (use,) = debit_caps.uses(world.env)
    return use.owed_minor


@pytest.mark.clause("4.3-I3")
def test_debts_reach_the_cap_and_no_cent_more(world: World, cso: Speaker) -> None:
    cap(world, 2 * 1149)
    records = sdrs(3)

    answer = submit(cso, records)

    (item,) = [one for one in answer.items if one["rule"] == "S-211"]
    assert item.pop("text")
    assert item == {
        "index": "2",
        "code": "641",
        "rule": "S-211",
        "ruleVersion": str(RULE_VERSION),
        "path": "serviceSession/cspId",
        "expected": "room under the net debit cap of the CSP",
        "found": "11.49 EUR without VAT more",
    }
    assert statuses(cso, records) == ["ACCEPTED", "ACCEPTED", "HELD"]
    assert owed(world) == 2 * 1149


def test_one_cent_above_the_cap_is_held(world: World, cso: Speaker) -> None:
    cap(world, 2 * 1149 - 1)
    records = sdrs(2)

    submit(cso, records)

    assert statuses(cso, records) == ["ACCEPTED", "HELD"]


def test_debts_of_earlier_batches_and_other_submitters_count(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    cap(world, 3 * 1149)
    collected = sdrs(2, first=10, cso_id="CHREP")
    own = sdrs(2)

    submit(speaker(world.visited_csp), collected)
    submit(speaker(world.cso), own)

    assert statuses(speaker(world.visited_csp), collected) == ["ACCEPTED"] * 2
    assert statuses(speaker(world.cso), own) == ["ACCEPTED", "HELD"]


def test_cap_is_for_one_csp_one_currency_and_from_its_instant_on(
    world: World, cso: Speaker
) -> None:
    cap(world, 0, valid_from=NOW + timedelta(seconds=1))
    cap(world, 0, party_id="FRXYZ")
    cap(world, 0, currency="CHF")
    records = sdrs(1)

    submit(cso, records)

    assert statuses(cso, records) == ["ACCEPTED"]


def test_what_is_refused_is_told_nothing_of_the_cap(world: World, cso: Speaker) -> None:
    cap(world, 0)

    old = spanning(make_sdr(), NOW - timedelta(days=35), minutes=40)

    answer = submit(cso, [old])

    assert "S-107" in {one["rule"] for one in answer.items}
    assert "S-211" not in {one["rule"] for one in answer.items}


def test_what_another_rule_holds_reserves_nothing(world: World, cso: Speaker) -> None:
    cap(world, 1149)
    dear, usual = sdrs(2)
    dear = replace(dear, claimed_net=Decimal("99.00"))

    submit(cso, [dear, usual])

    assert statuses(cso, [dear, usual]) == ["HELD", "ACCEPTED"]
    assert held_sdrs.admit_due(world.env) == 0


@pytest.mark.clause("4.3-I3")
def test_home_csp_has_what_a_cap_holds_and_decides_when_it_is_accepted(
    world: World, cso: Speaker, speaker: Callable[[Participant], Speaker]
) -> None:
    cap(world, 0)
    (record,) = sdrs(1)
    submit(cso, [record])
    csp = speaker(world.csp)
    word = (
        f"<decision><submitterId>CHREP</submitterId><sdrId>{record.sdr_id}</sdrId>"
        "<verdict>CONFIRMED</verdict></decision>"
    )

    (told,) = csp.call("sdr", "GetSdrs", "<limit>10</limit>").all("sdr")
    early = csp.call("sdr", "ConfirmSdrs", word)

    assert told.findtext("{*}status") == "HELD"
    assert [item["code"] for item in early.items] == ["643"]

    cap(world, None)
    assert held_sdrs.admit_due(world.env) == 1
    (now,) = csp.call("sdr", "GetSdrs", "<limit>10</limit>").all("sdr")
    assert now.findtext("{*}status") == "ACCEPTED"
    assert csp.call("sdr", "ConfirmSdrs", word).code == 0


def test_other_held_sdrs_stay_unseen_by_the_home_csp(
    world: World, cso: Speaker, speaker: Callable[[Participant], Speaker]
) -> None:
    cap(world, 0)
    submit(cso, sdrs(1, claimed_net=Decimal("99.00")))

    page = speaker(world.csp).call("sdr", "GetSdrs", "<limit>10</limit>")

    assert not page.has("sdr")


def test_two_batches_at_once_never_pass_the_cap_together(
    world: World, env: Environment
) -> None:
    cap(world, 1149)
    reached, go_on = Event(), Event()

    def slowly(records: list[ServiceDetailRecord]) -> Iterator[ServiceDetailRecord]:
        yield records[0]
        reached.set()
        go_on.wait(PATIENCE_SECONDS)

    first, second = sdrs(1), sdrs(1, first=5, cso_id="CHREP")

    def submit_first() -> None:
        submission = sdr_intake.Submission(
            batch_sequence=1, control=totals_of(first), records=slowly(first)
        )
        exchange = message(make_sender(world.cso))
        sdr_intake.submit_sdrs(env, exchange, submission, lambda _: b"<answer/>")

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(submit_first)
        assert reached.wait(PATIENCE_SECONDS)
        other = pool.submit(world.submit, second, sender=world.visited_csp)
        go_on.set()
        one.result(PATIENCE_SECONDS)
        counts = other.result(PATIENCE_SECONDS).counts

    assert (counts.accepted, counts.held) == (0, 1)
    assert owed(world) == 1149


def test_csp_that_may_not_be_waited_for_is_given_no_room(
    world: World, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that has a later CSP's lock and waited for an earlier one may hang."""
    monkeypatch.setattr(sdr_intake, "CHUNK_RECORDS", 1)
    low, high = sorted([world.csp, world.other_csp], key=lambda p: p.participant_id)
    for one in (low, high):
        cap(world, 10_000_00, party_id=one.party_id)
    records = [*sdrs(1, csp_id=high.party_id), *sdrs(1, first=1, csp_id=low.party_id)]

    with env.database.begin() as tx:
        assert stored_caps.try_lock_debits(tx, low.participant_id)
        counts = world.submit(records).counts

    assert (counts.accepted, counts.held) == (1, 1)
    assert held_sdrs.admit_due(env) == 1


def test_batch_that_breaks_off_leaves_no_reservation(
    world: World, cso: Speaker
) -> None:
    cap(world, 1149)
    wrong = replace(totals_of(sdrs(1)), count=2)

    refused = cso.call("sdr", "SubmitSdrs", batch(1, sdrs(1), control=wrong))

    assert refused.code == 603
    assert count_of(world, sdr) == count_of(world, batch_total) == 0
    assert owed(world) == 0
    records = sdrs(1)
    submit(cso, records)
    assert statuses(cso, records) == ["ACCEPTED"]


def test_home_csp_that_rejects_and_a_credit_free_the_cap(
    world: World, cso: Speaker, speaker: Callable[[Participant], Speaker]
) -> None:
    cap(world, 1149)
    first, second = sdrs(2)
    submit(cso, [first])
    submit(cso, [second], 2)

    speaker(world.csp).call(
        "sdr",
        "ConfirmSdrs",
        f"<decision><submitterId>CHREP</submitterId><sdrId>{first.sdr_id}</sdrId>"
        "<verdict>REJECTED</verdict></decision>",
    )

    assert held_sdrs.admit_due(world.env) == 1
    assert statuses(cso, [second]) == ["ACCEPTED"]
    assert owed(world) == 1149


def test_operator_may_take_in_more_than_the_cap(world: World, cso: Speaker) -> None:
    cap(world, 0)
    (record,) = sdrs(1)
    submit(cso, [record])

    held_sdrs.release(world.env, "CHREP", record.sdr_id)

    assert statuses(cso, [record]) == ["ACCEPTED"]
    assert owed(world) == 1149


def test_settled_run_frees_the_cap(
    world: World, cso: Speaker, env: Environment
) -> None:
    anna, ben = make_operators(env)
    runs = RunWorld(world, {}, anna, ben)
    cap(world, 1149)
    paid, waits = sdrs(2)
    submit(cso, [paid, waits])
    assert statuses(cso, [paid, waits]) == ["ACCEPTED", "HELD"]

    runs.close()
    run = runs.advance(runs.propose().run_id)
    assert held_sdrs.admit_due(env) == 0  # closed, ordered, and not paid yet
    assert owed(world) == 1149
    assert runs.pay(run.run_id).state is RunState.SETTLED
    assert owed(world) == 0

    assert held_sdrs.admit_due(env) == 1
    assert held_sdrs.admit_due(env) == 0
    assert statuses(cso, [waits]) == ["ACCEPTED"]
    assert owed(world) == 1149


def test_reversed_run_lets_its_debts_count_again(
    world: World, cso: Speaker, env: Environment
) -> None:
    anna, ben = make_operators(env)
    runs = RunWorld(world, {}, anna, ben)
    cap(world, 1149)
    submit(cso, sdrs(1))
    runs.close()
    run = runs.advance(runs.propose().run_id)
    runs.pay(run.run_id)

    runs.approve(run_undoing.ask_reverse(env, anna, run.run_id, reason="wrong"))

    assert owed(world) == 1149


@pytest.mark.parametrize(
    ("limit_minor", "near", "full"), [(1437, 0, 0), (1436, 1, 0), (1149, 0, 1)]
)
def test_alarm_is_raised_from_eighty_percent_on(
    world: World, cso: Speaker, limit_minor: int, near: int, full: int
) -> None:
    cap(world, limit_minor)
    submit(cso, sdrs(1))

    debit_caps.watch(world.env)

    name = "clearinghouse_debit_caps"
    assert REGISTRY.get_sample_value(name, {"state": "NEAR"}) == near
    assert REGISTRY.get_sample_value(name, {"state": "FULL"}) == full


def test_what_lacked_its_session_is_not_taken_in_beyond_the_cap(
    env: Environment,
) -> None:
    world = make_world(env)
    cap(world, 0)
    record = replace(make_sdr(), partner_session_id="S-77")
    assert world.submit([record]).counts.held == 1
    session = make_session(
        world.cso, world.csp, state=SessionState.ENDED, created_at=STARTED_AT
    )
    with env.database.begin() as tx:
        sessions.insert_session(tx, session)
        named = PartnerSessionId(world.cso.participant_id, "S-77")
        sessions.name_session(tx, session.session_id, named)

    assert held_sdrs.rematch_due(env) == 0
    cap(world, 1149)

    assert held_sdrs.rematch_due(env) == 1


def test_batch_whose_writer_is_killed_leaves_no_reservation(
    world: World, site: Site
) -> None:
    cap(world, 1149)
    with site.superuser() as admin:
        kill_writers(admin, "clearing.sdr_batch")
        with pytest.raises(ClearingHouseError):
            world.submit(sdrs(1))
        kill_writers(admin, None)

    assert owed(world) == 0
    assert world.submit(sdrs(1)).counts.accepted == 1
