"""SubmitSdrs as a partner meets it: codes, paths, repeats, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.sdrs import RULE_VERSION
from clearinghouse.storage.tables import sdrs as tables
from tests.builders import NOW
from tests.fixtures.engine import post
from tests.flows.sdr_messages import batch, sdr
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    count_of,
    make_sdr,
    make_world,
    spanning,
    totals_of,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


def _submit(cso: Speaker, records: list[ServiceDetailRecord], **more: Any) -> Answer:  # noqa: ANN401
    sequence = more.pop("sequence", 1)
    return cso.call("sdr", "SubmitSdrs", batch(sequence, records, **more))


def _counts(answer: Answer) -> list[int]:
    names = ("accepted", "held", "refused", "duplicates")
    return [int(answer.required(name)) for name in names]


@pytest.mark.clause("4.3-I3", "3.10")
def test_a_batch_is_taken_and_counted(world: World, cso: Speaker) -> None:
    answer = _submit(cso, [world.session(), world.session(world.other_csp)])

    assert (answer.code, answer.items) == (0, [])
    assert _counts(answer) == [2, 0, 0, 0]
    assert answer.has("batchId")


CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    (
        {"csp_id": "DENON"},
        {
            "code": "612",
            "rule": "S-102",
            "path": "serviceSession/cspId",
            "expected": (
                f"a CSP with an agreement in force at {STARTED_AT.isoformat()}"
            ),
            "found": "DENON",
        },
    ),
    (
        {"currency": "SEK"},
        {
            "code": "614",
            "rule": "S-104",
            "path": "currency",
            "expected": "EUR",
            "found": "SEK",
        },
    ),
    (
        {"claimed_net": Decimal("1.005")},
        {
            "code": "614",
            "rule": "S-104",
            "path": "claimedNet",
            "expected": "at most 2 decimals in EUR",
            "found": "1.005",
        },
    ),
    (
        {"tariff_id": "T-404"},
        {
            "code": "615",
            "rule": "S-105",
            "path": "tariffId",
            "expected": f"a tariff in force at {STARTED_AT.isoformat()}",
            "found": "T-404",
        },
    ),
    (
        {"claimed_net": Decimal("-11.49")},
        {
            "code": "618",
            "rule": "S-108",
            "path": "claimedNet",
            "expected": "0 or more",
            "found": "-11.49",
        },
    ),
    (
        {"session_id": None},
        {
            "code": "631",
            "rule": "S-201",
            "path": "serviceSession/sessionId",
            "expected": "a session authorized here",
            "found": "no session id, and none fits",
        },
    ),
    (
        {"claimed_net": Decimal("11.60")},
        {
            "code": "638",
            "rule": "S-208",
            "path": "claimedNet",
            "expected": "11.49 EUR",
            "found": "11.60 EUR",
        },
    ),
    (
        {"claimed_net": Decimal("11.50")},
        {
            "code": "162",
            "rule": "S-301",
            "path": "claimedNet",
            "expected": "11.49 EUR",
            "found": "11.50 EUR",
        },
    ),
]


@pytest.mark.parametrize(("override", "expected"), CASES)
def test_a_rule_tells_code_path_expected_and_found(
    world: World, cso: Speaker, override: dict[str, Any], expected: dict[str, str]
) -> None:
    answer = _submit(cso, [replace(world.session(), **override)])

    item = next(one for one in answer.items if one["rule"] == expected["rule"])
    item.pop("text")
    assert item == {"index": "0", "ruleVersion": str(RULE_VERSION), **expected}


def test_times_meters_power_energy_and_duration_are_judged(
    world: World, cso: Speaker
) -> None:
    backwards = spanning(world.session(), STARTED_AT, minutes=40)
    backwards.ended_at = STARTED_AT - timedelta(minutes=1)
    old = spanning(world.session(), NOW - timedelta(days=35), minutes=40)
    metered = world.session()
    transaction = metered.charging_sessions[0].transactions[0]
    transaction.meter_start_wh, transaction.meter_stop_wh = 0, 10_000
    strong = spanning(
        world.session(), NOW - timedelta(days=5), minutes=10, energy_wh=20_000
    )
    long = spanning(world.session(), NOW - timedelta(days=9), minutes=49 * 60)

    answer = _submit(cso, [backwards, old, metered, strong, long])

    found = {(item["index"], item["rule"], item["code"]) for item in answer.items}
    assert {
        ("0", "S-106", "616"),
        ("1", "S-107", "617"),
        ("2", "S-110", "620"),
        ("3", "S-202", "632"),
        ("4", "S-204", "634"),
    } <= found
    assert _counts(answer) == [0, 2, 3, 0]


def test_a_record_against_the_schema_is_refused_and_the_others_go_on(
    world: World, cso: Speaker
) -> None:
    good = world.session()
    bad = sdr(world.session(sdr_id="BAD-1")).replace("DEABC", "deabc")
    control = replace(totals_of([good]), count=2, energy_wh=1)

    answer = _submit(cso, [good], control=control, more=bad)

    assert answer.code == 100
    assert _counts(answer) == [1, 0, 1, 0]
    (item,) = answer.items
    assert (item["index"], item["code"]) == ("1", "622")
    assert item["path"] == "serviceSession/cspId"
    assert item["expected"]
    asked = cso.call("sdr", "GetSdrStatus", "<sdrId>BAD-1</sdrId>")
    standing = asked.all("status")[0]
    assert asked.children(standing)["status"] == "REFUSED"


def test_control_totals_that_differ_leave_nothing(world: World, cso: Speaker) -> None:
    record = world.session()
    wrong = replace(totals_of([record]), energy_wh=99)

    answer = _submit(cso, [record], control=wrong)

    assert answer.status == 200
    assert answer.code == 603
    (item,) = answer.items
    assert (item["rule"], item["path"]) == ("B-003", "control/energyWh")
    assert (item["expected"], item["found"]) == ("23456", "99")
    assert not answer.has("batchId")
    assert count_of(world, tables.sdr) == count_of(world, tables.sdr_batch) == 0


def test_a_refused_batch_is_refused_again_when_repeated(
    world: World, cso: Speaker
) -> None:
    record = world.session()
    wrong = replace(totals_of([record]), energy_wh=99)
    message = cso.envelope(
        "sdr", "SubmitSdrs", batch(1, [record], control=wrong), message_id=uuid4()
    )

    first, again = (_post(cso, message) for _ in range(2))

    assert first.code == again.code == 603
    assert first.raw == again.raw


def test_a_gap_in_the_sequence_is_refused(world: World, cso: Speaker) -> None:
    answer = _submit(cso, [world.session()], sequence=2)

    assert answer.code == 604
    (item,) = answer.items
    assert (item["rule"], item["expected"], item["found"]) == ("B-004", "1", "2")


def test_an_exact_repeat_gets_the_same_bytes(world: World, cso: Speaker) -> None:
    content = batch(1, [world.session()])
    message = cso.envelope("sdr", "SubmitSdrs", content, message_id=uuid4())

    first, again = (_post(cso, message) for _ in range(2))

    assert first.code == 0
    assert first.raw == again.raw
    assert count_of(world, tables.sdr) == 1


def test_the_same_batch_in_a_new_message_gets_the_same_answer(
    world: World, cso: Speaker
) -> None:
    content = batch(1, [world.session()])

    first = cso.call("sdr", "SubmitSdrs", content)
    again = cso.call("sdr", "SubmitSdrs", content)

    assert first.code == 0
    assert first.raw == again.raw
    assert count_of(world, tables.sdr) == 1


def test_a_message_id_with_another_body_is_a_fault(world: World, cso: Speaker) -> None:
    number = uuid4()
    cso.call("sdr", "SubmitSdrs", batch(1, [world.session()]), message_id=number)

    answer = cso.call(
        "sdr", "SubmitSdrs", batch(2, [world.session()]), message_id=number
    )

    assert answer.is_fault
    assert answer.code == 824


def test_the_same_record_in_another_batch_is_already_accepted(
    world: World, cso: Speaker
) -> None:
    record = world.session()
    _submit(cso, [record])

    same = _submit(cso, [record], sequence=2)
    other = _submit(cso, [replace(record, idle_seconds=5)], sequence=3)

    assert _counts(same) == [0, 0, 0, 1]
    assert [item["code"] for item in same.items] == ["161"]
    assert _counts(other) == [0, 0, 1, 0]
    assert other.items[0]["code"] == "611"


@pytest.mark.parametrize("cut", ["</serviceDetailRecord>", "</submitSdrsRequest>"])
def test_a_message_that_breaks_off_leaves_nothing(
    world: World, cso: Speaker, cut: str
) -> None:
    content = batch(1, [world.session(), world.session()])
    message = cso.envelope("sdr", "SubmitSdrs", content)
    end = message.rindex(cut.encode())

    answer = _post(cso, message[:end])

    assert answer.is_fault
    assert count_of(world, tables.sdr) == 0
    assert count_of(world, tables.sdr_batch) == 0
    assert _post(cso, message).code == 0


def test_an_element_behind_the_records_leaves_nothing(
    world: World, cso: Speaker
) -> None:
    answer = _submit(cso, [world.session()], more="<surprise/>")

    assert answer.is_fault
    assert count_of(world, tables.sdr) == 0


@pytest.mark.clause("4.2-visited")
def test_a_visited_csp_submits_for_a_cso_and_a_cso_for_nobody_else(
    env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    world = make_world(env, terms=Terms(match_required=False))
    visited, cso = speaker(world.visited_csp), speaker(world.cso)

    taken = _submit(visited, [make_sdr(cso_id="CHREP")])
    refused = _submit(cso, [make_sdr(cso_id="ATVIS")])

    assert _counts(taken) == [1, 0, 0, 0], taken.items
    assert refused.code == 605
    assert refused.items[0]["path"] == "serviceSession/csoId"


@pytest.mark.clause("7.2-token")
def test_only_a_known_sender_submits(world: World, cso: Speaker) -> None:
    answer = _submit(replace(cso, token=None), [world.session()])

    assert answer.is_fault
    assert answer.code == 821


def _post(cso: Speaker, message: bytes) -> Answer:
    return post(cso.engine, "sdr", message)
