"""SDRs after intake: pulled, delivered, confirmed or rejected, asked about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.participants import EndpointService
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import News, SdrStatus, Verdict
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import sdr_delivery, sdrs, settlement
from clearinghouse.services.outcomes import Done
from clearinghouse.services.sdrs import SdrQuery, SdrRole, StatusQuery, Word
from clearinghouse.storage import directory, outbox
from clearinghouse.storage.outbox import Claim
from tests.builders import NOW, make_sender
from tests.services.sdr_world import (
    World,
    make_sdr,
    make_world,
    message,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import DeliveredSdr
    from clearinghouse.storage.feeds import Page
    from clearinghouse.storage.outbox import Delivery


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _get(
    world: World,
    who: Participant,
    *,
    role: SdrRole | None = None,
    cursor: str | None = None,
    limit: int = 500,
) -> Page[DeliveredSdr]:
    query = SdrQuery(role=role, cursor=cursor, limit=limit)
    return sdrs.get_sdrs(world.env, make_sender(who), query)


def _say(
    world: World,
    who: Participant,
    records: Sequence[ServiceDetailRecord],
    verdict: Verdict,
    *,
    reason: str | None = None,
    submitter: str = "CHREP",
) -> Done:
    told: list[Done] = []

    def render(outcome: Done) -> bytes:
        told.append(outcome)
        return b"<answer/>"

    words = [
        Word(
            submitter_party=submitter,
            sdr_id=record.sdr_id,
            verdict=verdict,
            reason=reason,
        )
        for record in records
    ]
    exchange = message(make_sender(who), operation="ConfirmSdrs")
    sdrs.confirm_sdrs(world.env, exchange, words, render)
    return told[0]


def _status(world: World, who: Participant, sdr_id: str, **rest: str) -> SdrStatus:
    query = StatusQuery(sdr_ids=[sdr_id], **rest)  # type: ignore[arg-type]  # one key
    (standing,) = sdrs.get_sdr_status(world.env, make_sender(who), query).standings
    return standing.status


def _deliveries(world: World, kind: DeliveryKind) -> list[Delivery]:
    with world.env.database.begin() as tx:
        claimed = outbox.claim_due(tx, Claim(now=NOW, per_participant=100))
        outbox.release(tx, claimed, at=NOW)
    return [one for one in claimed if one.kind is kind]


@pytest.mark.clause("4.3-I3", "3.10", "3.11", "3.12", "3.13")
def test_the_home_csp_pulls_the_record_as_it_was_submitted(world: World) -> None:
    zone = timezone(timedelta(hours=1))
    record = world.session()
    local = replace(
        record,
        started_at=record.started_at.astimezone(zone),
        ended_at=record.ended_at.astimezone(zone),
        partner_session_id="LOCAL-1",
        idle_seconds=60,
    )
    local.charging_sessions[0].transactions[0].meter_start_wh = 1_000
    local.charging_sessions[0].transactions[0].meter_stop_wh = 24_456
    world.submit([local])

    (found,) = _get(world, world.csp).items

    assert found.record == local
    assert found.record.started_at.utcoffset() == timedelta(hours=1)
    assert (found.submitter_party, found.csp_party) == ("CHREP", "DEABC")
    assert (found.status, found.rated_net_minor) == (SdrStatus.ACCEPTED, 1149)
    assert found.window_id == 1


def test_whatever_a_submitter_writes_comes_back_unchanged(world: World) -> None:
    odd = """\\N\\t"é\\\\'{}"""
    record = world.session()
    (session,) = record.charging_sessions
    (whole,) = session.transactions
    offset = timezone(timedelta(hours=2))
    half = whole.started_at + timedelta(minutes=20)
    parts = [
        replace(
            whole,
            charging_transaction_id=odd,
            ended_at=half.astimezone(offset),
            energy_wh=20_000,
            meter_start_wh=5,
            meter_stop_wh=20_005,
        ),
        replace(whole, started_at=half, energy_wh=3_456),
    ]
    sent = replace(
        record,
        sdr_id=odd,
        partner_session_id=odd,
        charging_sessions=[
            replace(session, charging_session_id=odd, transactions=parts)
        ],
    )

    assert world.submit([sent]).counts.accepted == 1

    (found,) = _get(world, world.csp).items
    assert found.record == sent
    (stored,) = found.record.charging_sessions
    assert str(stored.transactions[0].ended_at).endswith("+02:00")


