"""Names of sessions: our ids, and the partners' own, each for one session only."""

from __future__ import annotations

from uuid import UUID, uuid5

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.storage import sessions
from clearinghouse.storage.sessions import PartnerSessionId

#: Ids of sessions are made in this name space, of the sender and its message id.
_SESSIONS = UUID("b6a2c4de-7f13-5c58-9a0e-3d1f6e0c9b75")


def session_id_of(exchange: Exchange) -> UUID:
    """Return the id of the session that a message begins; the same at each repeat."""
    sender_id = exchange.sender.participant_id
    return uuid5(_SESSIONS, f"{sender_id}/{exchange.message_id}")


def require_free(tx: Connection, sender: Sender, name: str | None) -> None:
    """Check, before anybody is asked, that a name is not in use.

    Raises :class:`ClearingHouseError` (``SESSION_FOREIGN_ID``) when it names a session.
    """
    if name is None:
        return
    partner_id = PartnerSessionId(sender.participant_id, name)
    if sessions.session_by_partner_id(tx, partner_id) is not None:
        raise ClearingHouseError(codes.SESSION_FOREIGN_ID)


def give(tx: Connection, sender: Sender, session_id: UUID, name: str | None) -> None:
    """Note the sender's own name for a session; to say it again changes nothing.

    Raises :class:`ClearingHouseError` (``SESSION_FOREIGN_ID``) when the name is another
    session's already.
    """
    if name is None:
        return
    partner_id = PartnerSessionId(sender.participant_id, name)
    if not sessions.name_session(tx, session_id, partner_id):
        raise ClearingHouseError(codes.SESSION_FOREIGN_ID)
