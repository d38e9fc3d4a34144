"""The rule catalogue at its borders: told in full beyond, not met within."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.sdrs import RULE_VERSION
from clearinghouse.storage.tables.sdrs import sdr as sdr_rows
from tests.flows.catalogue import LAX, sdr_from, told
from tests.flows.rule_borders import BORDERS, Border
from tests.flows.sdr_messages import batch, sdr
from tests.services.sdr_world import (
    SINCE,
    World,
    count_of,
    make_sdr,
    make_world,
    totals_of,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

NAMES = ("code", "rule", "path", "expected", "found")
_CASES = pytest.mark.parametrize(
    "border", BORDERS, ids=[f"{one.rule}-{n}" for n, one in enumerate(BORDERS)]
)


def _hits(
    env: Environment,
    speaker: Callable[[Participant], Speaker],
    border: Border,
    *,
    within: bool,
) -> list[dict[str, str]]:
    world = make_world(env, terms=border.terms)
    prepare = border.within_world if within else None
    (prepare or border.world)(world)
    cso = speaker(world.cso)
    if border.before:
        told(cso, *border.before)
    record = border.within if within else border.beyond
    sequence = 2 if border.before else 1
    items = told(cso, record, sequence=sequence)
    return [one for one in items if one.get("rule") == border.rule]


@pytest.mark.clause("4.3-I3")
@_CASES
def test_rule_is_told_in_full_just_beyond_its_border(
    env: Environment, speaker: Callable[[Participant], Speaker], border: Border
) -> None:
    found = _hits(env, speaker, border, within=False)

    version = {"index": "0", "ruleVersion": str(RULE_VERSION)}
    assert dict(zip(NAMES, border.hit, strict=True)) | version in found


@_CASES
def test_rule_is_not_met_just_within_its_border(
    env: Environment, speaker: Callable[[Participant], Speaker], border: Border
) -> None:
    found = _hits(env, speaker, border, within=True)

    assert border.hit[2] not in [one["path"] for one in found]


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env, terms=LAX)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


def _told(answer: Answer) -> list[tuple[str, ...]]:
    """Return what an answer or a fault says of rules."""
    assert {one["ruleVersion"] for one in answer.items} == {str(RULE_VERSION)}
    return [tuple(one[name] for name in NAMES) for one in answer.items]


_FORM = "The value has not the form that the schema asks for."


@pytest.mark.border("B-001")
def test_b001_message_against_the_schema_is_refused_as_a_rule(cso: Speaker) -> None:
    whole = batch(1, [make_sdr()])

    broken = cso.call("sdr", "SubmitSdrs", whole.replace("<count>1<", "<count>x<"))
    torn = cso.call("sdr", "SubmitSdrs", whole.replace("</control>", ""))

    path = "/submitSdrsRequest/control/count"
    expected = "a whole number, from 0 to 100000000"
    assert _told(broken) == [("805", "B-001", path, expected, _FORM)]
    assert [one[:2] for one in _told(torn)] == [("802", "B-001")]
    assert cso.call("sdr", "SubmitSdrs", whole).code < 200


@pytest.mark.border("B-001")
def test_b001_record_against_the_schema_is_refused_alone(cso: Speaker) -> None:
    good, bad = make_sdr(), make_sdr(sdr_id="BAD")
    broken = sdr(bad).replace("<energyWh>23456<", "<energyWh>x<")
    control = replace(totals_of([good]), count=2)

    answer = cso.call(
        "sdr", "SubmitSdrs", batch(1, [good], control=control, more=broken)
    )

    assert (answer.text("accepted"), answer.text("refused")) == ("1", "1")
    (item,) = answer.items
    assert (item["index"], item["code"], item["rule"]) == ("1", "622", "B-001")
    assert item["path"].endswith("/energyWh")


@pytest.mark.border("B-002")
def test_b002_token_or_sender_that_is_another_ones_is_refused_as_a_rule(
    world: World, cso: Speaker
) -> None:
    whole = batch(1, [make_sdr()])

    def told_to(speaker: Speaker) -> list[tuple[str, ...]]:
        return _told(speaker.call("sdr", "SubmitSdrs", whole))

    token = ("exchangeHeader/sessionToken", "the token of a session that runs")
    found = "The session token is not valid; log in."
    assert told_to(replace(cso, token=None)) == [("821", "B-002", *token, found)]
    assert told_to(replace(cso, token="A" * 43)) == [("821", "B-002", *token, found)]
    (other,) = told_to(replace(cso, party_id=world.csp.party_id))
    assert other == (
        "822",
        "B-002",
        "exchangeHeader/senderId",
        "the party of the token, as one that may submit SDRs",
        "You may not do this.",
    )
    assert cso.call("sdr", "SubmitSdrs", whole).code < 200


def test_faults_of_other_operations_name_no_rule(cso: Speaker) -> None:
    fault = cso.call("sdr", "GetSdrs", "<limit>x</limit>")

    assert fault.is_fault
    assert all("rule" not in one for one in fault.items)


@pytest.mark.border("B-003")
@pytest.mark.parametrize(
    ("change", "path", "expected", "found"),
    [
        ({"count": 2}, "control/count", "1", "2"),
        ({"energy_wh": 23_457}, "control/energyWh", "23456", "23457"),
    ],
)
def test_b003_control_total_that_is_off_by_one_refuses_the_batch(
    cso: Speaker, change: dict[str, int], path: str, expected: str, found: str
) -> None:
    record = make_sdr()
    wrong = replace(totals_of([record]), **change)  # type: ignore[arg-type]

    answer = cso.call("sdr", "SubmitSdrs", batch(1, [record], control=wrong))

    assert _told(answer) == [("603", "B-003", path, expected, found)]
    assert cso.call("sdr", "SubmitSdrs", batch(1, [record])).code < 200


@pytest.mark.border("B-004")
def test_b004_sequence_that_is_not_the_next_refuses_the_batch(cso: Speaker) -> None:
    ahead = cso.call("sdr", "SubmitSdrs", batch(2, [make_sdr()]))
    assert cso.call("sdr", "SubmitSdrs", batch(1, [make_sdr()])).code < 200
    behind = cso.call("sdr", "SubmitSdrs", batch(1, [make_sdr()]))

    rule = ("604", "B-004", "batchSequence")
    assert _told(ahead) == [(*rule, "1", "2")]
    assert _told(behind) == [(*rule, "2", "1")]
    assert cso.call("sdr", "SubmitSdrs", batch(2, [])).code < 200


@pytest.mark.border("B-005")
def test_b005_submitter_collects_from_the_first_instant_of_its_agreement_on(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    visited = speaker(world.visited_csp)
    before = sdr_from(SINCE - timedelta(seconds=1), cso_id="CHREP")

    early = visited.call("sdr", "SubmitSdrs", batch(1, [before]))
    first = visited.call(
        "sdr", "SubmitSdrs", batch(1, [sdr_from(SINCE, cso_id="CHREP")])
    )

    path, expected = "serviceSession/csoId", "a CSO that the sender collects for"
    assert _told(early) == [("605", "B-005", path, expected, "CHREP")]
    assert all(one.get("rule") != "B-005" for one in first.items)
    assert first.code == 100  # too old, and not for want of an agreement


@pytest.mark.slow
@pytest.mark.border("B-005")
def test_b005_record_beyond_the_fifty_thousandth_refuses_the_batch(
    world: World, cso: Speaker
) -> None:
    record = make_sdr()
    most = [record] * 50_000
    content = batch(1, most)

    beyond = cso.call("sdr", "SubmitSdrs", content + sdr(record))
    assert count_of(world, sdr_rows) == 0
    whole = cso.call("sdr", "SubmitSdrs", content)

    path = "/submitSdrsRequest/serviceDetailRecord"
    assert _told(beyond) == [
        ("805", "B-005", path, "at most 50000", "The element occurs too often.")
    ]
    assert (whole.text("accepted"), whole.text("duplicates")) == ("1", "49999")
