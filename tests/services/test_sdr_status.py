"""GetSdrStatus: where SDRs stand, for their submitter and their home CSP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.services import sdrs
from clearinghouse.services.sdr_batch import Unreadable
from clearinghouse.services.sdrs import StatusQuery
from tests.builders import make_sender
from tests.services.sdr_world import (
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    spanning,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _status(world: World, who: Participant, sdr_id: str, **rest: str) -> SdrStatus:
    query = StatusQuery(sdr_ids=[sdr_id], **rest)  # type: ignore[arg-type]  # one key
    (standing,) = sdrs.get_sdr_status(world.env, make_sender(who), query).standings
    return standing.status


def test_a_submitter_asks_where_its_sdrs_stand(world: World) -> None:
    taken = world.session(claimed_net=Decimal("11.50"))
    held, refused = make_sdr(), make_sdr(tariff_id="T-404")
    world.submit([taken, held, refused])

    page = sdrs.get_sdr_status(
        world.env,
        make_sender(world.cso),
        StatusQuery(sdr_ids=[taken.sdr_id, held.sdr_id, refused.sdr_id, "NEVER"]),
    )

    assert [standing.status for standing in page.standings] == [
        SdrStatus.ACCEPTED,
        SdrStatus.HELD,
        SdrStatus.REFUSED,
        SdrStatus.UNKNOWN,
    ]
    first = page.standings[0]
    assert (first.rated_net_minor, first.currency, first.window_id) == (1149, "EUR", 1)
    assert [item.rule for item in first.remarks] == ["S-301"]
    assert "S-105" in [item.rule for item in page.standings[2].remarks]
    assert page.standings[3].changed_at is None


def test_a_home_csp_asks_about_what_it_has_to_pay(world: World) -> None:
    mine, held, foreign = world.session(), make_sdr(), world.session(world.other_csp)
    world.submit([mine, held, foreign])

    found = [
        _status(world, world.csp, record.sdr_id, submitter_party="CHREP")
        for record in (mine, held, foreign)
    ]

    assert found == [SdrStatus.ACCEPTED, SdrStatus.UNKNOWN, SdrStatus.UNKNOWN]


def test_ids_are_compared_without_regard_to_case(world: World) -> None:
    world.submit([world.session(sdr_id="Sdr-a1")])

    assert _status(world, world.cso, "SDR-A1") is SdrStatus.ACCEPTED


def test_a_submitter_asks_about_a_whole_batch_page_by_page(world: World) -> None:
    records = [
        spanning(make_sdr(), STARTED_AT - timedelta(hours=place), minutes=40)
        for place in range(40)
    ]
    many = [
        make_sdr(tariff_id="T-404", sdr_id=f"R-{n}")
        for n in range(sdrs.STATUS_PAGE_MAX)
    ]
    world.submit([*records[:20], *many, *records[20:]])
    sender = make_sender(world.cso)

    first = sdrs.get_sdr_status(world.env, sender, StatusQuery(batch_sequence=1))
    second = sdrs.get_sdr_status(
        world.env, sender, StatusQuery(batch_sequence=1, cursor=first.cursor)
    )

    assert first.more
    assert not second.more
    ids = [one.sdr_id for page in (first, second) for one in page.standings]
    expected = [*records[:20], *many, *records[20:]]
    assert ids == [record.sdr_id for record in expected]


def test_a_refused_record_behind_many_without_an_id_is_shown(world: World) -> None:
    item = Item(code=codes.SDR_FIELD, path="sdrId", expected="an id")
    nameless = [Unreadable(sdr_id=None, items=(item,))] * (sdrs.STATUS_PAGE_MAX + 200)
    world.submit([*nameless, make_sdr(tariff_id="T-404", sdr_id="VISIBLE-1")])

    page = sdrs.get_sdr_status(
        world.env, make_sender(world.cso), StatusQuery(batch_sequence=1)
    )

    assert [one.sdr_id for one in page.standings] == ["VISIBLE-1"]
    assert not page.more


@pytest.mark.parametrize("by_batch", [True, False])
def test_a_status_with_many_remarks_goes_on_in_another_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, *, by_batch: bool
) -> None:
    records = [
        world.session(),
        make_sdr(tariff_id="T-404", sdr_id="R-1"),
        world.session(claimed_net=Decimal("11.50")),
        make_sdr(tariff_id="T-404", sdr_id="R-2"),
        world.session(),
    ]
    world.submit(records)
    monkeypatch.setattr(sdrs, "PAGE_BYTES_MAX", 4_000)
    ids = [record.sdr_id for record in records]
    asked = {"batch_sequence": 1} if by_batch else {"sdr_ids": ids}

    told, cursor, more = [], None, True
    while more:
        query = StatusQuery(cursor=cursor, **asked)
        page = sdrs.get_sdr_status(world.env, make_sender(world.cso), query)
        told.append([one.sdr_id for one in page.standings])
        cursor, more = page.cursor, page.more

    assert len(told) > 1
    assert [sdr_id for page in told for sdr_id in page] == ids


def test_a_batch_that_is_not_the_senders_is_unknown(world: World) -> None:
    world.submit([world.session()])

    for query in (
        StatusQuery(batch_sequence=2),
        StatusQuery(batch_sequence=1, submitter_party="DEABC"),
    ):
        with pytest.raises(ClearingHouseError) as caught:
            sdrs.get_sdr_status(world.env, make_sender(world.cso), query)
        assert caught.value.code is codes.SDR_UNKNOWN
