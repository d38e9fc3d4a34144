"""What a rule holds back: overlaps, travel, amounts, sessions that do not fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import Verdict
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import sdrs
from clearinghouse.services.sdrs import SdrQuery, SdrRole, Word
from clearinghouse.storage import sessions
from tests.builders import NOW, make_sender, make_session
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    message,
    put_evse,
    rules_of,
    spanning,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def lax_world(env: Environment) -> World:
    """Agreements that ask for no session."""
    return make_world(env, terms=Terms(match_required=False))


def test_holds_a_second_sdr_of_one_session(world: World) -> None:
    record = world.session()
    world.submit([record])
    later = spanning(record, STARTED_AT + timedelta(hours=1), minutes=40)

    outcome = world.submit([replace(later, sdr_id="SECOND")])

    assert outcome.counts.held == 1
    assert rules_of(outcome.items) == ["S-201"]


def test_holds_a_second_sdr_of_one_session_in_the_same_batch(world: World) -> None:
    record = world.session()
    later = spanning(record, STARTED_AT + timedelta(hours=1), minutes=40)

    outcome = world.submit([record, replace(later, sdr_id="SECOND")])

    assert (outcome.counts.accepted, outcome.counts.held) == (1, 1)


def test_does_not_end_the_session_of_another_submitter(world: World) -> None:
    foreign = make_session(
        world.visited_csp, world.csp, state=SessionState.ENDED, created_at=STARTED_AT
    )
    with world.env.database.begin() as tx:
        sessions.insert_session(tx, foreign)

    outcome = world.submit([make_sdr(session_id=foreign.session_id)])

    assert outcome.counts.held == 1
    with world.env.database.begin_read_only() as tx:
        after = sessions.session_by_id(tx, foreign.session_id)
    assert after is not None
    assert after.state is SessionState.ENDED


@pytest.mark.parametrize("batches", [1, 2])
def test_holds_an_sdr_that_overlaps_another_on_its_evse(
    lax_world: World, batches: int
) -> None:
    first = make_sdr()
    second = spanning(make_sdr(), STARTED_AT + timedelta(minutes=20), minutes=40)

    if batches == 2:
        lax_world.submit([first])
        outcome = lax_world.submit([second])
    else:
        outcome = lax_world.submit([first, second])

    assert outcome.counts.held == 1, outcome.items
    assert rules_of(outcome.items) == ["S-205"]


def test_does_not_tell_the_id_of_another_submitters_sdr(lax_world: World) -> None:
    mine = make_sdr()
    other = replace(make_sdr(), cso_id="CHREP")
    lax_world.submit([mine])

    outcome = lax_world.submit([other], sender=lax_world.visited_csp)

    assert rules_of(outcome.items) == ["S-205"]
    assert mine.sdr_id not in outcome.items[0].found


@pytest.mark.clause("4.2-visited")
def test_held_sdr_of_a_visited_csp_does_not_hold_the_owners(world: World) -> None:
    own = world.session()
    dear = replace(own, sdr_id="DEAR", cso_id="CHREP", claimed_net=Decimal("90.00"))
    held = world.submit([dear], sender=world.visited_csp)
    assert held.counts.held == 1, held.items

    outcome = world.submit([own])

    assert outcome.counts.accepted == 1, outcome.items


@pytest.mark.clause("4.2-visited")
def test_owner_may_submit_anew_beside_a_held_sdr_of_a_visited_csp(world: World) -> None:
    own = world.session()
    world.submit([own])
    dear = replace(own, sdr_id="DEAR", cso_id="CHREP", claimed_net=Decimal("90.00"))
    world.submit([dear], sender=world.visited_csp)
    word = Word(submitter_party="CHREP", sdr_id=own.sdr_id, verdict=Verdict.REJECTED)
    sender = make_sender(world.csp)
    sdrs.confirm_sdrs(
        world.env, message(sender, operation="ConfirmSdrs"), [word], lambda _: b""
    )

    outcome = world.submit([replace(own, sdr_id="ANEW")])

    assert outcome.counts.accepted == 1, outcome.items


@pytest.mark.parametrize("first", ["cso", "visited_csp"])
def test_one_use_of_an_evse_is_paid_once_whoever_submits_first(
    lax_world: World, first: str
) -> None:
    own, collected = make_sdr(), make_sdr(cso_id="CHREP")
    sent = [(own, lax_world.cso), (collected, lax_world.visited_csp)]
    if first == "visited_csp":
        sent.reverse()

    taken, held = (lax_world.submit([one], sender=who) for one, who in sent)

    assert taken.counts.accepted == 1, taken.items
    assert rules_of(held.items) == ["S-205"]
    assert held.items[0].found == "an SDR of another submitter"


@pytest.mark.clause("8-separate")
def test_travel_between_submitters_is_told_to_the_home_csp_alone(
    lax_world: World,
) -> None:
    world = lax_world
    world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    card = {
        "credential_kind": CredentialKind.RFID,
        "credential_value": "04A1B2C3",
    }
    put_evse(world, "CH*REP*E0777*1", latitude_u=55_000_000)
    world.submit([make_sdr(**card)])
    soon = spanning(make_sdr(**card), STARTED_AT + timedelta(minutes=45), minutes=40)
    collected = replace(soon, evse_id="CH*REP*E0777*1", cso_id="CHREP")

    outcome = world.submit([collected], sender=world.visited_csp)

    assert (outcome.code, outcome.items) == (codes.OK, ())
    assert outcome.counts.accepted == 1
    as_home = SdrQuery(role=SdrRole.HOME_CSP, cursor=None, limit=10)
    as_submitter = replace(as_home, role=SdrRole.SUBMITTER)
    home, submitter = make_sender(world.csp), make_sender(world.visited_csp)
    (note,) = sdrs.get_sdrs(world.env, home, as_home).items[-1].remarks
    assert (note.rule, note.found) == ("S-206", "an SDR of another submitter")
    assert sdrs.get_sdrs(world.env, submitter, as_submitter).items[0].remarks == ()
    with world.env.database.begin_read_only() as tx:
        shown = tx.execute(text("SELECT string_agg(rule_codes, '') FROM clearing.sdr"))
        assert shown.scalar_one() == ""


def test_holds_a_user_who_travels_too_fast(lax_world: World) -> None:
    world = lax_world
    world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    put_evse(world, "CH*REP*E0777*1", latitude_u=55_000_000)
    card = {
        "credential_kind": CredentialKind.RFID,
        "credential_value": "04A1B2C3",
    }
    world.submit([make_sdr(**card)])
    soon = spanning(make_sdr(**card), STARTED_AT + timedelta(minutes=45), minutes=40)

    outcome = world.submit([replace(soon, evse_id="CH*REP*E0777*1")])

    assert rules_of(outcome.items) == ["S-206"]


def test_holds_an_amount_far_above_the_mean_of_the_evse(lax_world: World) -> None:
    small = [
        replace(
            spanning(
                make_sdr(),
                STARTED_AT - timedelta(hours=n),
                minutes=10,
                energy_wh=2_000,
            ),
            claimed_net=Decimal("0.98"),
        )
        for n in range(1, 6)
    ]
    lax_world.submit(small)
    high = spanning(make_sdr(), STARTED_AT, minutes=120, energy_wh=80_000)

    outcome = lax_world.submit([replace(high, claimed_net=Decimal("39.20"))])

    assert rules_of(outcome.items) == ["S-209"], outcome.items


def test_holds_a_claim_beyond_the_tolerance_and_keeps_our_rating(world: World) -> None:
    outcome = world.submit([world.session(claimed_net=Decimal("11.60"))])

    assert rules_of(outcome.items) == ["S-208"]
    item = outcome.items[0]
    assert (item.expected, item.found) == ("11.49 EUR", "11.60 EUR")


def test_remarks_on_a_claim_within_the_tolerance(world: World) -> None:
    outcome = world.submit([world.session(claimed_net=Decimal("11.50"))])

    assert outcome.counts.accepted == 1
    assert outcome.code is codes.SDR_WARNING
    assert rules_of(outcome.items) == ["S-301"]
    with world.env.database.begin_read_only() as tx:
        claim = tx.execute(text("SELECT net_minor FROM clearing.batch_total"))
        assert claim.scalar_one() == 1149
