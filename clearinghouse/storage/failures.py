"""Database trouble as the house knows it: unavailable, try again.

Never fail open: when the database cannot answer there is no decision, and the caller
gets a retryable code. Everything else (a broken constraint, a wrong statement) is ours
and passes through unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError

LOCK_NOT_AVAILABLE = "55P03"
UNIQUE_VIOLATION = "23505"
_READ_ONLY = "25006"  # the primary became a standby under us
_IDLE_IN_TRANSACTION = "25P03"  # the server ended a transaction that went idle
_ELSEWHERE = frozenset({_READ_ONLY, _IDLE_IN_TRANSACTION})


def sqlstate_of(error: DBAPIError) -> str | None:
    """Return the five characters of the server's error, ``None`` without a server."""
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


@contextmanager
def as_unavailable() -> Iterator[None]:
    """Turn trouble with the database itself into ``CH.UNAVAILABLE`` (retryable).

    That is: no connection, a server that went away, a full pool, a passed time-out, a
    deadlock, a full disk. The detail says which, without any value.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise ClearingHouseError(UNAVAILABLE, "no free connection in time") from error
    except (OperationalError, InterfaceError) as error:
        raise ClearingHouseError(UNAVAILABLE, _words(error.orig)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        # A bulk copy talks to the driver itself.
        raise ClearingHouseError(UNAVAILABLE, _words(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or sqlstate_of(error) in _ELSEWHERE:
            raise ClearingHouseError(UNAVAILABLE, _words(error.orig)) from error
        raise


def _words(error: BaseException | None) -> str:
    """Name the server's error; its text may quote a row, so only the kind is told."""
    kind = type(error).__name__
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return f"{kind} ({state})"
    # No server spoke: these words are the driver's own, about sockets and hosts.
    return f"{kind}: {str(error).partition(chr(10))[0]}"
