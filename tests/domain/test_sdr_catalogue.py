"""The catalogue as a whole: what lists say, thresholds by agreement, descriptions."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from clearinghouse.domain import sdr_catalogue
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.sdr_catalogue import Rule
from clearinghouse.domain.sdr_facts import Judgement, ListedFacts, Outcome
from clearinghouse.domain.sdr_rules import judge
from clearinghouse.domain.sdrs import MatchKind, ServiceDetailRecord
from tests.domain.builders import (
    NOW,
    START,
    make_agreement,
    make_facts,
    make_record,
    make_transaction,
    seconds,
)

_BLOCKED, _VALID = CredentialStatus.BLOCKED, CredentialStatus.VALID


def rules_of(judgement: Judgement) -> list[str]:
    return [hit.rule for hit in judgement.hits]


def judged(record: ServiceDetailRecord, **facts: object) -> Judgement:
    known = make_facts()
    for name, value in facts.items():
        setattr(known, name, value)
    return judge(record, known)


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (ListedFacts("credential", _BLOCKED, START), "blocked"),
        (ListedFacts("credential", _BLOCKED, START + seconds(1)), None),
        (ListedFacts("contractId", _VALID, START, START), "expired"),
        (ListedFacts("contractId", _VALID, START, START + seconds(1)), None),
    ],
)
def test_s210_credential_was_not_valid_then(
    listed: ListedFacts, found: str | None
) -> None:
    judgement = judged(make_record(), listed=[listed])

    told = [] if found is None else [("S-210", listed.path, found)]
    seen = [(hit.rule, hit.path, hit.found) for hit in judgement.hits]
    assert seen == [(rule, f"serviceSession/{path}", word) for rule, path, word in told]
    assert judgement.outcome is (Outcome.HELD if found else Outcome.ACCEPTED)


@pytest.mark.clause("8-separate")
def test_s210_says_nothing_of_a_record_that_is_refused() -> None:
    listed = [ListedFacts("credential", _BLOCKED, START)]

    assert "S-210" not in rules_of(judged(make_record(), agreement=None, listed=listed))


@pytest.mark.parametrize(
    ("allowed", "listed", "kind"),
    [
        (True, ListedFacts("credential", _VALID, START), MatchKind.OFFLINE_LIST),
        (False, ListedFacts("credential", _VALID, START), MatchKind.NONE),
        (True, ListedFacts("credential", _VALID, START + seconds(1)), MatchKind.NONE),
        (True, ListedFacts("credential", _VALID, START, START), MatchKind.NONE),
    ],
)
def test_list_stands_in_for_a_session_where_the_agreement_allows_it(
    allowed: bool,  # noqa: FBT001 -- a case
    listed: ListedFacts,
    kind: MatchKind,
) -> None:
    agreement = make_agreement(terms=Terms(offline_allowed=allowed))
    record = replace(make_record(), session_id=None)

    judgement = judged(record, session=None, agreement=agreement, listed=[listed])

    assert judgement.match_kind is kind
    assert ("S-201" in rules_of(judgement)) is (kind is MatchKind.NONE)
    named = judged(make_record(), session=None, agreement=agreement, listed=[listed])
    assert "S-201" in rules_of(named)


@pytest.mark.parametrize(
    ("terms", "record", "rule"),
    [
        ({"ahead_seconds": 0}, make_record(ended_at=NOW + seconds(1)), "S-106"),
        (
            {"meter_slack_wh": 0},
            make_record(make_transaction(meter=(0, 23_455))),
            "S-110",
        ),
        (
            {"elapsed_slack_seconds": 0},
            replace(make_record(), idle_seconds=1),
            "S-204",
        ),
        ({"tiny_wh": 23_457}, make_record(), "S-302"),
        ({"late_notice_hours": 1}, make_record(), "S-304"),
        ({"energy_wh_max": 23_455}, make_record(), "S-203"),
        ({"duration_seconds_max": 3_599}, make_record(), "S-204"),
        ({"power_percent_max": 46}, make_record(), "S-202"),
    ],
)
def test_threshold_is_the_agreements(
    terms: dict[str, int], record: ServiceDetailRecord, rule: str
) -> None:
    agreement = make_agreement(terms=Terms(**terms))  # type: ignore[arg-type]

    assert rule in rules_of(judge(record, make_facts(agreement=agreement)))
    assert rule not in rules_of(judge(record, make_facts()))


def test_catalogue_describes_every_rule_with_its_severities_and_terms() -> None:
    rules = [one for one in vars(sdr_catalogue).values() if isinstance(one, Rule)]
    described = {entry.rule: entry for entry in sdr_catalogue.CATALOGUE}
    names = {field.name for field in fields(Terms)}

    for rule in rules:
        assert rule.severity.value in described[rule.rule].severities.split()
    single = {rule.rule for rule in rules}
    assert single == {name for name in described if name.startswith("S-")}
    assert list(described) == sorted(described)
    assert {term for one in described.values() for term in one.terms} <= names
