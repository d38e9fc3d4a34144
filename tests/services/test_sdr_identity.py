"""SDR identity: submitter and id, for ever (contract: rules)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage.tables import sdrs as tables
from tests.builders import NOW
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    count_of,
    make_sdr,
    make_world,
    spanning,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def lax_world(env: Environment) -> World:
    """Agreements that ask for no session."""
    return make_world(env, terms=Terms(match_required=False))


def test_same_content_again_is_already_accepted(world: World) -> None:
    record = world.session()
    world.submit([record])

    outcome = world.submit([record])

    assert outcome.counts.duplicates == 1
    assert [item.code for item in outcome.items] == [codes.SDR_DUPLICATE]
    assert outcome.code is codes.SDR_WARNING
    assert count_of(world, tables.sdr) == 1


def test_same_content_is_told_so_even_when_it_is_too_old_by_now(
    world: World, clock: StillClock
) -> None:
    record = world.session()
    world.submit([record])
    clock.at = NOW + timedelta(days=90)

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
    assert count_of(world, tables.sdr) == 1


def test_the_same_id_twice_in_a_batch_is_stored_once(world: World) -> None:
    record = world.session()

    outcome = world.submit([record, record])

    assert (outcome.counts.accepted, outcome.counts.duplicates) == (1, 1)
    assert count_of(world, tables.sdr) == 1


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
