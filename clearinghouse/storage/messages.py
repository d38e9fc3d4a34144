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

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from clearinghouse.codes import DUPLICATE_CONFLICT, IN_PROGRESS
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Exchange
from clearinghouse.storage.failures import LOCK_NOT_AVAILABLE, sqlstate_of
from clearinghouse.storage.tables.messages import message


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
    claimed = (
        insert(message)
        .values(
            participant_id=exchange.sender.participant_id,
            message_id=exchange.message_id,
            operation=exchange.operation,
            digest=exchange.digest,
            received_at=exchange.received_at,
        )
        .on_conflict_do_nothing()
        .returning(message.c.message_id)
    )
    try:
        if tx.execute(claimed).first() is not None:
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
    stored = (
        update(message)
        .where(
            message.c.participant_id == exchange.sender.participant_id,
            message.c.message_id == exchange.message_id,
        )
        .values(answer=answer, answered_at=at)
    )
    if tx.execute(stored).rowcount != 1:
        raise LookupError("the message was not claimed")


def _stored(
    tx: Connection, exchange: Exchange, *, for_update: bool = False
) -> bytes | Unanswered | None:
    query = select(
        message.c.operation, message.c.digest, message.c.answer, message.c.received_at
    ).where(
        message.c.participant_id == exchange.sender.participant_id,
        message.c.message_id == exchange.message_id,
    )
    if for_update:
        query = query.with_for_update()
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    if row.digest != exchange.digest or row.operation != exchange.operation:
        raise ClearingHouseError(DUPLICATE_CONFLICT, exchange.operation)
    if row.answer is None:
        return Unanswered(row.received_at)
    return bytes(row.answer)
