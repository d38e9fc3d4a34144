"""Whose lists a partner may pull: its own, and those of the partners it visits.

An agreement in force opens them, unless its mode sends that module past us (clause 5).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.agreements import Module, goes_through
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Sender
from clearinghouse.storage import agreements, participants


def publishers(
    tx: Connection, sender: Sender, module: Module, *, only: str | None, at: datetime
) -> frozenset[int]:
    """Return whose entries the sender may see, or ``only`` the one that it names.

    Raises :class:`ClearingHouseError` when that one is not to be seen:
    ``UNKNOWN_PARTICIPANT``, ``NO_AGREEMENT``, or ``MODE_NOT_AGREED``.
    """
    mine = sender.participant_id
    agreed = {
        agreement.visited_id: goes_through(agreement.mode, module)
        for agreement in agreements.agreements_of(tx, mine, at=at)
        if agreement.home_id == mine
    }
    seen = frozenset({mine, *(one for one, through in agreed.items() if through)})
    if only is None:
        return seen
    named = participants.participant_by_party_id(tx, only)
    if named is None:
        raise ClearingHouseError(codes.UNKNOWN_PARTICIPANT, only)
    if named.participant_id in seen:
        return frozenset({named.participant_id})
    known = named.participant_id in agreed
    raise ClearingHouseError(
        codes.MODE_NOT_AGREED if known else codes.NO_AGREEMENT, only
    )
