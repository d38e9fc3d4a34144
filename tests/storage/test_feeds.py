"""Feeds: no change is ever skipped, whatever the order of commits."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.codes import CURSOR
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import evses
from clearinghouse.storage.feeds import PAGE_LIMIT_MAX, START, Cursor, parse_cursor
from tests.builders import make_cso, make_evse

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database


@pytest.fixture
def cso(database: Database) -> Participant:
    with database.begin() as tx:
        return make_cso(tx)


@pytest.fixture
def cso_twin(database: Database) -> Participant:
    with database.begin() as tx:
        return make_cso(tx, "CHTWI")


def _put(database: Database, cso: Participant, received: str) -> None:
    with database.begin() as tx:
        evses.apply_delta(
            tx, cso.participant_id, upserts=[make_evse(received)], removals=[]
        )


def _pull(
    database: Database, csos: list[Participant], cursor: Cursor, limit: int = 100
) -> tuple[list[str], Cursor, bool]:
    numbers = [cso.participant_id for cso in csos]
    with database.begin_read_only() as tx:
        page = evses.evses_changed(tx, numbers, cursor=cursor, limit=limit)
    return [one.evse.received for one in page.items], page.cursor, page.more


def test_late_commit_is_not_skipped(
    database: Database, cso: Participant, cso_twin: Participant
) -> None:
    both = [cso, cso_twin]
    with database.begin() as slow:
        evses.apply_delta(
            slow,
            cso.participant_id,
            upserts=[make_evse("CH*REP*E1")],
            removals=[],
        )
        _put(database, cso_twin, "CH*TWI*E2")
        # The younger transaction has committed; the older one may yet come.
        early, cursor, _ = _pull(database, both, START)
    late, cursor, _ = _pull(database, both, cursor)
    nothing, _, _ = _pull(database, both, cursor)

    assert early == []
    assert sorted(late) == ["CH*REP*E1", "CH*TWI*E2"]
    assert nothing == []


def test_many_writers_in_any_order_lose_nothing(database: Database) -> None:
    with database.begin() as tx:
        csos = [make_cso(tx, f"CHR{number:02d}") for number in range(6)]
    seen: list[str] = []
    cursor = START
    with ExitStack() as stack:
        open_ones = []
        for cso in csos:
            inner = ExitStack()
            tx = inner.enter_context(database.begin())
            evses.apply_delta(
                tx,
                cso.participant_id,
                upserts=[make_evse(f"CH*{cso.party_id[2:]}*E1")],
                removals=[],
            )
            open_ones.append(inner)
            stack.push(inner)
        for place in (3, 5, 1, 0, 4, 2):
            open_ones[place].close()
            names, cursor, _ = _pull(database, csos, cursor)
            seen += names
    names, _, _ = _pull(database, csos, cursor)
    seen += names

    assert sorted(seen) == [f"CH*R{number:02d}*E1" for number in range(6)]


def test_pages_follow_each_other_without_gap_or_repeat(
    database: Database, cso: Participant
) -> None:
    names = [f"CH*REP*E{number:03d}" for number in range(7)]
    with database.begin() as tx:
        evses.apply_delta(
            tx,
            cso.participant_id,
            upserts=[make_evse(name) for name in names],
            removals=[],
        )

    pulled: list[str] = []
    cursor, more, pages = START, True, 0
    while more:
        page, cursor, more = _pull(database, [cso], cursor, limit=3)
        pulled += page
        pages += 1

    assert pulled == names
    assert pages == 3


def test_changed_row_moves_to_the_end_and_deletion_is_a_tombstone(
    database: Database, cso: Participant
) -> None:
    _put(database, cso, "CH*REP*E1")
    _put(database, cso, "CH*REP*E2")
    _, cursor, _ = _pull(database, [cso], START)

    with database.begin() as tx:
        evses.apply_delta(
            tx, cso.participant_id, upserts=[], removals=["CHREPE1", "CHREPE9"]
        )
    with database.begin_read_only() as tx:
        page = evses.evses_changed(
            tx, [cso.participant_id], cursor=cursor, limit=PAGE_LIMIT_MAX + 1
        )

    assert [(one.evse.received, one.removed) for one in page.items] == [
        ("CH*REP*E1", True)
    ]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1))
def test_cursor_survives_its_way_to_the_partner(xid: int, change_id: int) -> None:
    cursor = Cursor(xid, change_id)

    assert parse_cursor(str(cursor)) == cursor


@pytest.mark.parametrize(
    "foreign",
    ["1", "1.", "-1.2", "1.2.3", "x.y", "1.2 ", "1" * 21 + ".1", f"{2**64}.1"],
)
def test_refuses_cursor_that_is_not_ours(foreign: str) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        parse_cursor(foreign)

    assert caught.value.code is CURSOR


def test_no_cursor_is_the_beginning() -> None:
    assert parse_cursor(None) == parse_cursor("") == START
