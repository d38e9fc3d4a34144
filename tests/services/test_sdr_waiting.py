"""SDRs that wait: for a session that comes late, or for the home CSP's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import MatchKind, SdrStatus, Verdict
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import held_sdrs, sdr_confirmations, sdr_delivery, sdrs
from clearinghouse.services.outcomes import Done
from clearinghouse.services.sdrs import Standing, StatusQuery, Word
from clearinghouse.storage import outbox, sessions
from clearinghouse.storage.outbox import Claim
from clearinghouse.storage.sessions import PartnerSessionId
from tests.builders import NOW, make_exchange, make_sender, make_session
from tests.services.sdr_world import STARTED_AT, World, make_sdr, make_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from clearinghouse.domain.errors import Item
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock

CARD = "04A2B3C4D5E6F7"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _standing(world: World, sdr_id: str) -> Standing:
    query = StatusQuery(sdr_ids=[sdr_id])
    (standing,) = sdrs.get_sdr_status(
        world.env, make_sender(world.cso), query
    ).standings
    return standing


def _enrol(world: World) -> int:
    enrolled = world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, [CARD], at=STARTED_AT
    )
    return enrolled.subjects[CARD]


def _session(world: World, *, name: str | None = None, **override: object) -> None:
    """Store a session that the CSO reports late, when its EVSE is heard again."""
    late = {"state": SessionState.ENDED, "created_at": NOW, "started_at": STARTED_AT}
    session = make_session(world.cso, world.csp, **late | override)
    with world.env.database.begin() as tx:
        sessions.insert_session(tx, session)
        if name is not None:
            own = PartnerSessionId(world.cso.participant_id, name)
            sessions.name_session(tx, session.session_id, own)


def test_late_report_of_its_session_takes_a_held_sdr_in(world: World) -> None:
    subject = _enrol(world)
    card = {"credential_kind": CredentialKind.RFID, "credential_value": CARD}
    record = make_sdr(**card)
    assert world.submit([record]).counts.held == 1
    assert held_sdrs.rematch_due(world.env) == 0

    _session(world, subject_id=subject)

    assert held_sdrs.rematch_due(world.env) == 1
    assert held_sdrs.rematch_due(world.env) == 0
    standing = _standing(world, record.sdr_id)
    assert standing.status is SdrStatus.ACCEPTED
    assert standing.match_kind is MatchKind.EVSE_AND_USER
    (settled,) = world.close().settlements
    assert (settled.sdr_count, settled.gross_minor) == (1, 1149)


@pytest.mark.parametrize(
    ("started_at", "matched"),
    [
        (STARTED_AT + timedelta(seconds=300), 1),
        (STARTED_AT + timedelta(seconds=301), 0),
    ],
)
def test_late_session_begins_as_near_as_the_agreement_says(
    world: World, started_at: datetime, matched: int
) -> None:
    subject = _enrol(world)
    record = make_sdr(credential_kind=CredentialKind.RFID, credential_value=CARD)
    world.submit([record])

    _session(world, subject_id=subject, started_at=started_at)

    assert held_sdrs.rematch_due(world.env) == matched


def test_name_that_the_cso_gives_its_session_later_takes_the_sdr_in(
    world: World,
) -> None:
    record = make_sdr(partner_session_id="S-77")
    world.submit([record])

    _session(world, name="S-77", created_at=STARTED_AT - timedelta(days=1))

    assert held_sdrs.rematch_due(world.env) == 1
    assert _standing(world, record.sdr_id).match_kind is MatchKind.PARTNER_SESSION_ID


def test_what_another_rule_holds_too_stays_held(world: World) -> None:
    record = make_sdr(partner_session_id="S-77", claimed_net=Decimal("20.00"))
    world.submit([record])

    _session(world, name="S-77")

    assert held_sdrs.rematch_due(world.env) == 0
    assert _standing(world, record.sdr_id).status is SdrStatus.HELD


def test_one_session_takes_one_sdr_in(world: World) -> None:
    first = make_sdr(partner_session_id="S-77")
    second = make_sdr(
        partner_session_id="S-77",
        evse_id="CH*REP*E0002*1",
    )
    third = replace(
        make_sdr(partner_session_id="S-77"),
        started_at=STARTED_AT - timedelta(hours=5),
        ended_at=STARTED_AT - timedelta(hours=4),
        charging_sessions=[],
        claimed_net=Decimal(0),
    )
    assert world.submit([first, second, third]).counts.held == 3

    _session(world, name="S-77")

    assert held_sdrs.rematch_due(world.env) == 1
    assert held_sdrs.rematch_due(world.env) == 0


@pytest.mark.parametrize("state", [SessionState.REFUSED, SessionState.SDR_RECEIVED])
def test_session_that_may_have_no_sdr_takes_none_in(
    world: World, state: SessionState
) -> None:
    world.submit([make_sdr(partner_session_id="S-77")])

    _session(world, name="S-77", state=state)

    assert held_sdrs.rematch_due(world.env) == 0


def _deliver(world: World) -> None:
    with world.env.database.begin() as tx:
        claimed = outbox.claim_due(tx, Claim(now=NOW, per_participant=100))
    for delivery in claimed:
        if delivery.kind is DeliveryKind.DELIVER_SDRS:
            sdr_delivery.record_delivered(world.env, delivery)


def _word(world: World, sdr_id: str, verdict: Verdict) -> Sequence[Item]:
    told: list[tuple[Item, ...]] = []

    def render(done: Done) -> bytes:
        told.append(done.items)
        return b"<answer/>"

    exchange = make_exchange(make_sender(world.csp), operation="ConfirmSdrs")
    word = Word(submitter_party="CHREP", sdr_id=sdr_id, verdict=verdict)
    sdrs.confirm_sdrs(world.env, exchange, [word], render)
    return told[0]


@pytest.mark.parametrize("days", [10, 3])
def test_silence_counts_as_a_yes_after_the_agreements_days(
    env: Environment, clock: StillClock, days: int
) -> None:
    world = make_world(env, terms=Terms(confirm_days=days))
    record, undelivered = world.session(), world.session(world.other_csp)
    world.submit([record])
    _deliver(world)
    world.submit([undelivered])

    clock.forward(seconds=days * 86_400 - 1)
    assert sdr_confirmations.confirm_due(world.env) == 0
    clock.forward(seconds=1)

    assert sdr_confirmations.confirm_due(world.env) == 1
    assert sdr_confirmations.confirm_due(world.env) == 0
    assert _standing(world, record.sdr_id).status is SdrStatus.AUTO_CONFIRMED
    assert _standing(world, undelivered.sdr_id).status is SdrStatus.ACCEPTED
    (item,) = _word(world, record.sdr_id, Verdict.CONFIRMED)
    assert item.code is codes.ALREADY_DONE
    (item,) = _word(world, record.sdr_id, Verdict.REJECTED)
    assert item.code is codes.SDR_DECIDED
    (settled,) = world.close().settlements
    assert settled.gross_minor == 2 * 1149


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_the_home_csp_decided_is_not_decided_by_its_silence(
    world: World, clock: StillClock, verdict: Verdict
) -> None:
    record = world.session()
    world.submit([record])
    _deliver(world)
    _word(world, record.sdr_id, verdict)

    clock.forward(seconds=11 * 86_400)

    assert sdr_confirmations.confirm_due(world.env) == 0
    assert _standing(world, record.sdr_id).status is SdrStatus(verdict.value)
