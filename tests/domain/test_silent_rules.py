"""The short way through the rules says what the rules say, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from itertools import combinations_with_replacement
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearinghouse.domain import sdr_rules
from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.debit_caps import Debits
from clearinghouse.domain.energy import ENERGY_WH_MAX
from clearinghouse.domain.meters import (
    Encoding,
    MeterReading,
    SignedFormat,
    SignedMeterValue,
)
from clearinghouse.domain.money import AMOUNT_MINOR_MAX
from clearinghouse.domain.refusing_rules import CHARGE_SECONDS_MAX
from clearinghouse.domain.sdr_facts import ListedFacts, Neighbour, SdrFacts, SoFar
from clearinghouse.domain.sdr_rules import judge, judge_by_rules
from clearinghouse.domain.sdrs import (
    ChargingSession,
    MatchKind,
    SdrKind,
    ServiceDetailRecord,
    content_digest,
)
from clearinghouse.domain.sessions import SessionState
from clearinghouse.domain.silent_rules import figures_if_silent
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.domain.vat import Doubt, VatCategory, VatTreatment
from tests.domain.builders import (
    HOME_ID,
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
_HOUR = 3_600
_DAY = 24 * _HOUR
_LOCAL = timezone(timedelta(hours=1))


def usual() -> tuple[ServiceDetailRecord, SdrFacts]:
    """Return a record with all parts in the same instants, and what is known of it."""
    record = make_record()
    (session,) = record.charging_sessions
    (transaction,) = session.transactions
    session.ended_at = transaction.ended_at = record.ended_at
    session.started_at = transaction.started_at = record.started_at
    facts = make_facts()
    facts.match_kind = MatchKind.SESSION_ID
    return record, facts


def of_record(**fields: object) -> Change:
    def change(record: ServiceDetailRecord, _: SdrFacts) -> None:
        for name, value in fields.items():
            setattr(record, name, value)

    return change


def of_session(**fields: object) -> Change:
    def change(record: ServiceDetailRecord, _: SdrFacts) -> None:
        for session in record.charging_sessions[:1]:
            for name, value in fields.items():
                setattr(session, name, value)

    return change


def of_transaction(**fields: object) -> Change:
    def change(record: ServiceDetailRecord, _: SdrFacts) -> None:
        for session in record.charging_sessions[:1]:
            for transaction in session.transactions[:1]:
                for name, value in fields.items():
                    setattr(transaction, name, value)

    return change


def of_facts(**fields: object) -> Change:
    def change(_: ServiceDetailRecord, facts: SdrFacts) -> None:
        for name, value in fields.items():
            setattr(facts, name, value)

    return change


def of_terms(**fields: Any) -> Change:  # noqa: ANN401 -- any term of an agreement
    def change(_: ServiceDetailRecord, facts: SdrFacts) -> None:
        if facts.agreement is not None:
            terms = replace(facts.agreement.terms, **fields)
            facts.agreement = replace(facts.agreement, terms=terms)

    return change


def of_evse(**fields: Any) -> Change:  # noqa: ANN401 -- any fact of an EVSE
    def change(_: ServiceDetailRecord, facts: SdrFacts) -> None:
        if facts.evse is not None:
            facts.evse = facts.evse._replace(**fields)

    return change


def ending(age_seconds: int, elapsed: int = _HOUR, parts: int = 3) -> Change:
    """Let the record end so long ago; of its parts some share its very instants."""

    def change(record: ServiceDetailRecord, _: SdrFacts) -> None:
        record.ended_at = NOW - seconds(age_seconds)
        record.started_at = record.ended_at - seconds(elapsed)
        for session in record.charging_sessions[: parts // 2]:
            session.started_at, session.ended_at = record.started_at, record.ended_at
            for one in session.transactions[: parts % 2]:
                one.started_at, one.ended_at = record.started_at, record.ended_at

    return change


def charged(energy_wh: int, net: str, *, more_wh: int = 0) -> Change:
    """Let the transaction have so much energy, and its registers a little less.

    Nobody knows what the EVSE can give.
    """

    def change(record: ServiceDetailRecord, facts: SdrFacts) -> None:
        stop_wh = 5_000 + energy_wh - more_wh
        of_transaction(
            energy_wh=energy_wh, meter_start_wh=5_000, meter_stop_wh=stop_wh
        )(record, facts)
        record.claimed_net = Decimal(net)
        of_evse(power_w=0)(record, facts)

    return change


def rated_by(*components: Component) -> Change:
    return of_facts(tariff=make_facts(tariff=make_tariff(*components)).tariff)


def neighbour(start: int, length: int, **fields: Any) -> Neighbour:  # noqa: ANN401
    began = START + seconds(start)
    usual = Neighbour(
        *("SDR-9", "CHVISE11", began, began + seconds(length)),
        energy_wh=23_456,
        csp_id=HOME_ID,
    )
    return usual._replace(**fields)


def next_to(*places: tuple[int, int], name: str | None = "SDR-9") -> Change:
    return of_facts(on_evse=[neighbour(*place, sdr_id=name) for place in places])


_signed = SignedMeterValue(
    format=SignedFormat.OTHER, encoding=Encoding.PLAIN, data="x", public_key=None
)
_TAXED = VatTreatment(VatCategory.STANDARD, 1_900, "", "", 1)
_late = [0, -1, -2, 300, -301, _HOUR, _DAY - 1, _DAY, _DAY + 1, 7 * _DAY, 7 * _DAY - 1]
_late += [7 * _DAY + 1, 30 * _DAY - 1, 30 * _DAY, 60 * _DAY, 60 * _DAY + 1, 80 * _DAY]
_long = [
    -1,
    0,
    1,
    59,
    60,
    61,
    119,
    120,
    121,
    _HOUR,
    2 * _DAY - 1,
    2 * _DAY,
    2 * _DAY + 1,
]
_long += [CHARGE_SECONDS_MAX, CHARGE_SECONDS_MAX + 1]
_much = [-1, 0, 1, 99, 100, 101, 23_456, 200_000, 200_001, ENERGY_WH_MAX + 1]
_claims = ["11.49", "11.48", "11.50", "0", "-0", "-11.49", "11.490", "11.495", "1E+1"]
_claims += ["0.05", "0.00", "98.00", "150.00", "150.01", "NaN", "Infinity", "1E+30"]
_claims += [
    str(Decimal(AMOUNT_MINOR_MAX) / 100),
    str(Decimal(AMOUNT_MINOR_MAX + 1) / 100),
]
_usual_claims = [(-1, "0"), (0, "0"), (1, "0"), (99, "0.05"), (100, "0.05")]
_usual_claims += [(200_000, "98.00"), (200_001, "98.00"), (306_122, "150.00")]
_usual_claims += [(306_125, "150.00")]
_usual_claims += [
    (energy_wh, f"{Decimal(energy_wh * 49).scaleb(-5):.2f}")
    for energy_wh in (ENERGY_WH_MAX, ENERGY_WH_MAX + 1)
]
_near = [-_DAY, -_HOUR, -3_661, -3_660, -61, -60, -1, 0, 1, 60, 61, 3_539, _HOUR, _DAY]

CHANGES: tuple[Change, ...] = (
    *[ending(age, parts=parts) for age in _late for parts in (1, 3)],
    *[ending(_HOUR, elapsed, parts) for elapsed in _long for parts in range(4)],
    *[of_record(claimed_net=Decimal(claim)) for claim in _claims],
    *[charged(*one, more_wh=wh) for one in _usual_claims for wh in (-1, 0, 1, 2)],
    *[of_transaction(energy_wh=energy_wh) for energy_wh in _much],
    *[of_transaction(meter_stop_wh=register) for register in (None, -1, 0, 1)],
    of_transaction(meter_start_wh=None),
    *[of_transaction(ended_at=START + seconds(at)) for at in _near],
    *[of_transaction(started_at=START + seconds(at)) for at in _near],
    *[of_session(started_at=START + seconds(at)) for at in (-61, -60, 0, 61)],
    *[of_session(ended_at=START + seconds(_HOUR + at)) for at in (-61, 0, 60, 61)],
    *[of_record(idle_seconds=idle) for idle in (-1, 0, 1, 60, 61, 3_600)],
    *[of_record(parking_seconds=parking) for parking in (-1, 0, 1, 999)],
    *[next_to((at, length)) for at in _near for length in (0, 60, _HOUR)],
    next_to((-1, 60), name="sdr-1"),
    next_to((-1, 60), name=None),
    next_to((-_DAY, 60), (-1, 60)),
    of_record(started_at=START.astimezone(_LOCAL)),
    of_record(ended_at=(START + seconds(_HOUR)).astimezone(_LOCAL)),
    of_record(kind=SdrKind.REPLACEMENT),
    of_record(kind=SdrKind.CREDIT),
    of_record(ref_sdr_id="SDR-0"),
    of_record(currency="CHF"),
    of_record(currency="EUX"),
    of_record(evse_id="+49*823*1234567"),
    of_record(evse_id=" CH*VIS*E1*1"),
    of_record(evse_id="chvise11"),
    of_record(session_id=None),
    of_record(charging_sessions=[]),
    of_session(transactions=[]),
    of_session(transactions=[make_transaction(), make_transaction()]),
    of_record(
        charging_sessions=[
            ChargingSession(
                charging_session_id=name,
                started_at=START,
                ended_at=START + seconds(_HOUR),
                transactions=[make_transaction()],
            )
            for name in "AB"
        ]
    ),
    *[
        of_facts(so_far=SoFar(3, energy_wh, START + seconds(late)))
        for energy_wh in (23_456, 23_457, 23_458)
        for late in (_HOUR, _HOUR + 60, _HOUR + 61)
    ],
    of_transaction(readings=(MeterReading(START, 1), MeterReading(START, 2))),
    of_transaction(signed_values=(_signed,)),
    *[of_facts(**{name: None}) for name in ("agreement", "tariff", "evse")],
    *[of_facts(**{name: None}) for name in ("session", "evse_key", "csp_id")],
    of_facts(known_digest=b"other"),
    of_facts(tariff_changed_at=START),
    of_facts(vat_doubt=Doubt("an EVSE in DE", "an EVSE in CH")),
    of_facts(vat_rate_bp=1_900),
    of_facts(user_id=5, subject_id=5),
    of_facts(agreement=make_agreement(mode=Mode.A)),
    of_facts(agreement=make_agreement(currency="CHF")),
    of_facts(mean_net_minor=1),
    of_facts(mean_net_minor=1_149),
    *[of_facts(debits=Debits(limit)) for limit in (0, 1_148, 1_149, 10_000)],
    of_facts(debits=Debits(10_000, counted=False)),
    of_facts(debits=Debits(1_149), vat=_TAXED),
    of_facts(match_kind=MatchKind.EVSE_AND_USER),
    of_facts(listed=[ListedFacts("credential", CredentialStatus.BLOCKED, START)]),
    of_facts(listed=[ListedFacts("credential", CredentialStatus.VALID, START)]),
    of_facts(of_subject=[neighbour(0, 60, evse_key="X", latitude_u=0)]),
    of_facts(
        of_subject=[neighbour(7_200, 60, evse_key="X", latitude_u=0, longitude_u=0)]
    ),
    *[of_facts(session=make_session_facts(state=one)) for one in SessionState],
    of_facts(session=make_session_facts(home_id=OTHER_ID)),
    of_facts(session=make_session_facts(evse_key="CHVISE12")),
    of_evse(power_w=0),
    of_evse(power_w=22_339),
    of_evse(power_w=22_340),
    of_evse(latitude_u=47_000_000, longitude_u=8_000_000),
    of_terms(signed_meter_required=True),
    of_terms(match_required=False),
    of_terms(late_limit_days=0),
    of_terms(late_notice_days=0),
    of_terms(late_notice_hours=0),
    of_terms(late_notice_hours=9_999),
    of_terms(late_notice_hours=9_999, late_notice_days=999),
    of_terms(late_notice_hours=9_999, late_notice_days=999, late_limit_days=999),
    of_terms(energy_wh_max=23_455),
    of_terms(energy_wh_max=23_456),
    of_terms(energy_wh_max=10**12, net_ceiling_minor=10**12, tiny_wh=0),
    of_terms(duration_seconds_max=10**9, late_limit_days=999, late_notice_days=999),
    of_terms(duration_seconds_max=3_599),
    of_terms(duration_seconds_max=3_600),
    of_terms(power_percent_max=1),
    of_terms(overlap_seconds_max=-1),
    of_terms(overlap_seconds_max=0),
    of_terms(near_duplicate_seconds=0),
    of_terms(near_duplicate_ppm=1_000_000),
    of_terms(net_ceiling_minor=1_148),
    of_terms(net_ceiling_minor=1_149),
    of_terms(meter_slack_wh=0),
    of_terms(elapsed_slack_seconds=-1),
    of_terms(elapsed_slack_seconds=0),
    of_terms(tiny_wh=0),
    of_terms(tiny_wh=23_457),
    of_terms(zero_energy_seconds=3_600),
    of_terms(tolerance_minor=0, tolerance_ppm=0),
    rated_by(component(ComponentType.FLAT, "11.49")),
    rated_by(component(ComponentType.FLAT, "0")),
    rated_by(
        component(ComponentType.TIME, "0.1"),
        component(ComponentType.IDLE, "0.5", grace_seconds=30),
    ),
)


def assert_same(changed: Iterable[Change]) -> None:
    """Judge a record with these changes both ways."""
    record, facts = usual()
    for change in changed:
        change(record, facts)
    digest = content_digest(
        record,
        subject_id=facts.subject_id,
        contract_subject_id=facts.contract_subject_id,
    )

    assert judge(record, facts) == judge_by_rules(record, facts, digest)


def test_what_is_silent_is_judged_as_by_the_rules() -> None:
    for pair in combinations_with_replacement(CHANGES, 2):
        assert_same(pair)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(CHANGES), min_size=3, max_size=6))
def test_what_is_silent_under_many_changes_is_judged_so_too(
    changed: list[Change],
) -> None:
    assert_same(changed)


@pytest.mark.parametrize(
    "change",
    [
        of_record(),
        of_record(sdr_id=str(uuid4())),
        of_terms(match_required=False),
        ending(10 * _HOUR, _HOUR),
        ending(_DAY - 1, _HOUR),
        ending(0, _HOUR),
        next_to((-_HOUR, _HOUR - 60), (_HOUR, 60)),
        of_facts(debits=Debits(1_149)),
        of_record(parking_seconds=60, idle_seconds=60),
        of_transaction(ended_at=START + seconds(3_000)),
        of_evse(power_w=0),
        of_evse(power_w=22_340),
        of_facts(vat_rate_bp=1_900),
        of_facts(so_far=SoFar(1, 23_457, START + seconds(_HOUR + 60))),
        charged(200_000, "98.00"),
        charged(100, "0.05"),
    ],
)
def test_usual_record_takes_the_short_way(change: Change) -> None:
    record, facts = usual()

    of_evse(power_w=0)(record, facts)
    change(record, facts)

    assert figures_if_silent(record, facts) is not None


def test_short_way_knows_all_rules() -> None:
    assert sdr_rules.KNOWS_ALL_RULES


def test_rule_that_nobody_looked_at_closes_the_short_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record, facts = usual()
    asked: list[object] = []
    monkeypatch.setattr(sdr_rules, "KNOWS_ALL_RULES", False)
    monkeypatch.setattr(
        sdr_rules,
        "figures_if_silent",
        lambda *_: asked.append(_),  # pragma: no cover
    )

    judged = judge(record, facts)

    assert (judged.net_minor, asked) == (1149, [])
