"""Rating a window once more in the database: it agrees, and finds what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.meters import MeterReading
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.services import rerating
from clearinghouse.services.rerating import Difference
from clearinghouse.storage import tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import make_tariff
from tests.services.sdr_world import SINCE, World, make_world, window_of

if TYPE_CHECKING:
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site


@pytest.fixture
def world(env: Environment) -> World:
    made = make_world(env)
    energy = ComponentType.ENERGY
    components = (
        Component(type=energy, price_u=400_000, local_from=0, local_until=555),
        Component(type=energy, price_u=550_000, local_from=555, local_until=0),
        Component(type=ComponentType.FLAT, price_u=350_000, connector="ccs2"),
        Component(type=ComponentType.IDLE, price_u=100_000, grace_seconds=60),
    )
    tariff = make_tariff(
        tariff_id="RICH",
        valid_from=SINCE,
        components=components,
        discount_ppm=25_000,
        vat_included=True,
    )
    with env.database.begin() as tx:
        published = Publication(publisher_id=made.cso.participant_id, tariff=tariff)
        tariffs.publish(tx, published, at=SINCE)
    return made


def read_in_between(record: ServiceDetailRecord) -> ServiceDetailRecord:
    """Return a record of the rich tariff whose meter was read every ten minutes."""
    (session,) = record.charging_sessions
    (transaction,) = session.transactions
    registers = (0, 5_000, 12_000, 20_000, 23_456)
    readings = tuple(
        MeterReading(record.started_at + timedelta(minutes=10 * place), wh)
        for place, wh in enumerate(registers)
    )
    metered = replace(transaction, readings=readings)
    return replace(
        record,
        tariff_id="RICH",
        charging_sessions=[replace(session, transactions=[metered])],
        idle_seconds=0,
    )


@pytest.mark.clause("4.3-I3")
def test_every_amount_follows_from_what_is_stored(world: World) -> None:
    original = world.session()
    credit = replace(
        original, sdr_id="C-1", kind=SdrKind.CREDIT, ref_sdr_id=original.sdr_id
    )
    rich = [read_in_between(world.session()) for _ in range(5)]
    world.submit([original, *rich])
    world.submit([credit])

    found = rerating.rerate(world.env, window_of(world).window_id)

    assert (found.sdrs, found.different, found.differences) == (7, 0, [])


def test_amount_that_was_changed_is_found_to_the_cent(world: World, site: Site) -> None:
    records = [world.session(), world.session()]
    world.submit(records)
    with site.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE clearing.sdr SET net_minor = net_minor + 1 WHERE sdr_uid = %s",
            (records[1].sdr_id,),
        )

    found = rerating.rerate(world.env, window_of(world).window_id)

    assert (found.sdrs, found.different) == (2, 1)
    assert found.differences == [
        Difference(
            submitter_party="CHREP",
            sdr_uid=records[1].sdr_id,
            currency="EUR",
            stored_minor=1150,
            rated_minor=1149,
        )
    ]


def test_window_is_rated_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearinghouse.storage.rerating.RATED_AT_ONCE_MAX", 2)
    world.submit([world.session() for _ in range(5)])

    assert rerating.rerate(world.env, window_of(world).window_id).sdrs == 5
