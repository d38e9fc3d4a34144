"""Whose lists a partner may pull: its own, and those of the partners that it visits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse.domain.agreements import Module
from clearinghouse.domain.exchange import Sender
from clearinghouse.services import agreed


def publishers(
    tx: Connection, sender: Sender, module: Module, *, only: str | None, at: datetime
) -> Mapping[int, str]:
    """Return whose entries the sender may see, with party ids; ``only`` is one of them.

    Raises :class:`ClearingHouseError` (``NO_AGREEMENT``) when that one is not to be
    seen.
    """
    own = {sender.participant_id: sender.party_id}
    if only == sender.party_id:
        return own
    visited = agreed.chosen(
        agreed.visited_of(tx, sender.participant_id, module, at=at), only
    )
    names = {number: one.party_id for number, one in visited.items()}
    return names if only is not None else names | own
