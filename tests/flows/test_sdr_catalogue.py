"""The rule catalogue as partners meet it: code, path, expected, found, and borders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.storage import tariffs
from clearinghouse.storage.tables.sdrs import sdr as sdr_rows
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_agreement
from tests.flows.catalogue import (
    LAX,
    SESSION,
    charged,
    ended,
    enrol,
    sdr_from,
    standings,
    told,
    with_card,
)
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    price,
    spanning,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env, terms=LAX)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


@pytest.mark.parametrize("batches", [1, 2])
def test_s207_holds_what_is_nearly_the_same(
    cso: Speaker, world: World, batches: int
) -> None:
    enrol(world, at=SINCE)
    short = with_card(charged(100, minutes=1, claimed="0.05"))
    again = replace(
        spanning(short, STARTED_AT + timedelta(seconds=60), minutes=1, energy_wh=101),
        sdr_id="AGAIN",
    )
    later = replace(
        spanning(short, STARTED_AT + timedelta(seconds=121), minutes=1, energy_wh=101),
        sdr_id="LATER",
    )

    if batches == 1:
        items = told(cso, short, again, later)
    else:
        told(cso, short)
        items = told(cso, again, later, sequence=2)

    (item,) = [one for one in items if one["rule"] == "S-207"]
    assert item["code"] == "637"
    assert item["path"] == f"{SESSION}/startedAt"
    assert item["found"] == f"nearly the same as {short.sdr_id}"
    found = [one["status"] for one in standings(cso, "AGAIN", "LATER")]
    assert found == ["HELD", "ACCEPTED"]


def test_s210_holds_what_was_charged_with_a_card_that_was_blocked(
    cso: Speaker, world: World
) -> None:
    enrol(world, at=SINCE)
    enrol(world, at=STARTED_AT, status=CredentialStatus.BLOCKED)
    before = with_card(sdr_from(STARTED_AT - timedelta(hours=1)))

    items = told(cso, with_card(make_sdr()), before)

    (item,) = [one for one in items if one.get("rule") == "S-210"]
    assert (item["index"], item["code"]) == ("0", "640")
    assert item["path"] == f"{SESSION}/credential"
    assert item["expected"].endswith(STARTED_AT.isoformat())
    assert item["found"] == "blocked"


def test_s306_remarks_a_tariff_that_changed_during_the_session(
    cso: Speaker, world: World
) -> None:
    changed_at = STARTED_AT + timedelta(minutes=40)
    newer = replace(price(500_000), valid_from=changed_at)
    with world.env.database.begin() as tx:
        published = Publication(publisher_id=world.cso.participant_id, tariff=newer)
        tariffs.publish(tx, published, at=SINCE)
    before = sdr_from(STARTED_AT - timedelta(seconds=1))

    items = told(cso, make_sdr(), replace(before, evse_id="CH*REP*E0002*1"))

    (item,) = items
    assert (item["index"], item["code"], item["rule"]) == ("0", "167", "S-306")
    assert item["found"] == f"changed or ended at {changed_at.isoformat()}"


@pytest.mark.border("S-303")
@pytest.mark.parametrize(
    ("count", "shift", "told_of"), [(20, 0, 1), (19, 0, 0), (20, 1, 0)]
)
def test_s303_remarks_a_batch_whose_times_are_all_whole_minutes(
    cso: Speaker, count: int, shift: int, told_of: int
) -> None:
    records = [
        sdr_from(STARTED_AT - timedelta(minutes=41 * n, seconds=shift * (n == 7)))
        for n in range(count)
    ]

    items = [one for one in told(cso, *records) if one["rule"] == "S-303"]

    assert [one["found"] for one in items] == [
        f"whole minutes in all {count} records"
    ] * told_of
    assert all("index" not in one for one in items)


@pytest.mark.parametrize("allowed", [True, False])
def test_m4_the_list_stands_in_for_a_session_where_the_agreement_says_so(
    env: Environment, speaker: Callable[[Participant], Speaker], *, allowed: bool
) -> None:
    world = make_world(env, terms=Terms(offline_allowed=allowed))
    cso = speaker(world.cso)
    enrol(world, at=STARTED_AT)
    enrol(world, at=NOW)  # named again as it was
    record, early = (
        with_card(make_sdr()),
        with_card(sdr_from(STARTED_AT - timedelta(hours=2))),
    )

    items = told(cso, record, early)

    unmatched = [one["index"] for one in items if one["rule"] == "S-201"]
    assert unmatched == (["1"] if allowed else ["0", "1"])
    (standing,) = standings(cso, record.sdr_id)
    assert standing["matchKind"] == ("OFFLINE_LIST" if allowed else "NONE")
    assert standing["status"] == ("ACCEPTED" if allowed else "HELD")


def test_an_sdr_is_judged_by_the_version_of_the_agreement_at_its_start(
    cso: Speaker, world: World
) -> None:
    strict = replace(LAX, energy_wh_max=23_455)
    changed_at = STARTED_AT - timedelta(hours=1)
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.csp, valid_from=changed_at, terms=strict)
    old = sdr_from(changed_at - timedelta(minutes=41))

    items = told(cso, old, make_sdr(sdr_id="NEW"))

    assert [(one["index"], one["rule"]) for one in items] == [("1", "S-203")]
    found = standings(cso, old.sdr_id, "NEW")
    assert [one["agreementVersion"] for one in found] == ["1", "2"]


def test_late_sdrs_fall_in_the_open_window_with_their_flags_on_the_line(
    cso: Speaker, world: World
) -> None:
    world.close("next")
    told(cso, ended(-25 * 3_600), ended(-8 * 86_400))
    closing = world.close("after next")

    window_id = closing.window.window_id
    with world.env.database.begin_read_only() as tx:
        query = select(sdr_rows.c.rule_codes).where(sdr_rows.c.window_id == window_id)
        flags = tx.execute(query.order_by(sdr_rows.c.record_no)).scalars().all()

    assert flags == ["S-304", "S-304 S-307"]
    (settled,) = closing.settlements
    assert settled.sdr_count == 2


#: What is told of these records, by their ids, in whatever order they come.
_MIXED: dict[str, tuple[dict[str, object], list[str]]] = {
    "FINE": ({}, []),
    "DEAR": ({"claimed_net": Decimal("99.00")}, ["S-208"]),
    "FREE": ({"tariff_id": "T-2"}, ["S-105"]),
    "SWISS": ({"currency": "CHF"}, ["S-104"]),
    "IDLE": ({"idle_seconds": 86_400, "claimed_net": Decimal(1)}, ["S-204", "S-208"]),
    "OLD": ({"evse_id": "+41*823*1*1", "cso_id": "CHREP"}, ["S-103", "S-305"]),
}


@pytest.mark.parametrize("seed", range(6))
def test_order_of_records_that_are_no_neighbours_changes_nothing(
    cso: Speaker, seed: int
) -> None:
    records = [
        sdr_from(STARTED_AT - timedelta(hours=n), sdr_id=name, **override)
        for n, (name, (override, _)) in enumerate(_MIXED.items())
    ]
    Random(seed).shuffle(records)  # noqa: S311 - no secret is drawn

    items = told(cso, *records)

    by_name: dict[str, list[str]] = {name: [] for name in _MIXED}
    for item in items:
        by_name[records[int(item["index"])].sdr_id].append(item["rule"])
    assert by_name == {name: rules for name, (_, rules) in _MIXED.items()}
