"""Answers that hold a page of a list: never longer than a message may be.

The number of entries alone bounds no answer: a thousand EVSEs with all that the schema
allows are ten megabytes, and partners take messages as long as we do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from clearinghouse.domain.exchange import CONTENT_BYTES_MAX
from clearinghouse.facades.iec63119 import results
from clearinghouse.facades.iec63119.operations import Desk
from clearinghouse.services.outcomes import Done
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call
from clearinghouse.storage.feeds import Page

T = TypeVar("T")


class Continued(Protocol):
    """What every page says of the pages behind it."""

    @property
    def cursor(self) -> object | None:
        """Where the next page begins; ``None`` where there is nothing to ask for."""

    @property
    def more(self) -> bool:
        """Whether there are further entries now."""


def tail(page: Continued) -> dict[str, object]:
    """Return the end of an answer with a page: ``nextCursor`` and ``more``."""
    cursor = page.cursor
    return {
        "next_cursor": None if cursor is None else str(cursor),
        "more": page.more,
    }


def answer(
    desk: Desk,
    call: Call,
    page: Page[T],
    *,
    name: str,
    listed: Callable[[Desk, T], Record],
) -> bytes:
    """Return a page of the entries ``name``, or as much of it as one answer holds.

    At least one entry; what is left over comes with the next page. Few pages are too
    long, so that it is written first and measured then.
    """
    while True:
        entries = [listed(desk, one) for one in page.items]
        told = {name: entries, **tail(page)}
        written = results.answer(desk.bindings, call, Done(), **told)
        if len(written) <= CONTENT_BYTES_MAX or len(entries) <= 1:
            return written
        fitting = len(entries) * CONTENT_BYTES_MAX // len(written)
        page = page.first(max(1, fitting))
