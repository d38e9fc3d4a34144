"""Whose lists a partner may pull: those of agreed partners, and its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.storage import participants
from tests.builders import NOW, make_agreement, make_tariff
from tests.services.evse_world import (
    ONE,
    World,
    make_part,
    open_world,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment, clock: StillClock) -> World:
    return open_world(env, clock)


@pytest.mark.clause("4.3-I3")
def test_csp_without_an_agreement_sees_nothing(world: World) -> None:
    world.put(ONE)

    assert world.pull(world.other_csp).items == ()
    with pytest.raises(ClearingHouseError) as refused:
        world.pull(world.other_csp, cso_party="CHREP")
    assert refused.value.code is codes.NO_AGREEMENT


def test_partner_that_is_not_there_looks_like_one_without_agreement(
    world: World,
) -> None:
    with pytest.raises(ClearingHouseError) as refused:
        world.pull(cso_party="FRXXX")

    assert refused.value.code is codes.NO_AGREEMENT


@pytest.mark.clause("5-A")
def test_evses_of_partners_in_mode_a_do_not_come_from_us(world: World) -> None:
    world.put(ONE)
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.other_csp, mode=Mode.A)

    assert world.pull(world.other_csp).items == ()


def test_agreement_that_ended_closes_the_list(world: World) -> None:
    world.put(ONE)
    with world.env.database.begin() as tx:
        make_agreement(
            tx, world.cso, world.other_csp, valid_until=NOW + timedelta(hours=1)
        )

    assert len(world.pull(world.other_csp).items) == 1
    world.clock.forward(seconds=3600)
    assert world.pull(world.other_csp).items == ()


def test_evses_of_a_suspended_operator_are_not_shown(world: World) -> None:
    world.put(ONE)
    with world.env.database.begin() as tx:
        participants.set_status(
            tx, world.cso.participant_id, ParticipantStatus.SUSPENDED
        )

    assert world.pull().items == ()


def test_csp_pulls_one_operator_or_all(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.other_cso, world.csp)
    world.put(ONE)
    world.try_put(make_part("CH*CCC*E1"), sender=world.other_cso)

    assert [one.cso_party for one in world.pull().items] == ["CHREP", "CHCCC"]
    chosen = world.pull(cso_party="CHCCC")
    assert [one.evse.received for one in chosen.items] == ["CH*CCC*E1"]


def test_participant_sees_its_own_evses(world: World) -> None:
    world.put(ONE)

    assert len(world.pull(world.cso).items) == 1
    assert len(world.pull(world.cso, cso_party="CHREP").items) == 1


def test_who_names_a_partner_does_not_get_its_own_as_well(world: World) -> None:
    world.publish(make_tariff(tariff_id="THEIRS"))
    world.publish(make_tariff(tariff_id="OWN"), sender=world.csp)

    def seen(cso_party: str | None) -> list[str]:
        page = world.pull_tariffs(cso_party=cso_party)
        return [one.tariff.tariff_id for one in page.items]

    assert seen(None) == ["THEIRS", "OWN"]
    assert seen("CHREP") == ["THEIRS"]
    assert seen("DEABC") == ["OWN"]
