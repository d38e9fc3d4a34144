"""EVSE data and status as stored (clause 4.3-I3, EVSE status exchange)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.evses import Availability, Occupancy
from clearinghouse.storage import evse_status, evses, lists
from clearinghouse.storage.feeds import START, Cursor
from tests.builders import (
    NOW,
    make_cso,
    make_evse,
    make_list_part,
    make_status,
    seconds,
)
from tests.ocmf import Meter

if TYPE_CHECKING:
    from clearinghouse.domain.evses import EvseStatus
    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database

_KEY = "CHREPE00011"


@pytest.fixture
def cso(database: Database) -> Participant:
    with database.begin() as tx:
        return make_cso(tx)


def test_evse_comes_back_as_it_was_put(database: Database, cso: Participant) -> None:
    full = make_evse(meter_public_key=Meter().public_key)
    bare = make_evse(
        "chrepe2",
        latitude_u=None,
        longitude_u=None,
        connectors=(),
        open_24_hours=None,
        operator_id="CHREP",
    )
    with database.begin() as tx:
        moved = evses.apply_delta(
            tx, cso.participant_id, upserts=[full, bare], removals=[]
        )

    with database.begin_read_only() as tx:
        stored = evses.evses_by_key(tx, [_KEY, "CHREPE2", "CHREPE3"])
        unknown = evses.evse_by_key(tx, "CHREPE3")

    assert moved == 2
    assert {key: one.evse for key, one in stored.items()} == {
        _KEY: full,
        "CHREPE2": bare,
    }
    assert stored[_KEY].cso_id == cso.participant_id
    assert unknown is None


def test_full_list_removes_others_and_brings_back(
    database: Database, cso: Participant
) -> None:
    with database.begin() as tx:
        evses.apply_delta(
            tx,
            cso.participant_id,
            upserts=[make_evse("CH*REP*E1"), make_evse("CH*REP*E2")],
            removals=["CHREPE1"],
        )
        part = make_list_part(cso)
        staged = evses.stage_part(tx, part, [make_evse("CH*REP*E1")], refused=2)
        difference = evses.difference(tx, cso.participant_id, part.list_id)
        evses.apply_list(tx, cso.participant_id, part.list_id, at=NOW)
        stored = evses.evses_by_key(tx, ["CHREPE1", "CHREPE2"])

    assert (staged.entries, staged.refused, staged.is_complete) == (1, 2, True)
    assert difference == lists.Difference(present=1, removed=1)
    assert not stored["CHREPE1"].removed
    assert stored["CHREPE2"].removed


def test_unchanged_evse_is_no_news(database: Database, cso: Participant) -> None:
    def put() -> None:
        with database.begin() as tx:
            part = make_list_part(cso)
            evses.stage_part(tx, part, [make_evse()])
            evses.apply_list(tx, cso.participant_id, part.list_id, at=NOW)

    put()
    with database.begin_read_only() as tx:
        first = evses.evses_changed(tx, [cso.participant_id], cursor=START, limit=10)
    put()
    with database.begin_read_only() as tx:
        second = evses.evses_changed(
            tx, [cso.participant_id], cursor=first.cursor, limit=10
        )

    assert (len(first.items), second.items) == (1, ())


def test_evse_of_another_operator_is_left_alone(
    database: Database, cso: Participant
) -> None:
    with database.begin() as tx:
        thief = make_cso(tx, "CHTHI")
        evses.apply_delta(tx, cso.participant_id, upserts=[make_evse()], removals=[])
        evses.apply_delta(
            tx,
            thief.participant_id,
            upserts=[make_evse(country="FR")],
            removals=[_KEY],
        )
        taken = evse_status.put_statuses(tx, cso.participant_id, [make_status()])
        stolen = evse_status.put_statuses(
            tx, thief.participant_id, [make_status(occurred_at=seconds(1))]
        )
        stored = evses.evse_by_key(tx, _KEY)

    assert stored is not None
    assert (stored.cso_id, stored.evse.country) == (cso.participant_id, "CH")
    assert not stored.removed
    assert taken == {_KEY}
    assert stolen == frozenset()


def _put_status(
    database: Database, cso: Participant, *statuses: EvseStatus
) -> frozenset[str]:
    with database.begin() as tx:
        return evse_status.put_statuses(tx, cso.participant_id, statuses)


def _news(
    database: Database, cso: Participant, cursor: Cursor
) -> tuple[list[EvseStatus], Cursor]:
    with database.begin_read_only() as tx:
        page = evse_status.statuses_changed(
            tx, [cso.participant_id], cursor=cursor, limit=100
        )
    return [one.status for one in page.items], page.cursor


def test_older_status_never_overwrites_newer(
    database: Database, cso: Participant
) -> None:
    newer = make_status(occupancy=Occupancy.OCCUPIED, occurred_at=seconds(10))
    _put_status(database, cso, newer)

    used = _put_status(database, cso, make_status(occurred_at=seconds(9)))
    news, _ = _news(database, cso, START)

    assert used == frozenset()
    assert news == [newer]


def test_stale_status_becomes_unknown_and_is_news(
    database: Database, cso: Participant
) -> None:
    _put_status(database, cso, make_status(valid_until=seconds(300)))
    _, cursor = _news(database, cso, START)

    with database.begin() as tx:
        assert evse_status.expire_statuses(tx, now=seconds(299)) == 0
        assert evse_status.expire_statuses(tx, now=seconds(300)) == 1
        assert evse_status.expire_statuses(tx, now=seconds(301)) == 0
    news, _ = _news(database, cso, cursor)

    assert news == [
        make_status(
            availability=Availability.UNKNOWN,
            occupancy=Occupancy.UNKNOWN,
            valid_until=seconds(300),
            stale=True,
        )
    ]


def test_status_names_the_evse_as_its_operator_writes_it(
    database: Database, cso: Participant
) -> None:
    _put_status(database, cso, make_status(), make_status("CHREPE9"))
    with database.begin() as tx:
        evses.apply_delta(tx, cso.participant_id, upserts=[make_evse()], removals=[])
    with database.begin_read_only() as tx:
        page = evse_status.statuses_changed(
            tx, [cso.participant_id], cursor=START, limit=10
        )

    assert {one.evse_id for one in page.items} == {"CH*REP*E0001*1", "CHREPE9"}


def test_no_status_changes_nothing(database: Database) -> None:
    with database.begin() as tx:
        assert evse_status.put_statuses(tx, 1, []) == frozenset()
