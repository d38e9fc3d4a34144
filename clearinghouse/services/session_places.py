"""Where a session is: its EVSE, and the operator of that."""

from __future__ import annotations

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.sessions import Session
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.storage import evses, participants


def place_of(tx: Connection, session: Session) -> tuple[EvseId, str]:
    """Return a session's EVSE and the party id of its operator."""
    stored = evses.evse_by_key(tx, session.evse_key)
    if stored is None:
        raise ClearingHouseError(codes.INTERNAL, "a session at an EVSE that never was")
    return stored.evse.evse_id, party_id_of(tx, stored.cso_id)


def party_id_of(tx: Connection, participant_id: int) -> str:
    """Return the party id of a participant that a row refers to."""
    found = participants.participant_by_id(tx, participant_id)
    if found is None:
        raise ClearingHouseError(codes.INTERNAL, "a participant that is none")
    return found.party_id
