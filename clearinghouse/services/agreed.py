"""Which partners a sender may see: those with an agreement in force, and active.

"Not agreed" and "not there" give the same answer, so that nobody can try out who takes
part (security: row rules).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.agreements import Module, goes_through
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.participants import Participant
from clearinghouse.storage import agreements, participants

Partners = Mapping[int, Participant]


def homes_of(
    tx: Connection, visited_id: int, module: Module, *, at: datetime
) -> Partners:
    """Return the home CSPs of a visited partner for which a module goes through us."""
    ids = {
        agreement.home_id
        for agreement in agreements.agreements_of(tx, visited_id, at=at)
        if agreement.visited_id == visited_id and goes_through(agreement.mode, module)
    }
    return _active(tx, ids)


def visited_of(
    tx: Connection, home_id: int, module: Module, *, at: datetime
) -> Partners:
    """Return the visited partners of a home CSP for which a module goes through us."""
    ids = {
        agreement.visited_id
        for agreement in agreements.agreements_of(tx, home_id, at=at)
        if agreement.home_id == home_id and goes_through(agreement.mode, module)
    }
    return _active(tx, ids)


def chosen(partners: Partners, party_id: str | None) -> Partners:
    """Narrow partners to the one that a request names; without a name, all.

    Raises :class:`ClearingHouseError` (``NO_AGREEMENT``) when it is none of them.
    """
    if party_id is None:
        return partners
    found = {
        number: one for number, one in partners.items() if one.party_id == party_id
    }
    if not found:
        raise ClearingHouseError(codes.NO_AGREEMENT, "not agreed, or not there")
    return found


def _active(tx: Connection, participant_ids: set[int]) -> Partners:
    found = participants.participants_by_id(tx, participant_ids)
    return {number: one for number, one in found.items() if one.is_active}