def test_each_sees_only_its_own(world: World) -> None:
    world.submit([world.session()])

    assert _get(world, world.other_csp).items == ()
    assert _get(world, world.visited_csp, role=SdrRole.SUBMITTER).items == ()
    assert len(_get(world, world.cso).items) == 1


def test_held_sdrs_are_seen_by_their_submitter_only(world: World) -> None:
    world.submit([make_sdr()])

    assert _get(world, world.csp).items == ()
    (held,) = _get(world, world.cso).items
    assert held.status is SdrStatus.HELD
    assert [item.rule for item in held.remarks] == ["S-201"]


def test_who_is_both_sees_either_side_by_role(world: World) -> None:
    both = replace(world.cso, roles=frozenset({Role.CSP, Role.CSO}))
    world.submit([world.session()])

    assert _get(world, both).items == ()
    assert len(_get(world, both, role=SdrRole.SUBMITTER).items) == 1


def test_refuses_a_cursor_that_is_not_ours(world: World) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        _get(world, world.csp, cursor="yesterday")

    assert caught.value.code is codes.CURSOR


CARD: dict[str, Any] = {
    "credential_kind": CredentialKind.RFID,
    "credential_value": "04A1B2C3",
    "contract_id": "DE-ABC-C12345678",
}


@pytest.mark.clause("8-min", "8-separate")
def test_card_and_contract_are_told_to_the_home_csp_and_to_who_sent_them(
    world: World,
) -> None:
    vault = world.env.vault
    csp_id = world.csp.participant_id
    vault.enrol(csp_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW)
    vault.enrol(csp_id, SubjectKind.CONTRACT, ["DEABCC12345678"], at=NOW)
    world.submit([world.session(**CARD)])

    (pulled,) = _get(world, world.csp).items
    (own,) = _get(world, world.cso).items

    for found in (pulled, own):
        assert found.record.credential_kind is CredentialKind.RFID
        assert found.record.credential_value == "04A1B2C3"
        assert found.record.contract_id == "DEABCC12345678"


@pytest.mark.clause("8-min")
def test_the_card_of_the_session_is_told_to_the_home_csp_alone(world: World) -> None:
    enrolled = world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    record = world.session()
    with world.env.database.begin() as tx:
        tx.execute(
            text("UPDATE clearing.session SET subject_id = :subject_id"),
            {"subject_id": enrolled.subjects["04A1B2C3"]},
        )
    world.submit([record])

    (pulled,) = _get(world, world.csp).items
    (own,) = _get(world, world.cso).items

    assert pulled.record.credential_value == "04A1B2C3"
    assert own.record.credential_value is None


@pytest.mark.clause("8-forget")
def test_a_forgotten_user_leaves_the_sdr_without_a_card(world: World) -> None:
    enrolled = world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    world.submit([world.session(**CARD)])
    world.env.vault.erase(enrolled.subjects.values(), at=NOW)

    (pulled,) = _get(world, world.csp).items

    assert pulled.record.credential_value is None
    assert pulled.rated_net_minor == 1149


def test_a_delivery_renders_the_sdrs_and_notes_that_they_are_there(
    world: World,
) -> None:
    records = [world.session(), world.session(world.other_csp), world.session()]
    world.submit(records)
    (delivery,) = (
        one
        for one in _deliveries(world, DeliveryKind.DELIVER_SDRS)
        if one.participant_id == world.csp.participant_id
    )

    views = sdr_delivery.to_deliver(world.env, delivery)
    sdr_delivery.record_delivered(world.env, delivery)
    sdr_delivery.record_delivered(world.env, delivery)

    mine = [records[0].sdr_id, records[2].sdr_id]
    assert [view.record.sdr_id for view in views] == mine
    assert [_status(world, world.cso, one.sdr_id) for one in records] == [
        SdrStatus.DELIVERED,
        SdrStatus.ACCEPTED,
        SdrStatus.DELIVERED,
    ]
    with world.env.database.begin_read_only() as tx:
        count = tx.execute(text("SELECT count(*) FROM clearing.sdr_event"))
        assert count.scalar_one() == 2


