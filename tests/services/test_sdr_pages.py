"""GetSdrs, page by page: bounded by number and by length, without gap or repeat."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.services import sdrs, settlement
from clearinghouse.services.sdrs import SdrQuery
from clearinghouse.storage import sdrs as stored_sdrs
from tests.builders import make_sender
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import DeliveredSdr
    from clearinghouse.storage.feeds import Page


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _get(
    world: World, who: Participant, *, cursor: str | None = None, limit: int = 500
) -> Page[DeliveredSdr]:
    query = SdrQuery(role=None, cursor=cursor, limit=limit)
    return sdrs.get_sdrs(world.env, make_sender(who), query)


def test_a_feed_goes_on_from_its_cursor_and_misses_nothing(world: World) -> None:
    records = [world.session() for _ in range(5)]
    world.submit(records[:3])
    first = _get(world, world.csp, limit=2)
    world.submit(records[3:])

    second = _get(world, world.csp, cursor=str(first.cursor), limit=2)
    third = _get(world, world.csp, cursor=str(second.cursor), limit=2)
    last = _get(world, world.csp, cursor=str(third.cursor), limit=2)

    pages = [first, second, third, last]
    ids = [one.record.sdr_id for page in pages for one in page.items]
    assert ids == [record.sdr_id for record in records]
    assert [page.more for page in pages] == [True, True, False, False]


def test_a_page_of_large_sdrs_ends_before_an_answer_is_too_long(world: World) -> None:
    records = [_largest(world.session()) for _ in range(4)]
    world.submit(records)

    first = _get(world, world.cso)
    second = _get(world, world.cso, cursor=str(first.cursor))
    last = _get(world, world.cso, cursor=str(second.cursor))

    pages = [first, second, last]
    assert [len(page.items) for page in pages] == [2, 2, 0]
    assert [page.more for page in pages] == [True, False, False]
    found = [one.record for page in pages for one in page.items]
    assert found == records


def _largest(record: ServiceDetailRecord) -> ServiceDetailRecord:
    """Return the record with as many charging transactions as the schema allows."""
    (session,) = record.charging_sessions
    many = replace(session, transactions=session.transactions * 100)
    return replace(record, charging_sessions=[many] * 20)


def test_an_sdr_that_is_longer_than_a_page_comes_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdrs, "PAGE_BYTES_MAX", 1)
    records = [world.session() for _ in range(3)]
    world.submit(records)

    assert _ids_by_page(world, limit=500) == [[record.sdr_id] for record in records]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 500])
def test_a_page_is_read_in_parts_and_is_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(stored_sdrs, "PART_MAX", 2)
    records = [world.session(claimed_net=Decimal("11.50")) for _ in range(5)]
    world.submit(records)

    ids = [record.sdr_id for record in records]
    expected = [ids[first : first + limit] for first in range(0, 5, limit)]
    assert _ids_by_page(world, limit=limit) == expected
    remarks = [one.remarks for one in _get(world, world.csp).items]
    assert [[item.rule for item in some] for some in remarks] == [["S-301"]] * 5


def _ids_by_page(world: World, *, limit: int) -> list[list[str]]:
    """Pull all that is there for the home CSP, page by page."""
    told, cursor, more = [], None, True
    while more:
        page = _get(world, world.csp, cursor=cursor, limit=limit)
        told.append([one.record.sdr_id for one in page.items])
        cursor, more = str(page.cursor), page.more
    return told


def test_a_feed_goes_on_over_the_end_of_a_window(world: World) -> None:
    world.submit([world.session()])
    first = _get(world, world.csp)
    settlement.close_window(world.env, next_label="2026-12")
    world.submit([world.session()])

    second = _get(world, world.csp, cursor=str(first.cursor))

    assert [one.window_id for one in second.items] == [2]
    assert [one.status for one in _get(world, world.csp).items] == [
        SdrStatus.SETTLED,
        SdrStatus.ACCEPTED,
    ]
