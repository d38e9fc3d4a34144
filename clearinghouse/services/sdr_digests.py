"""GetDigest: what partners compare to find the days on which they differ (4.3-I3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clearinghouse.domain.errors import foreign_cursor
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.domain.sdr_digests import days_of
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdrs import SdrRole
from clearinghouse.storage import sdr_digests
from clearinghouse.storage.sdr_digests import DayDigest, Viewer

#: Entries of one page.
PAGE_MAX = 1_000

_CURSOR = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestQuery:
    """Days of receipt, in UTC; without ``role`` as in GetSdrs."""

    role: SdrRole | None
    first_day: str
    last_day: str
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class DigestPage:
    """Digests by day and partner; ``cursor`` asks for the rest."""

    digests: Sequence[DayDigest]
    cursor: str | None = None

    @property
    def more(self) -> bool:
        """Whether there are further ones."""
        return self.cursor is not None


def get_digest(env: Environment, sender: Sender, query: DigestQuery) -> DigestPage:
    """Return what the days of the sender add up to, per partner.

    Raises :class:`ClearingHouseError`: ``SDR_DAYS`` for days that are none, or too
    many; ``CH.CURSOR`` for a cursor that is not ours.
    """
    days = days_of(query.first_day, query.last_day)
    if query.cursor and _CURSOR.fullmatch(query.cursor) is None:
        raise foreign_cursor()
    after = int(query.cursor or 0)
    default = SdrRole.HOME_CSP if Role.CSP in sender.roles else SdrRole.SUBMITTER
    as_home = (query.role or default) is SdrRole.HOME_CSP
    viewer = Viewer(sender.participant_id, as_home)
    with env.database.begin_read_only("bulk") as tx:
        size = PAGE_MAX + 1
        found = sdr_digests.day_digests(tx, viewer, days, after=after, limit=size)
    cursor = str(after + PAGE_MAX) if len(found) > PAGE_MAX else None
    return DigestPage(found[:PAGE_MAX], cursor)