def test_a_delivery_leaves_out_what_was_rejected_since(world: World) -> None:
    record = world.session()
    world.submit([record])
    (delivery,) = _deliveries(world, DeliveryKind.DELIVER_SDRS)
    _say(world, world.csp, [record], Verdict.REJECTED)

    assert sdr_delivery.to_deliver(world.env, delivery) == ()


def _offers(world: World, who: Participant, service: EndpointService) -> None:
    """Let a partner register an endpoint."""
    endpoint = directory.Endpoint(
        participant_id=who.participant_id,
        service=service,
        url="https://partner.example/re",
        registered_at=NOW,
    )
    with world.env.database.begin() as tx:
        directory.put_endpoint(tx, endpoint)


def test_a_confirmation_is_booked_and_told_to_the_submitter(world: World) -> None:
    _offers(world, world.cso, EndpointService.CSO_ENDPOINT)
    record = world.session()
    world.submit([record])

    outcome = _say(world, world.csp, [record], Verdict.CONFIRMED)

    assert (outcome.code, outcome.items) == (codes.OK, ())
    assert _status(world, world.cso, record.sdr_id) is SdrStatus.CONFIRMED
    (delivery,) = _deliveries(world, DeliveryKind.NOTIFY_SDRS)
    assert delivery.participant_id == world.cso.participant_id
    (notice,) = sdr_delivery.notices(world.env, delivery)
    assert (notice.sdr_id, notice.news) == (record.sdr_id, News.CONFIRMED)


@pytest.mark.clause("4.2-visited")
def test_a_submitter_that_offers_no_service_for_it_is_not_told_but_may_ask(
    env: Environment,
) -> None:
    world = make_world(env, terms=Terms(match_required=False))
    _offers(world, world.visited_csp, EndpointService.CSP_ENDPOINT)
    record = make_sdr(cso_id="CHREP")
    world.submit([record], sender=world.visited_csp)

    outcome = _say(world, world.csp, [record], Verdict.CONFIRMED, submitter="ATVIS")

    assert (outcome.code, outcome.items) == (codes.OK, ())
    assert _deliveries(world, DeliveryKind.NOTIFY_SDRS) == []
    status = _status(world, world.visited_csp, record.sdr_id)
    assert status is SdrStatus.CONFIRMED


def test_a_rejection_takes_the_sdr_out_of_its_window(world: World) -> None:
    _offers(world, world.cso, EndpointService.CSO_ENDPOINT)
    kept, gone = world.session(), world.session()
    world.submit([kept, gone])

    outcome = _say(
        world, world.csp, [gone], Verdict.REJECTED, reason="NOT_OUR_CUSTOMER"
    )

    assert outcome.code is codes.OK
    assert _status(world, world.cso, gone.sdr_id) is SdrStatus.REJECTED
    (delivery,) = _deliveries(world, DeliveryKind.NOTIFY_SDRS)
    (notice,) = sdr_delivery.notices(world.env, delivery)
    assert (notice.news, notice.reason) == (News.REJECTED, "NOT_OUR_CUSTOMER")
    positions = settlement.positions(world.env, make_sender(world.cso), None)
    assert positions.net == {"EUR": 1149}
    (settled,) = world.close().settlements
    assert (settled.sdr_count, settled.gross_minor) == (1, 1149)
    assert _status(world, world.cso, gone.sdr_id) is SdrStatus.REJECTED
    assert _status(world, world.cso, kept.sdr_id) is SdrStatus.SETTLED


