"""Answers that hold a page of a list: never longer than a message may be.

The number of entries alone bounds no answer: a thousand EVSEs with all that the schema
allows are ten megabytes, and partners take messages as long as we do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from clearinghouse.facades.iec63119 import results
from clearinghouse.facades.iec63119.operations import Desk
from clearinghouse.services.outcomes import Done
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call
from clearinghouse.storage.feeds import Page

#: Bytes of one answer with a page; the rest of 2 MiB is for envelope and header.
ANSWER_BYTES_MAX = 2_000_000

T = TypeVar("T")


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
        told = {name: entries, "next_cursor": str(page.cursor), "more": page.more}
        written = results.answer(desk.bindings, call, Done(), **told)
        if len(written) <= ANSWER_BYTES_MAX or len(entries) <= 1:
            return written
        fitting = len(entries) * ANSWER_BYTES_MAX // len(written)
        page = page.first(max(1, fitting))
