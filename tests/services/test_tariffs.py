"""Tariffs: published version by version, never for the past, each for its receivers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.tariffs import (
    Component,
    ComponentType,
    Tariff,
    version_in_force,
)
from clearinghouse.services import tariffs
from clearinghouse.services.tariffs import OfferedTariff, Published
from clearinghouse.storage import tariffs as rows
from tests.builders import NOW, make_agreement, make_tariff, seconds
from tests.services.evse_world import Answers, World, found, open_world

if TYPE_CHECKING:
    from datetime import datetime

    from clearinghouse.services.environment import Environment
    from clearinghouse.services.outcomes import Refusal
    from tests.fixtures.partners import StillClock

CHEAP = (Component(type=ComponentType.ENERGY, price_u=390_000),)


@pytest.fixture
def world(env: Environment, clock: StillClock) -> World:
    return open_world(env, clock)


def offer(receiver_party: str, tariff: Tariff | None = None) -> OfferedTariff:
    """Make a tariff for one receiver."""
    return OfferedTariff(tariff=tariff or make_tariff(), receiver_party=receiver_party)


def price_at(world: World, at: datetime) -> int | None:
    """Return the price at which a session of the agreed CSP is rated."""
    with world.env.database.begin_read_only() as tx:
        versions = rows.versions_of(tx, world.cso.participant_id, ["T-1"])
    found_version = version_in_force(
        versions, receiver_id=world.csp.participant_id, at=at
    )
    if found_version is None:
        return None
    return found_version.tariff.components[0].price_u


@pytest.mark.clause("4.3-I3")
def test_default_tariff_reaches_the_csp_that_has_an_agreement(world: World) -> None:
    outcome = world.publish(make_tariff())

    (listed,) = world.pull_tariffs().items
    assert outcome.code is codes.OK
    assert [(one.tariff.tariff_id, one.version) for one in outcome.tariffs] == [
        ("T-1", 1)
    ]
    assert (listed.publisher_party, listed.receiver_party) == ("CHREP", None)
    assert listed.tariff == make_tariff()


def test_same_tariff_sent_again_keeps_its_version(world: World) -> None:
    world.publish(make_tariff())
    cursor = str(world.pull_tariffs().cursor)

    again = world.publish(make_tariff())

    assert again.code is codes.OK
    assert [one.version for one in again.tariffs] == [1]
    assert world.pull_tariffs(cursor=cursor).items == ()


def test_change_from_now_on_is_a_new_version_and_leaves_the_past_alone(
    world: World,
) -> None:
    world.publish(make_tariff())

    outcome = world.publish(make_tariff(valid_from=NOW, components=CHEAP))

    assert [one.version for one in outcome.tariffs] == [2]
    assert price_at(world, seconds(-1)) == 450_000
    assert price_at(world, NOW) == 390_000


def test_change_that_begins_in_the_past_is_refused(world: World) -> None:
    world.publish(make_tariff())

    outcome = world.publish(make_tariff(valid_from=seconds(-1), components=CHEAP))

    assert (outcome.code, outcome.tariffs) == (codes.PARTLY, ())
    assert found(outcome.items) == [(522, 0, "validFrom")]
    assert price_at(world, NOW) == 450_000


def test_first_publication_may_begin_in_the_past(world: World) -> None:
    outcome = world.publish(make_tariff(valid_from=NOW - timedelta(days=365)))

    assert outcome.items == ()
    assert price_at(world, NOW - timedelta(days=100)) == 450_000


def test_tariff_for_one_receiver_cannot_replace_the_default_for_the_past(
    world: World,
) -> None:
    world.publish(make_tariff())

    backdated = world.publish(offer("DEABC", make_tariff(components=CHEAP)))
    ahead = world.publish(
        offer("DEABC", make_tariff(components=CHEAP, valid_from=seconds(60)))
    )

    assert found(backdated.items) == [(522, 0, "validFrom")]
    assert [one.version for one in ahead.tariffs] == [1]
    assert price_at(world, seconds(59)) == 450_000
    assert price_at(world, seconds(60)) == 390_000


def test_first_default_may_stand_beside_a_tariff_for_one_receiver(
    world: World,
) -> None:
    world.publish(offer("DEABC", make_tariff(components=CHEAP)))

    outcome = world.publish(make_tariff())

    assert [one.version for one in outcome.tariffs] == [1]
    assert price_at(world, NOW) == 390_000


def test_second_tariff_of_one_name_in_a_message_may_not_change_the_first(
    world: World,
) -> None:
    outcome = world.publish(
        make_tariff(),
        make_tariff(components=CHEAP),
        make_tariff(components=CHEAP, valid_from=seconds(60)),
    )

    assert found(outcome.items) == [(522, 1, "validFrom")]
    assert [one.version for one in outcome.tariffs] == [1, 2]


def test_bad_tariff_spares_the_others_and_all_that_is_wrong_is_named(
    world: World,
) -> None:
    bad = make_tariff(
        tariff_id="T-2",
        currency="XXX",
        valid_until=NOW - timedelta(days=2),
        components=(Component(type=ComponentType.FLAT, price_u=-1),),
    )

    outcome = world.publish(bad, make_tariff())

    assert outcome.code is codes.PARTLY
    assert found(outcome.items) == [
        (520, 0, "currency"),
        (521, 0, "validUntil"),
        (520, 0, "component[1]/price"),
    ]
    assert [one.tariff.tariff_id for one in outcome.tariffs] == ["T-1"]
    assert [one.tariff.tariff_id for one in world.pull_tariffs().items] == ["T-1"]


# Receivers


@pytest.mark.parametrize("receiver", ["NLXYZ", "FRXXX", "CHREP"])
def test_receiver_without_an_agreement_is_refused_whether_it_is_there_or_not(
    world: World, receiver: str
) -> None:
    outcome = world.publish(offer(receiver), make_tariff(tariff_id="T-2"))

    assert found(outcome.items) == [(200, 0, "receiverId")]
    assert outcome.items[0].found == receiver
    assert [one.tariff.tariff_id for one in outcome.tariffs] == ["T-2"]


def test_receiver_in_mode_a_gets_no_tariffs_from_us(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.other_csp, mode=Mode.A)

    outcome = world.publish(offer("NLXYZ"))

    assert found(outcome.items) == [(203, 0, "receiverId")]


def test_tariff_may_be_told_before_the_agreement_begins(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.other_csp, valid_from=seconds(3600))

    outcome = world.publish(offer("NLXYZ"))

    assert outcome.items == ()
    assert world.pull_tariffs(world.other_csp).items == ()
    world.clock.forward(seconds=3600)
    (listed,) = world.pull_tariffs(world.other_csp).items
    assert listed.receiver_party == "NLXYZ"


def test_receiver_whose_agreement_has_ended_is_refused(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.other_csp, valid_until=seconds(3600))
    world.clock.forward(seconds=3600)

    outcome = world.publish(offer("NLXYZ"))

    assert found(outcome.items) == [(200, 0, "receiverId")]


def test_tariff_for_one_receiver_is_invisible_to_all_others(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.other_csp)
    world.publish(make_tariff(), offer("DEABC", make_tariff(tariff_id="SECRET")))

    def seen(reader: str) -> set[str]:
        partner = {"csp": world.csp, "other": world.other_csp, "own": world.cso}
        page = world.pull_tariffs(partner[reader])
        return {one.tariff.tariff_id for one in page.items}

    assert seen("csp") == {"T-1", "SECRET"}
    assert seen("other") == {"T-1"}
    assert seen("own") == {"T-1", "SECRET"}


def test_csp_without_an_agreement_sees_no_tariffs(world: World) -> None:
    world.publish(make_tariff())

    assert world.pull_tariffs(world.other_csp).items == ()
    with pytest.raises(ClearingHouseError) as refused:
        world.pull_tariffs(world.other_csp, cso_party="CHREP")
    assert refused.value.code is codes.NO_AGREEMENT


@pytest.mark.clause("4.2-visited")
def test_visited_csp_publishes_what_it_charges(world: World) -> None:
    with world.env.database.begin() as tx:
        make_agreement(tx, world.other_csp, world.csp)

    world.publish(offer("DEABC"), sender=world.other_csp)

    (listed,) = world.pull_tariffs(cso_party="NLXYZ").items
    assert (listed.publisher_party, listed.receiver_party) == ("NLXYZ", "DEABC")


def test_tariffs_of_two_publishers_do_not_meet(world: World) -> None:
    world.publish(make_tariff())

    other = world.publish(make_tariff(components=CHEAP), sender=world.other_cso)

    assert other.items == ()
    assert [one.version for one in other.tariffs] == [1]
    assert price_at(world, NOW) == 450_000


# Repeats


def test_repeated_publication_gets_the_stored_answer(world: World) -> None:
    answers: Answers[Published | Refusal] = Answers()
    exchange = world.exchange()
    offered = (OfferedTariff(tariff=make_tariff()),)
    first = tariffs.put_tariffs(world.env, exchange, offered, answers)
    world.publish(make_tariff(valid_from=NOW, components=CHEAP))

    second = tariffs.put_tariffs(world.env, exchange, offered, answers)

    assert first == second
    assert len(answers.outcomes) == 1
    assert price_at(world, NOW) == 390_000


def test_of_two_first_publications_at_once_one_sets_the_past(world: World) -> None:
    outcomes: list[Published] = []

    def send(price_u: int) -> None:
        components = (replace(CHEAP[0], price_u=price_u),)
        outcomes.append(world.publish(make_tariff(components=components)))

    threads = [Thread(target=send, args=(price,)) for price in range(100, 105)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(len(outcome.tariffs) for outcome in outcomes) == [0, 0, 0, 0, 1]
