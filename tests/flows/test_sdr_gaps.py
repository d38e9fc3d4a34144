"""Batches that are missing are seen: gaps, silence, and what the submitter is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from clearinghouse.services import sdr_gaps
from clearinghouse.storage.tables import sdrs as tables
from tests.builders import NOW
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import SINCE, World, count_of, make_world

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.sdr_gaps import Alarm
    from tests.fixtures.engine import Speaker
    from tests.fixtures.partners import StillClock

HOUR = 3_600


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


def _of_cso(world: World, kind: str) -> list[Alarm]:
    found = sdr_gaps.missing(world.env)
    return [one for one in found if (one.party_id, one.kind) == ("CHREP", kind)]


@pytest.mark.clause("4.3-I3")
def test_gap_that_is_not_closed_raises_an_alarm(
    world: World, cso: Speaker, clock: StillClock
) -> None:
    for _ in range(3):
        assert cso.call("sdr", "SubmitSdrs", batch(3, [])).code == 604
    assert cso.call("sdr", "SubmitSdrs", batch(2, [])).code == 604
    assert count_of(world, tables.sdr_gap) == 1
    assert _of_cso(world, "GAP") == []

    clock.forward(seconds=30 * HOUR)

    (alarm,) = _of_cso(world, "GAP")
    assert (alarm.since, alarm.expected, alarm.found) == (NOW, 1, 3)
    sdr_gaps.watch(world.env)
    told = REGISTRY.get_sample_value(
        "clearinghouse_sdr_batches_missing", {"kind": "GAP"}
    )
    assert told == 1


def test_gap_that_is_closed_is_none(
    world: World, cso: Speaker, clock: StillClock
) -> None:
    cso.call("sdr", "SubmitSdrs", batch(2, []))
    assert cso.call("sdr", "SubmitSdrs", batch(1, [])).code == 0

    clock.forward(seconds=30 * HOUR)

    assert _of_cso(world, "GAP") == []


def test_silence_raises_an_alarm_and_an_empty_batch_ends_it(
    world: World, speaker: Callable[[Participant], Speaker], clock: StillClock
) -> None:
    (never,) = _of_cso(world, "SILENCE")
    assert (never.since, never.expected) == (SINCE, 1)

    assert speaker(world.cso).call("sdr", "SubmitSdrs", batch(1, [])).code == 0
    clock.forward(seconds=30 * HOUR - 1)
    assert _of_cso(world, "SILENCE") == []
    clock.forward(seconds=1)

    (alarm,) = _of_cso(world, "SILENCE")
    assert (alarm.since, alarm.expected) == (NOW, 2)


def test_partner_that_only_pays_is_not_missed(world: World) -> None:
    parties = {one.party_id for one in sdr_gaps.missing(world.env)}

    assert world.csp.party_id not in parties


@pytest.mark.parametrize(("seconds", "told"), [(0, []), (1, ["181"])])
def test_submitter_is_told_that_it_was_silent(
    world: World,
    speaker: Callable[[Participant], Speaker],
    clock: StillClock,
    seconds: int,
    told: list[str],
) -> None:
    speaker(world.cso).call("sdr", "SubmitSdrs", batch(1, []))
    clock.forward(seconds=30 * HOUR + seconds)

    answer = speaker(world.cso).call("sdr", "SubmitSdrs", batch(2, []))

    assert [item["code"] for item in answer.items] == told
    assert answer.code == (160 if told else 0)
    if told:
        assert answer.items[0]["found"] == "the first after 30 hours"
