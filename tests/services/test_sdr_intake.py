"""SubmitSdrs: what is taken, and what is refused record by record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import Item
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import sdr_delivery, sdr_intake
from clearinghouse.services.sdr_batch import Unreadable
from clearinghouse.storage import sessions
from clearinghouse.storage.outbox import Claim, claim_due
from clearinghouse.storage.sessions import PartnerSessionId
from clearinghouse.storage.tables import sdrs as tables
from clearinghouse.storage.tables.messages import outbox
from tests.builders import NOW, make_session
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    count_of,
    make_sdr,
    make_world,
    rules_of,
    session_id_of,
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


@pytest.mark.clause("4.3-I3", "3.10")
def test_takes_an_sdr_that_fits_its_session(world: World) -> None:
    record = world.session()

    outcome = world.submit([record])

    assert outcome.code is codes.OK
    assert outcome.counts.accepted == 1
    assert outcome.items == ()
    with world.env.database.begin_read_only() as tx:
        row = tx.execute(text("SELECT * FROM clearing.sdr")).one()
        session = sessions.session_by_id(tx, row.session_id)
        total = tx.execute(text("SELECT * FROM clearing.batch_total")).one()
    assert (row.status, row.net_minor, row.claimed_minor) == ("ACCEPTED", 1149, 1149)
    assert (total.sdr_count, total.energy_wh, total.net_minor) == (1, 23_456, 1149)
    assert total.csp_id == world.csp.participant_id
    assert session is not None
    assert session.state is SessionState.SDR_RECEIVED


def test_takes_an_empty_batch_so_that_silence_can_be_told_from_loss(
    world: World,
) -> None:
    outcome = world.submit([])

    assert outcome.code is codes.OK
    assert count_of(world, tables.sdr_batch) == 1
    assert count_of(world, outbox) == 0


def test_enqueues_a_delivery_for_each_csp_in_bounded_pieces(
    lax_world: World,
) -> None:
    number = sdr_delivery.DELIVERY_MAX + 1
    mine = [_quiet(place) for place in range(number)]
    other = [_quiet(number, csp_id="FRXYZ")]

    lax_world.submit([*mine, *other])

    with lax_world.env.database.begin_read_only() as tx:
        rows = tx.execute(text("SELECT participant_id, payload FROM clearing.outbox"))
        receivers = sorted(row.participant_id for row in rows)
    mine_id, other_id = lax_world.csp.participant_id, lax_world.other_csp.participant_id
    assert receivers == sorted([mine_id, mine_id, other_id])


def test_large_sdrs_go_in_more_deliveries_than_small_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [world.session() for _ in range(5)]
    two = 2 * sdr_delivery.bytes_max(records[0], [])
    monkeypatch.setattr(sdr_delivery, "DELIVERY_BYTES_MAX", two)

    world.submit(records)

    with world.env.database.begin() as tx:
        claim = Claim(now=world.env.clock.now(), per_participant=10)
        waiting = claim_due(tx, claim)
    told = [
        [one.record.sdr_id for one in sdr_delivery.to_deliver(world.env, delivery)]
        for delivery in waiting
    ]
    assert sorted(len(ids) for ids in told) == [1, 2, 2]
    assert sorted(one for ids in told for one in ids) == [
        record.sdr_id for record in records
    ]


def _quiet(place: int, **override: object) -> ServiceDetailRecord:
    """Make an SDR of an offline session, one after the other on one EVSE."""
    start = STARTED_AT - timedelta(minutes=45 * place)
    return spanning(make_sdr(**override), start, minutes=40)


def test_keeps_order_and_totals_over_many_chunks(lax_world: World) -> None:
    number = 2 * sdr_intake.CHUNK_RECORDS + 7
    records = [
        spanning(
            make_sdr(evse_id=f"CH*REP*E000{place % 3 + 1}*1"),
            NOW - timedelta(minutes=10 * (place // 3) + 9),
            minutes=8,
            energy_wh=1_000,
        )
        for place in range(number)
    ]
    priced = [replace(record, claimed_net=Decimal("0.49")) for record in records]

    outcome = lax_world.submit(priced)

    assert outcome.counts.accepted == number, outcome.items[:3]
    with lax_world.env.database.begin_read_only() as tx:
        ids = tx.execute(text("SELECT sdr_uid FROM clearing.sdr ORDER BY record_no"))
        total = tx.execute(text("SELECT sum(net_minor) FROM clearing.batch_total"))
        assert list(ids.scalars()) == [record.sdr_id for record in priced]
        assert total.scalar_one() == 49 * number


def test_holds_an_sdr_without_session_and_keeps_it_out_of_the_claim(
    world: World,
) -> None:
    outcome = world.submit([make_sdr()])

    assert outcome.code is codes.PARTLY
    assert outcome.counts.held == 1
    assert rules_of(outcome.items) == ["S-201"]
    assert outcome.items[0].index == 0
    with world.env.database.begin_read_only() as tx:
        assert tx.execute(text("SELECT * FROM clearing.batch_total")).all() == []
        assert tx.execute(text("SELECT status FROM clearing.sdr")).scalar() == "HELD"
    assert count_of(world, outbox) == 0


def test_finds_the_session_by_the_submitters_own_id(world: World) -> None:
    record = world.session()
    with world.env.database.begin() as tx:
        own = PartnerSessionId(world.cso.participant_id, "LOCAL-7")
        sessions.name_session(tx, session_id_of(record), own)

    outcome = world.submit(
        [replace(record, session_id=None, partner_session_id="LOCAL-7")]
    )

    assert outcome.counts.accepted == 1, outcome.items


def test_finds_the_session_by_evse_card_and_start(world: World) -> None:
    enrolled = world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    session = make_session(
        world.cso,
        world.csp,
        state=SessionState.ENDED,
        created_at=STARTED_AT - timedelta(minutes=2),
        subject_id=enrolled.subjects["04A1B2C3"],
    )
    with world.env.database.begin() as tx:
        sessions.insert_session(tx, session)
    record = make_sdr(
        credential_kind=CredentialKind.RFID, credential_value="04:a1:b2:c3"
    )

    outcome = world.submit([record])

    assert outcome.counts.accepted == 1, outcome.items
    with world.env.database.begin_read_only() as tx:
        row = tx.execute(text("SELECT session_id, subject_id FROM clearing.sdr")).one()
    assert row.session_id == session.session_id
    assert row.subject_id == enrolled.subjects["04A1B2C3"]


@pytest.mark.clause("8-separate", "8-min")
def test_stores_no_personal_data_in_business_tables(world: World) -> None:
    world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    record = world.session(
        credential_kind=CredentialKind.RFID,
        credential_value="04A1B2C3",
        contract_id="DE-ABC-C12345678",
    )

    world.submit([record, replace(record, sdr_id="S-2")])

    with world.env.database.begin_read_only() as tx:
        rows = tx.execute(
            text("""
                SELECT s::text FROM clearing.sdr AS s
                UNION ALL SELECT h::text FROM clearing.rule_hit AS h
                UNION ALL SELECT r::text FROM clearing.refused_sdr AS r
                UNION ALL SELECT o::text FROM clearing.outbox AS o
            """)
        )
        stored = "\n".join(rows.scalars())
    assert "04A1B2C3" not in stored.upper()
    assert "C12345678" not in stored


def test_does_not_enrol_the_card_of_an_sdr(world: World) -> None:
    world.submit(
        [make_sdr(credential_kind=CredentialKind.RFID, credential_value="04FFFFFF")]
    )

    assert world.env.vault.find_subjects(SubjectKind.RFID, ["04FFFFFF"]) == {}


def test_does_not_attach_the_card_of_another_csp(world: World) -> None:
    world.env.vault.enrol(
        world.other_csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )

    world.submit(
        [make_sdr(credential_kind=CredentialKind.RFID, credential_value="04A1B2C3")]
    )

    with world.env.database.begin_read_only() as tx:
        found = tx.execute(text("SELECT subject_id FROM clearing.sdr")).scalar_one()
    assert found is None


@pytest.mark.parametrize(
    ("override", "rule", "path"),
    [
        ({"csp_id": "DENON"}, "S-102", "serviceSession/cspId"),
        ({"evse_id": "CH*REP*E9999"}, "S-103", "serviceSession/evseId"),
        ({"evse_id": "nonsense"}, "S-103", "serviceSession/evseId"),
        ({"claimed_net": Decimal("1.005")}, "S-104", "claimedNet"),
        ({"tariff_id": "T-404"}, "S-105", "tariffId"),
        ({"ended_at": STARTED_AT}, "S-106", "serviceSession/endedAt"),
        ({"claimed_net": Decimal(-1)}, "S-108", "claimedNet"),
    ],
)
def test_refuses_a_record_and_takes_the_others(
    world: World, override: dict[str, object], rule: str, path: str
) -> None:
    bad = replace(world.session(), **override)  # type: ignore[arg-type]  # the cases
    if rule == "S-103" and override["evse_id"] == "CH*REP*E9999":
        bad = spanning(bad, NOW - timedelta(days=3), minutes=40)
    good = world.session()

    outcome = world.submit([bad, good])

    assert (outcome.counts.accepted, outcome.counts.refused) == (1, 1), outcome.items
    assert outcome.code is codes.PARTLY
    assert rule in rules_of(outcome.items)
    item = next(item for item in outcome.items if item.rule == rule)
    assert (item.index, item.path) == (0, path)
    assert count_of(world, tables.refused_sdr) == 1


def test_refuses_what_the_schema_refuses_and_takes_the_others(world: World) -> None:
    item = Item(code=codes.SDR_FIELD, path="serviceSession/cspId", expected="x")

    outcome = world.submit([Unreadable(sdr_id="BAD-1", items=(item,)), world.session()])

    assert (outcome.counts.accepted, outcome.counts.refused) == (1, 1)
    assert outcome.items == (replace(item, index=0),)


def test_a_refused_id_may_be_used_again(world: World) -> None:
    record = world.session()
    world.submit([replace(record, tariff_id="T-404")])

    outcome = world.submit([record])

    assert outcome.counts.accepted == 1


@pytest.mark.parametrize("figure", ["claimed_net", "charge_seconds", "energy_wh"])
def test_figure_that_no_column_holds_costs_its_record_and_not_the_batch(
    lax_world: World, figure: str
) -> None:
    good, wrong = make_sdr(), make_sdr()
    transaction = wrong.charging_sessions[0].transactions[0]
    match figure:
        case "claimed_net":
            wrong.claimed_net = Decimal(10) ** 17
        case "charge_seconds":
            transaction.started_at = datetime(2000, 1, 1, tzinfo=UTC)
            transaction.ended_at = datetime(2099, 1, 1, tzinfo=UTC)
        case _:
            transaction.energy_wh = 10**9 + 1

    outcome = lax_world.submit([wrong, good])

    assert (outcome.counts.accepted, outcome.counts.refused) == (1, 1)
