"""The rules on other SDRs, and what an answer says of what is not the submitter's."""

from __future__ import annotations

from typing import Any

import pytest

from clearinghouse.domain.sdr_facts import Judgement, Neighbour, Outcome
from clearinghouse.domain.sdr_rules import judge
from clearinghouse.domain.sdrs import ServiceDetailRecord, Severity
from tests.domain.builders import (
    HOME_ID,
    OTHER_ID,
    START,
    make_facts,
    make_record,
    make_session_facts,
    seconds,
)


def rules_of(judgement: Judgement) -> list[str]:
    return [hit.rule for hit in judgement.hits]


def judged(record: ServiceDetailRecord, **facts: object) -> Judgement:
    known = make_facts()
    for name, value in facts.items():
        setattr(known, name, value)
    return judge(record, known)


@pytest.mark.parametrize(
    "refusing", [{"csp_id": None, "agreement": None}, {"tariff": None}]
)
def test_refused_record_is_not_compared_with_other_sdrs(
    refusing: dict[str, object],
) -> None:
    here = Neighbour("SDR-2", "CHVISE11", START, START + seconds(3600))
    far = Neighbour("SDR-3", "CHOTHE1", START, START + seconds(60), 0, 0)

    judgement = judged(
        make_record(), on_evse=[here], of_subject=[far], mean_net_minor=1, **refusing
    )

    assert judgement.outcome is Outcome.REFUSED
    assert {"S-205", "S-206", "S-209"}.isdisjoint(rules_of(judgement))


@pytest.mark.parametrize(("shared", "held"), [(60, False), (61, True)])
def test_s205_overlap_on_the_evse(shared: int, *, held: bool) -> None:
    other = Neighbour(
        "SDR-2", "CHVISE11", START - seconds(600), START + seconds(shared)
    )

    judgement = judged(make_record(), on_evse=[other])

    assert ("S-205" in rules_of(judgement)) is held


@pytest.mark.clause("8-separate")
def test_s205_says_nothing_of_another_submitters_sdr_but_that_it_is_there() -> None:
    others = [
        Neighbour(None, "CHVISE11", START - seconds(age), START + seconds(shared))
        for age, shared in ((600, 900), (60, 3_000))
    ]

    first, second = (judged(make_record(), on_evse=[one]) for one in others)

    assert first.outcome is Outcome.HELD
    assert first == second


def test_s205_does_not_count_the_record_itself() -> None:
    itself = Neighbour("sdr-1", "CHVISE11", START, START + seconds(3600))

    assert judged(make_record(), on_evse=[itself]).hits == ()


@pytest.mark.parametrize(
    ("gap_seconds", "held"), [(3600, False), (1700, True), (-600, True)]
)
def test_s206_impossible_travel(gap_seconds: int, *, held: bool) -> None:
    ended_at = START - seconds(gap_seconds)
    hundred_km_north = 46_900_000
    other = Neighbour(
        "SDR-2",
        "CHOTHE1",
        ended_at - seconds(600),
        ended_at,
        hundred_km_north,
        8_900_000,
    )

    judgement = judged(make_record(), of_subject=[other])

    assert ("S-206" in rules_of(judgement)) is held


@pytest.mark.clause("8-separate")
def test_s206_is_a_note_when_the_other_sdr_is_another_submitters() -> None:
    other = Neighbour(None, "CHOTHE1", START, START + seconds(60), 0, 0)

    judgement = judged(make_record(), of_subject=[other])

    assert judgement.outcome is Outcome.ACCEPTED
    (hit,) = judgement.hits
    assert (hit.rule, hit.severity) == ("S-206", Severity.N)
    assert hit.found == "an SDR of another submitter"


@pytest.mark.clause("8-separate")
def test_s206_does_not_tell_how_many_sdrs_of_other_submitters_there_are() -> None:
    others = [
        Neighbour(None, f"CHOTHE{number}", START, START + seconds(60), 0, 0)
        for number in range(3)
    ]

    assert judged(make_record(), of_subject=others) == judged(
        make_record(), of_subject=others[:1]
    )


def test_s206_knows_neighbouring_stations_and_missing_places() -> None:
    near = Neighbour("S2", "CHOTHE1", START, START + seconds(60), 46_000_500, 8_900_000)
    nowhere = Neighbour("S3", "CHOTHE2", START, START + seconds(60))

    assert judged(make_record(), of_subject=[near, nowhere]).hits == ()


@pytest.mark.clause("8-min")
def test_s103_evse_of_another_operator_is_as_one_that_is_not_there() -> None:
    facts, nothing = make_facts(), make_facts()
    assert facts.evse is not None
    foreign = facts.evse._replace(owner_id=OTHER_ID)
    facts.evse = nothing.evse = None
    facts.evse_prefix_owned = nothing.evse_prefix_owned = False

    facts.see_evse(foreign)

    judgement = judge(make_record(), facts)
    assert judgement.outcome is Outcome.REFUSED
    assert rules_of(judgement) == ["S-103"]
    assert judgement == judge(make_record(), nothing)


@pytest.mark.clause("8-min")
def test_session_of_another_is_not_seen() -> None:
    facts = make_facts()
    facts.session = None

    seen = facts.see_session(make_session_facts(visited_id=OTHER_ID))

    assert (seen, facts.session) == (False, None)
    assert facts.see_session(make_session_facts())


def _twin(name: str | None = "SDR-2", **override: Any) -> Neighbour:  # noqa: ANN401
    """Return an SDR that is nearly the one of :func:`make_record`, in its minute."""
    twin = Neighbour(
        name,
        "CHVISE11",
        START + seconds(60),
        START + seconds(61),
        energy_wh=23_690,
        csp_id=HOME_ID,
        subject_id=11,
    )
    return twin._replace(**override)


@pytest.mark.parametrize(
    ("override", "held"),
    [
        ({}, True),
        ({"started_at": START + seconds(61)}, False),
        ({"energy_wh": 23_691}, False),
        ({"subject_id": 12}, False),
        ({"subject_id": None}, False),
        ({"csp_id": 99}, False),
        ({"name": "sdr-1"}, False),
    ],
)
def test_s207_nearly_the_same_sdr_is_known(
    override: dict[str, Any], *, held: bool
) -> None:
    judgement = judged(make_record(), on_evse=[_twin(**override)], user_id=11)

    assert ("S-207" in rules_of(judgement)) is held
    assert judgement.outcome is (Outcome.HELD if held else Outcome.ACCEPTED)


def test_s207_without_a_known_user_compares_what_has_none_either() -> None:
    judgement = judged(make_record(), on_evse=[_twin(subject_id=None)], user_id=None)

    assert [(hit.rule, hit.found) for hit in judgement.hits] == [
        ("S-207", "nearly the same as SDR-2")
    ]


@pytest.mark.clause("8-separate")
def test_s207_is_a_note_when_the_other_sdr_is_another_submitters() -> None:
    twins = [_twin(None), _twin(None, energy_wh=23_456)]

    judgement = judged(make_record(), on_evse=twins, user_id=11)

    (hit,) = judgement.hits
    assert (hit.rule, hit.severity) == ("S-207", Severity.N)
    assert hit.found == "an SDR of another submitter"
    assert judgement.outcome is Outcome.ACCEPTED


@pytest.mark.clause("8-separate")
def test_s207_says_nothing_of_a_record_that_is_refused() -> None:
    judgement = judged(make_record(), on_evse=[_twin()], user_id=11, agreement=None)

    assert "S-207" not in rules_of(judgement)
