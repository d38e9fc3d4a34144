"""Idempotency of messages: an exact repeat gets the stored answer (contract: Style).

The row is written in the transaction of the business it stands for, before it::

    stored = messages.claim(tx, exchange)
    if isinstance(stored, bytes):
        return stored
    ...
    messages.remember(tx, exchange, answer, at=now)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from clearinghouse.codes import DUPLICATE_CONFLICT, IN_PROGRESS
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Exchange
from clearinghouse.storage.failures import LOCK_NOT_AVAILABLE, sqlstate_of
from clearinghouse.storage.tables.messages import message

# Made once: to make them for each message took longer than to run them.
_CLAIM = insert(message).on_conflict_do_nothing().returning(message.c.message_id)
_IS_IT = and_(
    message.c.participant_id == bindparam("sender"),
    message.c.message_id == bindparam("name"),
)
_REMEMBER = (
    update(message)
    .where(_IS_IT)
    .values(answer=bindparam("given"), answered_at=bindparam("at"))
)
_STORED = select(
    message.c.operation, message.c.digest, message.c.answer, message.c.received_at
).where(_IS_IT)
_STORED_LOCKED = _STORED.with_for_update()


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The message was begun before and has no answer.

    Either its twin is between two transactions, or the process died there.
    """

    received_at: datetime


def claim(tx: Connection, exchange: Exchange) -> bytes | Unanswered | None:
    """Take a message as ours to handle; ``None``: nobody has handled it before.

    A twin that is being handled at this moment is waited for, as long as the budget
    allows. Returns the stored answer of an exact repeat. Raises
    :class:`ClearingHouseError` with ``CH.DUPLICATE_CONFLICT`` when the id was used with
    another operation or body, ``CH.IN_PROGRESS`` when the twin takes too long.
    """
    row = {
        "participant_id": exchange.sender.participant_id,
        "message_id": exchange.message_id,
        "operation": exchange.operation,
        "digest": exchange.digest,
        "received_at": exchange.received_at,
    }
    try:
        if tx.execute(_CLAIM, row).first() is not None:
            return None
    except OperationalError as error:
        if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
            raise ClearingHouseError(IN_PROGRESS, exchange.operation) from error
        raise
    return _stored(tx, exchange)


def answered(
    tx: Connection, exchange: Exchange, *, for_update: bool = False
) -> bytes | None:
    """Return the stored answer of a message, ``None`` when it has none.

    For use cases of two transactions: before the first, without claiming the message;
    in the second, ``for_update``, so that a twin that took over is not overruled.
    Raises :class:`ClearingHouseError` (``CH.DUPLICATE_CONFLICT``) like :func:`claim`.
    """
    stored = _stored(tx, exchange, for_update=for_update)
    return stored if isinstance(stored, bytes) else None


def remember(
    tx: Connection, exchange: Exchange, answer: bytes, *, at: datetime
) -> None:
    """Store the answer of a claimed message; it never changes afterwards.

    Raises :class:`LookupError` when the message was not claimed.
    """
    said = {**_name(exchange), "given": answer, "at": at}
    if tx.execute(_REMEMBER, said).rowcount != 1:
        raise LookupError("the message was not claimed")


def _stored(
    tx: Connection, exchange: Exchange, *, for_update: bool = False
) -> bytes | Unanswered | None:
    query = _STORED_LOCKED if for_update else _STORED
    row = tx.execute(query, _name(exchange)).one_or_none()
    if row is None:
        return None
    if row.digest != exchange.digest or row.operation != exchange.operation:
        raise ClearingHouseError(DUPLICATE_CONFLICT, exchange.operation)
    if row.answer is None:
        return Unanswered(row.received_at)
    return bytes(row.answer)


def _name(exchange: Exchange) -> dict[str, object]:
    return {"sender": exchange.sender.participant_id, "name": exchange.message_id}
