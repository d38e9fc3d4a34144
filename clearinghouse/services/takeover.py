"""Messages whose handling spans two transactions: who may go on with them.

Between the two, a partner is asked and nothing is locked. A repeat that comes meanwhile
is told to wait; one that comes when the first handler must be dead takes over.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.clock import milliseconds_between
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Exchange
from clearinghouse.storage import messages


def claimed(
    tx: Connection, exchange: Exchange, *, now: datetime, milliseconds_max: int
) -> bytes | None:
    """Take a message as ours to handle; return its answer when it has one.

    ``milliseconds_max`` is how long its handling can take at most. Raises
    :class:`ClearingHouseError`: ``CH.IN_PROGRESS`` (retryable) while its twin may still
    be at it, ``CH.DUPLICATE_CONFLICT`` when its id was used with another body.
    """
    stored = messages.claim(tx, exchange)
    if stored is None or isinstance(stored, bytes):
        return stored
    if milliseconds_between(stored.received_at, now) <= milliseconds_max:
        raise ClearingHouseError(codes.IN_PROGRESS, exchange.operation)
    return None
