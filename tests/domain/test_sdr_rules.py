"""Each rule of the catalogue: what meets it, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode, Terms
from clearinghouse.domain.sdr_facts import (
    Judgement,
    Outcome,
    SdrFacts,
)
from clearinghouse.domain.sdr_rules import judge
from clearinghouse.domain.sdrs import (
    TEXT_MAX,
    ChargingTransaction,
    ServiceDetailRecord,
    Severity,
    content_digest,
    item_of,
)
from clearinghouse.domain.sessions import SessionState
from clearinghouse.domain.tariffs import ComponentType
from tests.domain.builders import (
    NOW,
    OTHER_ID,
    START,
    component,
    make_agreement,
    make_facts,
    make_record,
    make_session_facts,
    make_tariff,
    make_transaction,
    seconds,
)

Change = Callable[[ServiceDetailRecord, SdrFacts], None]


def rules_of(judgement: Judgement) -> list[str]:
    return [hit.rule for hit in judgement.hits]


def judged(record: ServiceDetailRecord, **facts: object) -> Judgement:
    known = make_facts()
    for name, value in facts.items():
        setattr(known, name, value)
    return judge(record, known)


@pytest.mark.clause("3.10")
def test_good_record_is_accepted_and_rated() -> None:
    judgement = judge(make_record(), make_facts())

    assert judgement.outcome is Outcome.ACCEPTED
    assert judgement.hits == ()
    assert (judgement.net_minor, judgement.claimed_minor) == (1149, 1149)
    assert (judgement.energy_wh, judgement.charge_seconds) == (23_456, 3600)


def test_same_content_again_is_a_duplicate_without_effect() -> None:
    record = make_record()
    digest = content_digest(record, subject_id=11)

    judgement = judged(record, known_digest=digest, csp_id=None)

    assert judgement.outcome is Outcome.DUPLICATE
    assert judgement.hits == ()


def test_s101_other_content_under_a_known_id() -> None:
    judgement = judged(make_record(), known_digest=b"other")

    assert judgement.outcome is Outcome.REFUSED
    assert rules_of(judgement) == ["S-101"]
    assert judgement.hits[0].code is codes.SDR_OTHER_CONTENT


@pytest.mark.clause("5-A")
@pytest.mark.parametrize(
    "facts", [{"agreement": None}, {"agreement": make_agreement(mode=Mode.A)}]
)
def test_s102_no_relation_at_the_start(facts: dict[str, object]) -> None:
    judgement = judged(make_record(), **facts)

    assert judgement.outcome is Outcome.REFUSED
    assert "S-102" in rules_of(judgement)


def test_s103_malformed_evse_id_says_why() -> None:
    judgement = judged(
        make_record(), evse=None, evse_key=None, evse_problem="write CH*VIS*E1"
    )

    assert judgement.outcome is Outcome.REFUSED
    assert judgement.hits[0].expected == "write CH*VIS*E1"


def test_s103_unknown_evse_is_held_for_a_day_and_then_refused() -> None:
    day_ago = NOW - timedelta(hours=25)
    old = make_record(started_at=day_ago)

    assert judged(make_record(), evse=None).outcome is Outcome.HELD
    assert judged(old, evse=None).outcome is Outcome.REFUSED
    foreign = judged(make_record(), evse=None, evse_prefix_owned=False)
    assert foreign.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "record",
    [
        make_record(currency="EUX"),
        make_record(currency="CHF"),
        make_record(claimed_net="1.005"),
    ],
)
def test_s104_currency_or_its_decimals_are_not_agreed(
    record: ServiceDetailRecord,
) -> None:
    judgement = judge(record, make_facts())

    assert judgement.outcome is Outcome.REFUSED
    assert rules_of(judgement) == ["S-104"]
    assert judgement.net_minor == 0


def test_s105_unknown_tariff() -> None:
    judgement = judged(make_record(), tariff=None)

    assert judgement.outcome is Outcome.REFUSED
    assert rules_of(judgement) == ["S-105"]


def test_s106_end_not_after_start() -> None:
    record = make_record(ended_at=START)

    judgement = judge(record, make_facts())

    assert judgement.outcome is Outcome.REFUSED
    assert "S-106" in rules_of(judgement)


@pytest.mark.parametrize(
    ("start_seconds", "path"), [(301, "startedAt"), (299, "endedAt")]
)
def test_s106_in_the_future(start_seconds: int, path: str) -> None:
    record = make_record(started_at=NOW + seconds(start_seconds))

    judgement = judge(record, make_facts())

    hit = next(hit for hit in judgement.hits if hit.rule == "S-106")
    assert hit.path == f"serviceSession/{path}"


@pytest.mark.parametrize(
    ("limit_days", "age_days", "refused"),
    [(30, 29, False), (30, 31, True), (90, 59, False), (90, 61, True)],
)
def test_s107_too_old(limit_days: int, age_days: int, *, refused: bool) -> None:
    agreement = make_agreement(terms=Terms(late_limit_days=limit_days))
    record = make_record(started_at=NOW - timedelta(days=age_days, hours=2))

    judgement = judge(record, make_facts(agreement=agreement))

    assert ("S-107" in rules_of(judgement)) is refused


@pytest.mark.parametrize(
    "record",
    [
        make_record(make_transaction(energy_wh=-1)),
        make_record(make_transaction(duration_seconds=-1), ended_at=NOW),
        make_record(claimed_net="-0.01"),
        replace(make_record(), parking_seconds=-1),
        replace(make_record(), idle_seconds=-1),
    ],
)
def test_s108_nothing_is_negative_in_an_original(record: ServiceDetailRecord) -> None:
    judgement = judge(record, make_facts())

    assert judgement.outcome is Outcome.REFUSED
    assert "S-108" in rules_of(judgement)


@pytest.mark.parametrize(
    ("meter", "refused"),
    [
        ((100_000, 123_456), False),
        ((100_000, 123_455), False),
        ((100_000, 123_454), True),
        ((123_456, 100_000), True),
    ],
)
def test_s110_energy_fits_the_meter(meter: tuple[int, int], *, refused: bool) -> None:
    judgement = judge(make_record(make_transaction(meter=meter)), make_facts())

    assert rules_of(judgement) == (["S-110"] if refused else [])


@pytest.mark.parametrize(
    "session",
    [
        None,
        make_session_facts(state=SessionState.REFUSED),
        make_session_facts(state=SessionState.SDR_RECEIVED),
        make_session_facts(home_id=OTHER_ID),
        make_session_facts(evse_key="CHVISE12"),
    ],
)
def test_s201_no_session_fits(session: object) -> None:
    judgement = judged(make_record(), session=session)

    assert judgement.outcome is Outcome.HELD
    assert rules_of(judgement) == ["S-201"]


def test_s201_only_where_the_agreement_asks_for_a_match() -> None:
    agreement = make_agreement(terms=Terms(match_required=False))

    judgement = judged(make_record(), session=None, agreement=agreement)

    assert judgement.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(("energy_wh", "held"), [(52_500, False), (52_501, True)])
def test_s202_more_power_than_the_evse_gives(energy_wh: int, *, held: bool) -> None:
    record = make_record(make_transaction(energy_wh=energy_wh), claimed_net="25.73")

    judgement = judge(record, make_facts())

    assert ("S-202" in rules_of(judgement)) is held


def test_s203_implausibly_much_energy() -> None:
    transaction = make_transaction(energy_wh=200_001, duration_seconds=3 * 3600)
    start = NOW - timedelta(hours=5)
    transaction.started_at, transaction.ended_at = start, start + timedelta(hours=5)

    judgement = judge(make_record(transaction, started_at=start), make_facts())

    assert "S-203" in rules_of(judgement)
    assert judgement.outcome is Outcome.HELD


def test_s204_implausible_durations() -> None:
    start = NOW - timedelta(hours=50)
    long = make_record(make_transaction(started_at=start), started_at=start)
    long.ended_at = start + timedelta(hours=48, seconds=1)
    crowded = replace(make_record(), idle_seconds=61)
    outside = make_record()
    outside.charging_sessions[0].ended_at = outside.ended_at + seconds(61)

    for record in (long, crowded, outside):
        assert "S-204" in rules_of(judge(record, make_facts()))
    assert judge(replace(make_record(), idle_seconds=60), make_facts()).hits == ()


@pytest.mark.parametrize(
    ("claimed", "rule"),
    [
        ("11.49", []),
        ("11.50", ["S-301"]),
        ("11.54", ["S-301"]),
        ("11.55", ["S-208"]),
        ("11.60", ["S-208"]),
        ("11.30", ["S-208"]),
    ],
)
def test_r10_claim_against_rating(claimed: str, rule: list[str]) -> None:
    judgement = judge(make_record(claimed_net=claimed), make_facts())

    assert rules_of(judgement) == rule
    assert judgement.outcome is (Outcome.HELD if "S-208" in rule else Outcome.ACCEPTED)
    assert judgement.net_minor == 1149


def test_s208_tolerance_is_the_agreements() -> None:
    terms = Terms(tolerance_minor=20, tolerance_ppm=0)
    facts = make_facts(agreement=make_agreement(terms=terms))

    assert rules_of(judge(make_record(claimed_net="11.69"), facts)) == ["S-301"]
    assert rules_of(judge(make_record(claimed_net="11.70"), facts)) == ["S-208"]


def test_s209_unusually_high_amounts() -> None:
    dear = make_tariff(component(ComponentType.FLAT, "150.01"))
    record = make_record(claimed_net="150.01")

    assert rules_of(judge(record, make_facts(tariff=dear))) == ["S-209"]
    assert rules_of(judged(make_record(), mean_net_minor=229)) == ["S-209"]
    assert rules_of(judged(make_record(), mean_net_minor=230)) == []


def test_s209_ceiling_follows_the_currency() -> None:
    forint = make_tariff(component(ComponentType.FLAT, "20000"), currency="HUF")
    agreement = make_agreement(currency="HUF")
    record = make_record(claimed_net="20000", currency="HUF")

    judgement = judge(record, make_facts(agreement=agreement, tariff=forint))

    assert judgement.hits == ()


@pytest.mark.parametrize(
    ("energy_wh", "duration_seconds", "warned"),
    [(0, 121, True), (0, 120, False), (99, 60, True), (100, 60, False)],
)
def test_s302_hardly_any_energy(
    energy_wh: int, duration_seconds: int, *, warned: bool
) -> None:
    transaction = make_transaction(
        energy_wh=energy_wh, duration_seconds=duration_seconds
    )
    record = make_record(transaction, claimed_net="0.05" if energy_wh else "0")

    judgement = judge(record, make_facts())

    assert judgement.outcome is Outcome.ACCEPTED
    assert ("S-302" in rules_of(judgement)) is warned


def test_s303_ends_a_little_in_the_future() -> None:
    start = NOW - timedelta(minutes=57)
    record = make_record(make_transaction(started_at=start), started_at=start)

    judgement = judge(record, make_facts())

    assert rules_of(judgement) == ["S-303"]
    assert judgement.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(("hours", "warned"), [(0, False), (1, False), (2, True)])
def test_s303_offset_that_is_not_the_zones(hours: int, *, warned: bool) -> None:
    start = START.astimezone(timezone(timedelta(hours=hours)))
    record = make_record(make_transaction(started_at=start), started_at=start)

    judgement = judge(record, make_facts())

    assert rules_of(judgement) == (["S-303"] if warned else [])


@pytest.mark.parametrize(
    ("offset_hours", "ended_utc", "warned"),
    [
        (2, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        (1, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), True),
        (2, datetime(2026, 10, 24, 23, 30, tzinfo=UTC), False),
        (1, datetime(2026, 10, 25, 2, 30, tzinfo=UTC), False),
        (0, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), False),
    ],
)
def test_s303_local_time_that_comes_twice(
    offset_hours: int, ended_utc: datetime, *, warned: bool
) -> None:
    ended_at = ended_utc.astimezone(timezone(timedelta(hours=offset_hours)))
    start = ended_utc - timedelta(hours=1)
    record = make_record(make_transaction(started_at=start), started_at=start)
    record.ended_at = ended_at

    hits = judged(record, now=ended_utc + timedelta(hours=1)).hits

    assert [hit.path for hit in hits] == ["serviceSession/endedAt"] * warned
    assert all((hit.rule, hit.expected) == ("S-303", "UTC") for hit in hits)


@pytest.mark.parametrize(
    ("hours", "flags"),
    [
        (24, []),
        (25, [("S-304", "within 24 hours")]),
        (24 * 7, [("S-304", "within 24 hours")]),
        (24 * 8, [("S-304", "within 24 hours"), ("S-307", "within 7 days")]),
    ],
)
def test_s304_and_s307_submitted_late(hours: int, flags: list[tuple[str, str]]) -> None:
    start = NOW - timedelta(hours=hours + 1)
    record = make_record(make_transaction(started_at=start), started_at=start)

    judgement = judge(record, make_facts())

    assert [(hit.rule, hit.expected) for hit in judgement.hits] == flags
    assert all(hit.severity is Severity.W for hit in judgement.hits)


@pytest.mark.parametrize(
    ("received", "warned"), [("CH*VIS*E1*1", False), ("+41*823*1*1", True)]
)
def test_s305_din_form_is_remarked_with_the_form_to_write(
    received: str, *, warned: bool
) -> None:
    hits = judge(replace(make_record(), evse_id=received), make_facts()).hits

    expected = [("S-305", "CH*823*E1*1", received)] if warned else []
    assert [(hit.rule, hit.expected, hit.found) for hit in hits] == expected


def test_s306_tariff_changed_during_the_session() -> None:
    judgement = judged(make_record(), tariff_changed_at=START + seconds(60))

    assert rules_of(judgement) == ["S-306"]
    assert judgement.outcome is Outcome.ACCEPTED


def test_all_rules_run_and_hits_stand_in_fixed_order() -> None:
    start = NOW - timedelta(days=31)
    record = make_record(
        make_transaction(energy_wh=300_000, meter=(0, 1), started_at=start),
        claimed_net="1.00",
        started_at=start,
    )

    judgement = judged(record, agreement=None, session=None)

    assert judgement.outcome is Outcome.REFUSED
    assert rules_of(judgement) == sorted(rules_of(judgement))
    assert set(rules_of(judgement)) >= {"S-102", "S-107", "S-110", "S-201", "S-203"}
    assert judgement == judged(record, agreement=None, session=None)


def test_hit_becomes_an_item_with_the_place_in_the_batch() -> None:
    judgement = judge(make_record(claimed_net="11.60"), make_facts())

    item = item_of(judgement.hits[0], 4)

    assert (item.index, item.rule, item.code) == (4, "S-208", codes.SDR_AMOUNT)
    assert (item.expected, item.found) == ("11.49 EUR", "11.60 EUR")
    assert item.path == "claimedNet"


INSTANTS = st.integers(-(10**8), 10**8).map(lambda offset: NOW + seconds(offset))
RECORDS = st.builds(
    lambda start, end, energy_wh, claimed, currency: make_record(
        ChargingTransaction(
            charging_transaction_id="T",
            started_at=start,
            ended_at=end,
            energy_wh=energy_wh,
        ),
        claimed_net=str(claimed),
        currency=currency,
        started_at=start,
        ended_at=end,
    ),
    INSTANTS,
    INSTANTS,
    st.integers(-(10**9), 10**9),
    st.decimals(places=6, min_value=-(10**9), max_value=10**9),
    st.sampled_from(["EUR", "JPY", "ZZZ"]),
)
FACTS = ["csp_id", "agreement", "evse", "tariff", "session"]


@given(record=RECORDS, unknown=st.sets(st.sampled_from(FACTS)))
def test_no_record_makes_a_rule_raise(
    record: ServiceDetailRecord, unknown: set[str]
) -> None:
    judgement = judged(record, **dict.fromkeys(unknown))

    assert judgement.outcome is not Outcome.DUPLICATE
    assert rules_of(judgement) == sorted(rules_of(judgement))
    assert all(len(hit.found) <= TEXT_MAX for hit in judgement.hits)
    if judgement.outcome is Outcome.ACCEPTED:
        assert {hit.severity for hit in judgement.hits} <= {Severity.W}