def test_when_all_is_rejected_the_window_closes_with_nothing(world: World) -> None:
    record = world.session()
    world.submit([record])
    _say(world, world.csp, [record], Verdict.REJECTED)

    assert world.close().settlements == ()


def test_after_the_close_a_rejection_comes_too_late(world: World) -> None:
    record = world.session()
    world.submit([record])
    world.close()

    outcome = _say(world, world.csp, [record], Verdict.REJECTED)

    assert outcome.code is codes.PARTLY
    (item,) = outcome.items
    assert (item.code, item.index) == (codes.SDR_WINDOW_CLOSED, 0)


def test_between_cutover_and_close_a_rejection_comes_too_late(world: World) -> None:
    record = world.session()
    world.submit([record])
    settlement._cut_over(world.env, "2026-12")  # noqa: SLF001 -- the first step alone

    rejected = _say(world, world.csp, [record], Verdict.REJECTED)
    confirmed = _say(world, world.csp, [record], Verdict.CONFIRMED)

    assert rejected.items[0].code is codes.SDR_WINDOW_CLOSED
    assert confirmed.code is codes.OK


def test_the_first_word_counts(world: World) -> None:
    record = world.session()
    world.submit([record])
    _say(world, world.csp, [record], Verdict.CONFIRMED)

    again = _say(world, world.csp, [record], Verdict.CONFIRMED)
    other = _say(world, world.csp, [record], Verdict.REJECTED)

    assert [item.code for item in again.items] == [codes.ALREADY_DONE]
    assert [item.code for item in other.items] == [codes.SDR_DECIDED]


def test_two_words_on_one_sdr_in_a_message_are_one(world: World) -> None:
    record = world.session()
    world.submit([record])

    outcome = _say(world, world.csp, [record, record], Verdict.REJECTED)

    assert [item.code for item in outcome.items] == [codes.ALREADY_DONE]
    assert settlement.positions(world.env, make_sender(world.cso), None).net == {}


@pytest.mark.parametrize("who", ["other_csp", "visited_csp"])
def test_only_the_home_csp_has_a_word(world: World, who: str) -> None:
    record = world.session()
    world.submit([record])

    outcome = _say(world, getattr(world, who), [record], Verdict.REJECTED)

    assert [item.code for item in outcome.items] == [codes.SDR_UNKNOWN]
    assert _status(world, world.cso, record.sdr_id) is SdrStatus.ACCEPTED


def test_the_home_csp_has_no_word_on_a_held_sdr(world: World) -> None:
    record = make_sdr()
    world.submit([record])

    outcome = _say(world, world.csp, [record], Verdict.CONFIRMED)

    assert [item.code for item in outcome.items] == [codes.SDR_UNKNOWN]


def test_the_same_message_is_answered_from_memory(world: World) -> None:
    record = world.session()
    world.submit([record])
    exchange = message(make_sender(world.csp), operation="ConfirmSdrs")
    word = Word(
        submitter_party="CHREP", sdr_id=record.sdr_id, verdict=Verdict.CONFIRMED
    )

    first = sdrs.confirm_sdrs(world.env, exchange, [word], lambda _: b"<first/>")
    again = sdrs.confirm_sdrs(world.env, exchange, [word], lambda _: b"<second/>")

    assert first == again == b"<first/>"


def test_after_a_rejection_the_session_may_have_another_sdr(world: World) -> None:
    record = world.session()
    world.submit([record])
    _say(world, world.csp, [record], Verdict.REJECTED)

    second = world.submit([replace(record, sdr_id="BETTER")])
    third = world.submit([replace(record, sdr_id="ONE-MORE")])

    assert second.counts.accepted == 1, second.items
    assert third.counts.held == 1
    assert world.close().settlements[0].gross_minor == 1149


def test_a_rejected_sdr_sent_again_stays_rejected(world: World) -> None:
    record = world.session()
    world.submit([record])
    _say(world, world.csp, [record], Verdict.REJECTED)

    outcome = world.submit([record])

    assert outcome.counts.duplicates == 1
    assert _status(world, world.cso, record.sdr_id) is SdrStatus.REJECTED
