"""Rating again from the bundle alone: tariffs that depend on much, and one cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services import bundles, held_sdrs, seals
from clearinghouse.storage import tariffs
from clearinghouse.storage.tariffs import Publication
from clearinghouse.verify import rerating
from clearinghouse.verify.bundle import verify
from tests.builders import make_tariff
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    spanning,
)
from tests.verify.forging import Forged

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment

_KINDS = ComponentType
_COMPONENTS = (
    Component(
        type=_KINDS.ENERGY, price_u=390_000, local_from=8 * 60, local_until=20 * 60
    ),
    Component(type=_KINDS.ENERGY, price_u=290_000, local_from=1200, local_until=480),
    Component(type=_KINDS.ENERGY, price_u=10_000, tier_from=20_000, step=500),
    Component(type=_KINDS.TIME, price_u=21_000, step=300),
    Component(type=_KINDS.PARKING, price_u=33_333, weekdays=frozenset({0, 2, 4, 6})),
    Component(type=_KINDS.IDLE, price_u=100_000, grace_seconds=600),
    Component(type=_KINDS.FLAT, price_u=350_000),
)


@pytest.fixture
def world(env: Environment) -> World:
    made = make_world(env, terms=Terms(match_required=False))
    tariff = make_tariff(tariff_id="T-2", valid_from=SINCE, components=_COMPONENTS)
    published = Publication(publisher_id=made.cso.participant_id, tariff=tariff)
    with env.database.begin() as tx:
        tariffs.publish(tx, published, at=SINCE)
    return made


def _close(world: World, path: Path) -> Path:
    """Take in what is held, close the window, write its bundle and the key."""
    for one in held_sdrs.held(world.env):
        held_sdrs.release(world.env, world.cso.party_id, one.stored.sdr_uid)
    window_id = world.close().window.window_id
    bundles.write_bundle(world.env, window_id, path)
    key = path.with_name("public.pem")
    key.write_text(seals.keys(world.env)[-1].pem, encoding="ascii")
    return key


def test_tariff_that_depends_on_much_is_rated_the_same(
    world: World, tmp_path: Path
) -> None:
    records = [
        replace(
            spanning(
                make_sdr(tariff_id="T-2"),
                STARTED_AT - timedelta(hours=7 * n, seconds=n),
                minutes=40,
                energy_wh=19_990 + 7 * n,
            ),
            idle_seconds=599 + n,
            parking_seconds=61 * n,
        )
        for n in range(12)
    ]
    assert world.submit(records).counts.refused == 0
    path = tmp_path / "bundle.zip"

    key = _close(world, path)

    forged = Forged.open(path.read_bytes())
    amounts = {forged.get("sdrs.tsv", n, "netMinor") for n in range(1, 13)}
    assert len(amounts) > 8
    assert verify(path, key).told == []


def test_one_cent_is_found_and_what_it_should_be_is_told(
    world: World, tmp_path: Path
) -> None:
    world.submit([make_sdr()])
    path = tmp_path / "bundle.zip"
    key = _close(world, path)
    forged, private = Forged.open(path.read_bytes()), world.env.signer.key()

    forged.add("sdrs.tsv", 1, "netMinor", 1)
    forged.seal(private)
    forged.list(private)

    told = verify(forged.write(path), key).told
    found = [(one.line, one.expected, one.found) for one in told if one.line == 2]
    assert (2, "1149", "1150") in found
    assert any(one.field.startswith("netMinor of SDR-") for one in told)


def test_offsets_change_where_the_clocks_do() -> None:
    zone = zone_named("Europe/Berlin")
    first = datetime(2026, 3, 1, 12, 34, tzinfo=UTC)

    changes = list(rerating._offsets(zone, first, first + timedelta(days=300)))  # noqa: SLF001 -- what local times hang on

    assert changes == [
        (first, 3600),
        (datetime(2026, 3, 29, 1, tzinfo=UTC), 7200),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), 3600),
    ]
