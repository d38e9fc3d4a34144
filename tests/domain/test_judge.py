"""The judge as a whole: the same facts give the same word, and every rule is heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.debit_caps import Debits
from clearinghouse.domain.sdr_facts import ListedFacts, Neighbour, Outcome, SdrFacts
from clearinghouse.domain.sdr_rules import judge
from clearinghouse.domain.vat import Doubt
from tests.domain.builders import START, make_facts, make_record

if TYPE_CHECKING:
    import random

    from clearinghouse.domain.sdr_facts import Judgement
    from clearinghouse.domain.sdrs import ServiceDetailRecord

Slip = Callable[["ServiceDetailRecord", SdrFacts], None]


def _unknown_tariff(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.tariff = None


def _other_content(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.known_digest = bytes(32)


def _unknown_evse(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.evse, facts.evse_prefix_owned = None, False


def _too_old(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.now += timedelta(days=50)


def _reference(record: ServiceDetailRecord, _: SdrFacts) -> None:
    record.ref_sdr_id = "ANOTHER"


def _no_session(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.session = None


def _idle(record: ServiceDetailRecord, _: SdrFacts) -> None:
    record.idle_seconds = 86_400


def _dear(record: ServiceDetailRecord, _: SdrFacts) -> None:
    record.claimed_net = Decimal("99.00")


def _doubtful_vat(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.vat_doubt = Doubt("an EVSE in DE", "an EVSE in CH")


def _no_room(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.debits = Debits(0)


def _blocked(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.listed = [ListedFacts("credential", CredentialStatus.BLOCKED, START)]


def _other_tariff(_: ServiceDetailRecord, facts: SdrFacts) -> None:
    facts.tariff_changed_at = START + timedelta(minutes=1)


#: Slips that leave each other alone, and the rule that each is told by.
REFUSED: dict[Slip, str] = {
    _other_content: "S-101",
    _unknown_evse: "S-103",
    _too_old: "S-107",
    _reference: "S-109",
}
HELD: dict[Slip, str] = {
    _no_session: "S-201",
    _idle: "S-204",
    _dear: "S-208",
    _doubtful_vat: "S-212",
}
#: Of a record that is refused these say nothing.
DISCREET: dict[Slip, str] = {_no_room: "S-211", _blocked: "S-210"}
REMARKED: dict[Slip, str] = {_other_tariff: "S-306"}
ALL = REFUSED | HELD | DISCREET | REMARKED

_slips = st.lists(st.sampled_from(list(ALL)), unique=True)


def _judged(slips: list[Slip]) -> Judgement:
    record, facts = make_record(), make_facts()
    for slip in slips:
        slip(record, facts)
    return judge(record, facts)


@given(_slips, st.randoms(use_true_random=False))
def test_every_rule_is_heard_whatever_else_is_wrong_and_in_one_order(
    slips: list[Slip], shuffler: random.Random
) -> None:
    shuffled = list(slips)
    shuffler.shuffle(shuffled)

    found = _judged(slips)

    refused = any(slip in REFUSED for slip in slips)
    wanted = {ALL[slip] for slip in slips if not (refused and slip in DISCREET)}
    known = set(ALL.values())
    rules = [hit.rule for hit in found.hits]
    assert set(rules) & known == wanted
    assert not refused or not set(rules) & set(DISCREET.values())
    assert _judged(shuffled) == found
    if refused:
        assert found.outcome is Outcome.REFUSED
    elif set(slips) - REMARKED.keys():
        assert found.outcome is Outcome.HELD
    else:
        assert found.outcome is Outcome.ACCEPTED


@given(_slips)
def test_judging_is_repeatable_and_changes_nothing(slips: list[Slip]) -> None:
    record, facts = make_record(), make_facts()
    for slip in slips:
        slip(record, facts)
    debits = facts.debits
    before = deepcopy(record), replace(facts)

    first, second = judge(record, facts), judge(record, facts)

    assert first == second
    assert (record, facts) == before
    assert debits is None or debits.owed_minor == 0


_neighbours = st.lists(
    st.builds(
        Neighbour,
        sdr_id=st.one_of(st.none(), st.sampled_from(["A", "B", "C", "D"])),
        evse_key=st.sampled_from(["CHVISE11", "CHVISE22"]),
        started_at=st.integers(-90, 90).map(lambda n: START + timedelta(minutes=n)),
        ended_at=st.just(START + timedelta(minutes=100)),
        latitude_u=st.sampled_from([46_000_000, 47_900_000]),
        longitude_u=st.just(8_900_000),
        energy_wh=st.sampled_from([23_456, 1_000]),
        csp_id=st.sampled_from([make_facts().csp_id, 77]),
        subject_id=st.sampled_from([11, None]),
    ),
    max_size=8,
)


@given(_neighbours, st.randoms(use_true_random=False))
def test_order_in_which_neighbours_are_known_does_not_matter(
    neighbours: list[Neighbour], shuffler: random.Random
) -> None:
    def judged(known: list[Neighbour]) -> Judgement:
        facts = make_facts()
        facts.on_evse = [one for one in known if one.evse_key == facts.evse_key]
        facts.of_subject = known
        return judge(make_record(), facts)

    shuffled = list(neighbours)
    shuffler.shuffle(shuffled)
    first, second = judged(neighbours), judged(shuffled)

    assert first.outcome is second.outcome
    assert Counter(first.hits) == Counter(second.hits)
    assert [hit.rule for hit in first.hits] == [hit.rule for hit in second.hits]
