"""Feeds: pull what has changed since a cursor, and never miss a late commit.

Rows are ordered by the transaction that wrote them and, within one, by a sequence. A
sequence alone would lose rows: a transaction that drew number 7 may commit after the
reader has gone past number 8. So a reader takes only rows of transactions older than
every one still running; what is held back comes on a later page (contract: lists are
pulled by a keyset cursor over our own change sequence).

A database that is restored from a dump (not from a base backup) counts transactions
anew: the restore must move the counter past the old one first (``pg_resetwal -x``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, Table, and_, cast, func, tuple_

from clearinghouse.domain.errors import foreign_cursor
from clearinghouse.storage.tables.columns import Xid8

#: Rows of one page. It stops one pull from filling the memory of either side.
PAGE_LIMIT_MAX = 1_000

_SHAPE = re.compile(r"([0-9]{1,20})\.([0-9]{1,19})")
_XID_MAX = 2**64 - 1
_CHANGE_ID_MAX = 2**63 - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in a feed: everything up to and including it was read."""

    xid: int = 0
    change_id: int = 0

    def __str__(self) -> str:
        return f"{self.xid}.{self.change_id}"


#: Before the first row.
START = Cursor()


def parse_cursor(received: str | None) -> Cursor:
    """Return the cursor that a partner sends back; nothing is the start.

    Raises :class:`ClearingHouseError` (``CH.CURSOR``) for a text that is not ours.
    """
    if not received:
        return START
    match = _SHAPE.fullmatch(received)
    if match is None:
        raise foreign_cursor()
    cursor = Cursor(int(match[1]), int(match[2]))
    if cursor.xid > _XID_MAX or cursor.change_id > _CHANGE_ID_MAX:
        raise foreign_cursor()
    return cursor


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a feed; ``cursor`` is where the next begins, also after none.

    ``places``: where each item stands, so that a page may end earlier.
    """

    items: tuple[T, ...]
    cursor: Cursor
    more: bool
    places: tuple[Cursor, ...] = ()

    def first(self, count: int) -> Page[T]:
        """Return the page that ends after so many of its items, at least one."""
        if count >= len(self.items):
            return self
        places = self.places[:count]
        return Page(self.items[:count], places[-1], more=True, places=places)


def changed_after(table: Table, cursor: Cursor) -> ColumnElement[bool]:
    """Return the condition for rows behind the cursor that nothing can overtake."""
    place = tuple_(table.c.changed_xid, table.c.change_id)
    read = tuple_(cast(str(cursor.xid), Xid8), cursor.change_id)
    settled = func.pg_snapshot_xmin(func.pg_current_snapshot())
    return and_(place > read, table.c.changed_xid < settled)


def paged(query: Select[Any], table: Table, cursor: Cursor, limit: int) -> Select[Any]:
    """Narrow a query on a feed's table to one page, in the feed's order.

    It reads one row more than the page has, to know whether there is another page; the
    query must select the feed's two columns.
    """
    return (
        query.where(changed_after(table, cursor))
        .order_by(table.c.changed_xid, table.c.change_id)
        .limit(bounded(limit) + 1)
    )


def page_of(
    rows: Sequence[Any], items: Sequence[T], *, cursor: Cursor, limit: int
) -> Page[T]:
    """Make a page of the rows that :func:`paged` gave and the values made of them."""
    size = bounded(limit)
    places = tuple(place_of(row) for row in rows[:size])
    return Page(
        tuple(items[:size]),
        places[-1] if places else cursor,
        more=len(rows) > size,
        places=places,
    )


def place_of(row: Any) -> Cursor:  # noqa: ANN401  a row of any feed
    """Return where a row stands in its feed."""
    return Cursor(int(row.changed_xid), int(row.change_id))


def bounded(limit: int) -> int:
    """Return how many rows a page has at most, whatever was asked for."""
    return max(1, min(limit, PAGE_LIMIT_MAX))
