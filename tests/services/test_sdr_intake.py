"""SubmitSdrs: what is taken, held, refused; whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import sdr_batch, sdr_intake
from clearinghouse.services.sdr_batch import Unreadable
from clearinghouse.storage import sessions
from clearinghouse.storage.sessions import PartnerSessionId
from tests.builders import NOW, make_sender, make_session
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    message,
    spanning,
    totals_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from clearinghouse.storage.database import Database
    from clearinghouse.storage.vault import Vault
    from tests.fixtures.database import Site


@pytest.fixture
def world(database: Database, vault: Vault) -> World:
    return make_world(database, vault)


def _rules(items: tuple[Item, ...]) -> list[str | None]:
    return [item.rule for item in items]


def _count(world: World, table: str) -> int:
    queries = {
        "sdr": text("SELECT count(*) FROM clearing.sdr"),
        "sdr_key": text("SELECT count(*) FROM clearing.sdr_key"),
        "batch": text("SELECT count(*) FROM clearing.sdr_batch"),
        "outbox": text("SELECT count(*) FROM clearing.outbox"),
        "rule_hit": text("SELECT count(*) FROM clearing.rule_hit"),
        "refused": text("SELECT count(*) FROM clearing.refused_sdr"),
        "message": text("SELECT count(*) FROM clearing.message"),
    }
    with world.env.database.begin_read_only() as tx:
        return int(tx.execute(queries[table]).scalar_one())


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
    assert _count(world, "batch") == 1
    assert _count(world, "outbox") == 0


@pytest.fixture
def lax_world(database: Database, vault: Vault) -> World:
    """Agreements that ask for no session."""
    return make_world(database, vault, terms=Terms(match_required=False))


def test_enqueues_a_delivery_for_each_csp_in_bounded_pieces(
    lax_world: World,
) -> None:
    number = sdr_batch.DELIVERY_MAX + 1
    mine = [_quiet(place) for place in range(number)]
    other = [_quiet(number, csp_id="FRXYZ")]

    lax_world.submit([*mine, *other])

    with lax_world.env.database.begin_read_only() as tx:
        rows = tx.execute(text("SELECT participant_id, payload FROM clearing.outbox"))
        receivers = sorted(row.participant_id for row in rows)
    mine_id, other_id = lax_world.csp.participant_id, lax_world.other_csp.participant_id
    assert receivers == sorted([mine_id, mine_id, other_id])


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
    assert _rules(outcome.items) == ["S-201"]
    assert outcome.items[0].index == 0
    with world.env.database.begin_read_only() as tx:
        assert tx.execute(text("SELECT * FROM clearing.batch_total")).all() == []
        assert tx.execute(text("SELECT status FROM clearing.sdr")).scalar() == "HELD"
    assert _count(world, "outbox") == 0


def test_finds_the_session_by_the_submitters_own_id(world: World) -> None:
    record = world.session()
    with world.env.database.begin() as tx:
        own = PartnerSessionId(world.cso.participant_id, "LOCAL-7")
        sessions.name_session(tx, _uuid(record), own)

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
        contract_id="DE-ABC-123456789-5",
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
    assert "123456789" not in stored


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


# Refusals of single records


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
    assert rule in _rules(outcome.items)
    item = next(item for item in outcome.items if item.rule == rule)
    assert (item.index, item.path) == (0, path)
    assert _count(world, "refused") == 1


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


# Identity


def test_same_content_again_is_already_accepted(world: World) -> None:
    record = world.session()
    world.submit([record])

    outcome = world.submit([record])

    assert outcome.counts.duplicates == 1
    assert [item.code for item in outcome.items] == [codes.SDR_DUPLICATE]
    assert outcome.code is codes.SDR_WARNING
    assert _count(world, "sdr") == 1


def test_same_content_is_told_so_even_when_it_is_too_old_by_now(world: World) -> None:
    record = world.session()
    world.submit([record])
    world.clock.at = NOW + timedelta(days=90)

    outcome = world.submit([record])

    assert outcome.counts.duplicates == 1


def test_other_content_under_an_id_is_refused(world: World) -> None:
    record = world.session()
    world.submit([record])

    outcome = world.submit([replace(record, claimed_net=Decimal("11.50"))])

    assert outcome.counts.refused == 1
    item = outcome.items[0]
    assert (item.code, item.rule, item.path) == (
        codes.SDR_OTHER_CONTENT,
        "S-101",
        "sdrId",
    )
    assert _count(world, "sdr") == 1


def test_the_same_id_twice_in_a_batch_is_stored_once(world: World) -> None:
    record = world.session()

    outcome = world.submit([record, record])

    assert (outcome.counts.accepted, outcome.counts.duplicates) == (1, 1)
    assert _count(world, "sdr") == 1


def test_the_same_id_with_other_content_in_a_batch_refuses_the_second(
    world: World,
) -> None:
    record = world.session()

    outcome = world.submit([record, replace(record, claimed_net=Decimal("11.48"))])

    assert (outcome.counts.accepted, outcome.counts.refused) == (1, 1)
    assert outcome.items[0].index == 1
    assert outcome.items[0].code is codes.SDR_OTHER_CONTENT


def test_two_submitters_may_use_the_same_id(lax_world: World) -> None:
    record = make_sdr()
    visited = replace(record, cso_id="CHREP")
    later = spanning(visited, STARTED_AT + timedelta(hours=1), minutes=40)

    lax_world.submit([record])
    outcome = lax_world.submit([later], sender=lax_world.visited_csp)

    assert outcome.counts.accepted == 1, outcome.items


def test_a_user_enrolled_since_is_no_other_content(world: World) -> None:
    record = make_sdr(credential_kind=CredentialKind.RFID, credential_value="04A1B2C3")
    world.submit([record])
    world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )

    outcome = world.submit([record])

    assert outcome.counts.duplicates == 1, outcome.items


def test_a_user_forgotten_since_is_no_other_content(world: World) -> None:
    enrolled = world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    record = make_sdr(credential_kind=CredentialKind.RFID, credential_value="04A1B2C3")
    world.submit([record])
    world.env.vault.erase(enrolled.subjects.values(), at=NOW)

    outcome = world.submit([record])

    assert outcome.counts.duplicates == 1, outcome.items


# Held


def test_holds_a_second_sdr_of_one_session(world: World) -> None:
    record = world.session()
    world.submit([record])
    later = spanning(record, STARTED_AT + timedelta(hours=1), minutes=40)

    outcome = world.submit([replace(later, sdr_id="SECOND")])

    assert outcome.counts.held == 1
    assert _rules(outcome.items) == ["S-201"]


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
    assert _rules(outcome.items) == ["S-205"]


def test_does_not_tell_the_id_of_another_submitters_sdr(lax_world: World) -> None:
    mine = make_sdr()
    other = replace(make_sdr(), cso_id="CHREP")
    lax_world.submit([mine])

    outcome = lax_world.submit([other], sender=lax_world.visited_csp)

    assert _rules(outcome.items) == ["S-205"]
    assert mine.sdr_id not in outcome.items[0].found


def test_holds_a_user_who_travels_too_fast(lax_world: World) -> None:
    world = lax_world
    world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    _put_evse(world, "CH*REP*E0777*1", latitude_u=55_000_000)
    card = {
        "credential_kind": CredentialKind.RFID,
        "credential_value": "04A1B2C3",
    }
    world.submit([make_sdr(**card)])
    soon = spanning(make_sdr(**card), STARTED_AT + timedelta(minutes=45), minutes=40)

    outcome = world.submit([replace(soon, evse_id="CH*REP*E0777*1")])

    assert _rules(outcome.items) == ["S-206"]


def _put_evse(world: World, received: str, **override: object) -> None:
    from clearinghouse.storage import evses  # noqa: PLC0415
    from tests.builders import make_evse  # noqa: PLC0415

    with world.env.database.begin() as tx:
        evses.apply_delta(
            tx,
            world.cso.participant_id,
            upserts=[make_evse(received, **override)],
            removals=[],
        )


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

    assert _rules(outcome.items) == ["S-209"], outcome.items


def test_holds_a_claim_beyond_the_tolerance_and_keeps_our_rating(world: World) -> None:
    outcome = world.submit([world.session(claimed_net=Decimal("11.60"))])

    assert _rules(outcome.items) == ["S-208"]
    item = outcome.items[0]
    assert (item.expected, item.found) == ("11.49 EUR", "11.60 EUR")


def test_remarks_on_a_claim_within_the_tolerance(world: World) -> None:
    outcome = world.submit([world.session(claimed_net=Decimal("11.50"))])

    assert outcome.counts.accepted == 1
    assert outcome.code is codes.SDR_WARNING
    assert _rules(outcome.items) == ["S-301"]
    with world.env.database.begin_read_only() as tx:
        claim = tx.execute(text("SELECT net_minor FROM clearing.batch_total"))
        assert claim.scalar_one() == 1149


# The batch as a whole


def test_refuses_control_totals_that_differ_and_stores_nothing(world: World) -> None:
    record = world.session()
    wrong = replace(totals_of([record]), energy_wh=23_457)

    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([record], control=wrong)

    assert caught.value.code is codes.SDR_BATCH_CONTROL
    item = caught.value.items[0]
    assert (item.rule, item.path) == ("B-003", "control/energyWh")
    assert (item.expected, item.found) == ("23456", "23457")
    for table in ("sdr", "sdr_key", "batch", "outbox", "message", "refused"):
        assert _count(world, table) == 0
    assert world.submit([record]).counts.accepted == 1


def test_compares_only_the_count_when_a_record_cannot_be_read(world: World) -> None:
    broken = Unreadable(sdr_id=None, items=(Item(code=codes.SDR_FIELD),))
    record = world.session()
    declared = replace(totals_of([record, broken]), energy_wh=99)

    assert world.submit([record, broken], control=declared).counts.accepted == 1
    with pytest.raises(ClearingHouseError) as caught:
        world.submit([record, broken], control=replace(declared, count=3))
    assert caught.value.items[0].path == "control/count"


@pytest.mark.parametrize("sequence", [2, 3, 99])
def test_refuses_a_gap_in_the_batch_sequence(world: World, sequence: int) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([], sequence=sequence)

    assert caught.value.code is codes.SDR_BATCH_SEQUENCE
    item = caught.value.items[0]
    assert (item.rule, item.expected, item.found) == ("B-004", "1", str(sequence))


def test_the_same_sequence_with_the_same_content_replays_the_answer(
    world: World,
) -> None:
    record = world.session()
    sender = make_sender(world.cso)
    first = message(sender)
    again = replace(message(sender), digest=first.digest)

    world.submit_raw([record], exchange=first, render=lambda _: b"<first/>")
    answer = world.submit_raw(
        [record], sequence=1, exchange=again, render=lambda _: b"<second/>"
    )

    assert answer == b"<first/>"
    assert _count(world, "sdr") == 1


def test_the_same_sequence_with_other_content_is_refused(world: World) -> None:
    world.submit([world.session()])

    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([world.session()], sequence=1)

    assert caught.value.code is codes.SDR_BATCH_SEQUENCE
    assert _count(world, "sdr") == 1


def test_the_same_message_replays_the_answer(world: World) -> None:
    exchange = message(make_sender(world.cso))
    record = world.session()

    world.submit_raw([record], exchange=exchange, render=lambda _: b"<first/>")
    answer = world.submit_raw(
        [record], sequence=1, exchange=exchange, render=lambda _: b"<second/>"
    )

    assert answer == b"<first/>"


def test_the_same_message_id_with_another_body_is_a_conflict(world: World) -> None:
    exchange = message(make_sender(world.cso))
    world.submit_raw([], exchange=exchange)

    with pytest.raises(ClearingHouseError) as caught:
        world.submit_raw([], exchange=replace(exchange, digest=bytes(32)))

    assert caught.value.code is codes.DUPLICATE_CONFLICT


@pytest.mark.clause("4.2-visited")
def test_a_visited_csp_submits_for_the_cso_and_is_the_creditor(
    lax_world: World,
) -> None:
    record = make_sdr(cso_id="CHREP")

    outcome = lax_world.submit([record], sender=lax_world.visited_csp)

    assert outcome.counts.accepted == 1, outcome.items
    with lax_world.env.database.begin_read_only() as tx:
        row = tx.execute(text("SELECT submitter_id, cso_id FROM clearing.sdr")).one()
        total = tx.execute(text("SELECT submitter_id FROM clearing.batch_total"))
        assert total.scalar_one() == lax_world.visited_csp.participant_id
    assert row.submitter_id == lax_world.visited_csp.participant_id
    assert row.cso_id == lax_world.cso.participant_id


@pytest.mark.parametrize("named", ["FRXYZ", "ATVIS"])
def test_refuses_the_batch_of_a_cso_that_speaks_for_another(
    world: World, named: str
) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        world.submit([world.session(), world.session(cso_id=named)])

    assert caught.value.code is codes.SDR_BATCH_ENTITLED
    assert caught.value.items[0].rule == "B-005"
    assert caught.value.items[0].index == 1
    assert _count(world, "sdr") == 0


def test_keeps_nothing_of_a_message_that_breaks_off(world: World) -> None:
    def records() -> Iterator[ServiceDetailRecord]:
        for _ in range(sdr_intake.CHUNK_RECORDS + 1):
            yield make_sdr()
        raise ValueError("the rest of the message is broken")

    submission = sdr_intake.Submission(
        batch_sequence=1, control=totals_of([]), records=records()
    )
    with pytest.raises(ValueError, match="broken"):
        sdr_intake.submit_sdrs(
            world.env, message(make_sender(world.cso)), submission, lambda _: b""
        )

    for table in ("sdr", "sdr_key", "batch", "rule_hit", "message"):
        assert _count(world, table) == 0


def test_keeps_nothing_when_the_database_goes_away_in_the_middle(
    world: World, site: Site
) -> None:
    def records() -> Iterator[ServiceDetailRecord]:
        for place in range(2 * sdr_intake.CHUNK_RECORDS):
            if place == sdr_intake.CHUNK_RECORDS + 10:
                with site.superuser() as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND state ="
                        " 'idle in transaction'"
                    )
            yield make_sdr()

    submission = sdr_intake.Submission(
        batch_sequence=1, control=totals_of([]), records=records()
    )
    with pytest.raises(ClearingHouseError) as caught:
        sdr_intake.submit_sdrs(
            world.env, message(make_sender(world.cso)), submission, lambda _: b""
        )

    assert caught.value.code is codes.UNAVAILABLE
    assert caught.value.code.retryable
    for table in ("sdr", "sdr_key", "batch", "rule_hit", "message"):
        assert _count(world, table) == 0
    assert world.submit([world.session()]).counts.accepted == 1


def test_the_answer_is_bounded_and_tells_what_is_left_out(lax_world: World) -> None:
    number = sdr_batch.ITEMS_MAX + 5
    remarks = [
        spanning(make_sdr(), NOW - timedelta(days=2, minutes=45 * n), minutes=40)
        for n in range(10)
    ]
    refused = [make_sdr(tariff_id="T-404") for _ in range(number)]

    outcome = lax_world.submit([*remarks, *refused])

    assert outcome.counts.refused == number
    assert len(outcome.items) == sdr_batch.ITEMS_MAX
    assert outcome.omitted == 15
    assert {item.code for item in outcome.items} == {codes.SDR_TARIFF}


def _uuid(record: ServiceDetailRecord) -> UUID:
    assert record.session_id is not None
    return record.session_id or uuid4()
