"""Pages of a participant's positions: in the order of currency and counterparty (I3).

Positions are no feed: they are those of one window, and follow what comes in as long as
it is open. A cursor holds the window and the last position that was told: the next page
is of the same window, also when that one closes between the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from clearinghouse.domain.errors import foreign_cursor
from clearinghouse.domain.exchange import Sender
from clearinghouse.services import settlement
from clearinghouse.services.environment import Environment
from clearinghouse.services.settlement import Positions

#: Positions of one page: a hub has a thousand partners and several currencies.
PAGE_MAX = 1_000

_SHAPE = re.compile(r"([0-9]{1,9})\.([A-Z]{3})\.([A-Z]{2}[A-Z0-9]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsPage:
    """Some of the positions, under the sums of all; ``cursor`` asks for the rest."""

    found: Positions
    cursor: str | None

    @property
    def more(self) -> bool:
        """Whether there are further positions."""
        return self.cursor is not None


def positions_page(
    env: Environment,
    sender: Sender,
    window_id: int | None,
    *,
    cursor: str | None = None,
    limit: int = PAGE_MAX,
) -> PositionsPage:
    """Return a page of a participant's positions in a window.

    Without a number it is the window of the cursor, else the open one. Raises
    :class:`ClearingHouseError`: ``WINDOW_UNKNOWN``; ``CH.CURSOR`` for a cursor that is
    not ours, or of another window.
    """
    after = ("", "")
    if cursor:
        match = _SHAPE.fullmatch(cursor)
        if match is None or window_id not in (None, int(match[1])):
            raise foreign_cursor()
        window_id, after = int(match[1]), (match[2], match[3])
    found = settlement.positions(env, sender, window_id)
    left = [one for one in found.positions if (one.currency, one.counterparty) > after]
    size = max(1, min(limit, PAGE_MAX))
    shown = tuple(left[:size])
    following = None
    if len(left) > size:
        last = shown[-1]
        following = f"{found.window.window_id}.{last.currency}.{last.counterparty}"
    return PositionsPage(found=replace(found, positions=shown), cursor=following)
