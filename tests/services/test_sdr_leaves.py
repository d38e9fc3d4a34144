"""Leaves: written at intake, and the same again when the database makes the row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select, text

from clearinghouse.domain import merkle
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdr_rows import (
    FIELDS,
    ROW_VERSION,
    leaf_of_row,
    utc_text,
    utc_text_of,
)
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import held_sdrs
from clearinghouse.storage.tables.sdrs import sdr, sdr_batch
from tests.builders import NOW
from tests.services.sdr_world import World, make_sdr, make_world, put_evse, spanning

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment

_ROWS = text("""
    SELECT s.sdr_no, s.leaf, clearing.sdr_row(s, a.party_id, b.party_id, c.party_id)
        AS row
    FROM clearing.sdr AS s
    JOIN clearing.participant AS a ON a.participant_id = s.submitter_id
    JOIN clearing.participant AS b ON b.participant_id = s.csp_id
    JOIN clearing.participant AS c ON c.participant_id = s.cso_id
    ORDER BY s.sdr_no
""")


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _stored(world: World) -> list[tuple[bytes, str]]:
    with world.env.database.begin_read_only() as tx:
        return [(row.leaf, row.row) for row in tx.execute(_ROWS)]


def _roots(world: World) -> list[bytes]:
    with world.env.database.begin_read_only() as tx:
        query = select(sdr_batch.c.root).order_by(sdr_batch.c.batch_sequence)
        return list(tx.execute(query).scalars())


def test_database_makes_the_row_that_intake_committed_to(world: World) -> None:
    put_evse(world, "CH*REP*E0009*1", time_zone="Europe/Lisbon")
    cest = timezone(timedelta(hours=2))
    moved = world.session()
    started_at = moved.started_at.astimezone(cest) + timedelta(microseconds=7)
    records = [
        world.session(),
        spanning(moved, started_at, minutes=40),
        world.session(claimed_net=Decimal("20.00")),
        world.session(partner_session_id='of "ours" \\ und Grüße \t\u2028'),
        make_sdr(evse_id="CH*REP*E0009*1", idle_seconds=61, parking_seconds=2),
    ]

    outcome = world.submit(records)

    assert outcome.counts.refused == 0
    stored = _stored(world)
    assert [merkle.leaf_of(row.encode()) for _, row in stored] == [
        leaf for leaf, _ in stored
    ]
    assert _roots(world) == [merkle.root_of([leaf for leaf, _ in stored])]


def test_a_row_names_its_fields_and_their_order(world: World) -> None:
    record = world.session()

    world.submit([record])

    ((leaf, row),) = _stored(world)
    fields = dict(zip(FIELDS, row.split("\t"), strict=True))
    assert fields["row"] == str(ROW_VERSION)
    assert fields["submitterId"] == fields["csoId"] == world.cso.party_id
    assert fields["cspId"] == world.csp.party_id
    assert fields["sdrId"] == record.sdr_id
    assert fields["netMinor"] == "1149"
    assert fields["startedAt"] == utc_text(record.started_at)
    assert leaf_of_row(row) == leaf


def test_a_row_names_no_person_and_outlives_the_memory_of_one(world: World) -> None:
    value = "04AABBCCDDEEFF"
    csp_id = world.csp.participant_id
    known = world.env.vault.enrol(csp_id, SubjectKind.RFID, [value], at=NOW)
    kind = CredentialKind.RFID
    world.submit([world.session(credential_kind=kind, credential_value=value)])
    ((leaf, before),) = _stored(world)

    world.env.vault.erase(known.subjects.values(), at=NOW)

    ((_, after),) = _stored(world)
    assert after == before
    assert value not in before
    assert merkle.leaf_of(after.encode()) == leaf


def test_batch_without_an_sdr_has_the_root_of_nothing(world: World) -> None:
    world.submit([make_sdr(tariff_id="T-404")])

    assert _roots(world) == [merkle.EMPTY_ROOT]


def test_held_sdr_that_is_taken_in_gets_a_leaf_of_its_own(world: World) -> None:
    record = world.session(claimed_net=Decimal("20.00"))
    world.submit([record])
    ((held_leaf, _),) = _stored(world)

    held_sdrs.release(world.env, world.cso.party_id, record.sdr_id)

    (first, _), (anew, row) = _stored(world)
    assert first == held_leaf != anew
    assert merkle.leaf_of(row.encode()) == anew
    with world.env.database.begin_read_only() as tx:
        statuses = tx.execute(select(sdr.c.status).order_by(sdr.c.sdr_no)).scalars()
        assert list(statuses) == ["HELD", "ACCEPTED"]


def test_instants_of_a_row_are_utc_to_the_microsecond() -> None:
    at = NOW.astimezone(timezone(timedelta(hours=1)))

    assert utc_text(at) == utc_text(NOW.astimezone(UTC))
    assert utc_text(NOW).endswith("Z")


@given(
    at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 12, 30)),  # noqa: DTZ001 -- the zone is drawn beside it
    minutes=st.sampled_from([0, 60, -210, 345]),
    whole=st.booleans(),
)
@example(at=datetime(2026, 11, 23), minutes=0, whole=True)  # noqa: DTZ001
def test_a_written_instant_becomes_utc_as_the_instant_does(
    at: datetime, minutes: int, *, whole: bool
) -> None:
    zone = timezone(timedelta(minutes=minutes)) if minutes else UTC
    instant = at.replace(tzinfo=zone)
    if whole:
        instant = instant.replace(microsecond=0)

    assert utc_text_of(instant.isoformat()) == utc_text(instant)
