"""The business database: one engine per process, transactions, budgets, bulk copies.

A service opens its transactions visibly::

    with env.database.begin() as tx:
        ...

Each has a budget: the server itself ends what takes longer, so that one slow statement
cannot hold the slots of all others (reliability: time budget of a request).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from select import POLLIN, poll
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

import psycopg
from psycopg import sql
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import InvalidatePoolError

from clearinghouse.storage.failures import as_unavailable
from clearinghouse.storage.roles import APP_ROLE

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel

BudgetName = Literal["realtime", "ordinary", "bulk", "closing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long one statement may run and wait for a lock, and how long we may think.

    A transaction in which nobody says anything holds its locks for nothing.
    """

    statement_ms: int
    lock_ms: int
    idle_ms: int = 10_000


#: ``realtime``: a station waits, and its 2 s are spent mostly on the home CSP.
#: ``ordinary``: all other messages; a repeat waits for its running twin 1 s at most.
#: ``bulk``: a batch of 50,000 SDRs. ``closing``: the proof over a whole window, and the
#: netting and rendering between its statements.
BUDGETS: Mapping[BudgetName, Budget] = MappingProxyType(
    {
        "realtime": Budget(statement_ms=500, lock_ms=200),
        "ordinary": Budget(statement_ms=5_000, lock_ms=1_000),
        "bulk": Budget(statement_ms=60_000, lock_ms=10_000, idle_ms=60_000),
        "closing": Budget(statement_ms=900_000, lock_ms=30_000, idle_ms=900_000),
    }
)

#: Seconds to wait for a free connection. It stops requests from queueing here for
#: longer than their callers wait.
POOL_WAIT_SECONDS = 2

#: Connections above the pool's size for a short peak.
POOL_OVERFLOW = 2

#: Seconds after which a connection is replaced: a failover's leftovers go away.
POOL_RECYCLE_SECONDS = 1_800

#: Seconds to reach the server at all.
CONNECT_SECONDS = 3

#: The entry of a connection that names its budget; ``None``: nobody knows.
_BUDGET = "budget"

_SET_BUDGET = text(
    "SELECT set_config('statement_timeout', :statement, false),"
    " set_config('lock_timeout', :lock, false),"
    " set_config('idle_in_transaction_session_timeout', :idle, false)"
)

#: Bytes of a binary COPY that are taken apart at a time.
COPIED_BYTES = 262_144

# PostgreSQL, COPY, binary format: a header without extensions, and how it ends.
_COPY_HEADER = 19
_COPY_END = b"\xff\xff"

_COPY_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"})


class Database:
    """The connections of this process to the business schema, under one role.

    A DSN whose user is another one (as in a managed service with a single user) steps
    into the role, so that the grants hold there as well.
    """

    def __init__(self, url: str, *, pool_size: int = 12, role: str = APP_ROLE) -> None:
        self._url = address(url, role=role)
        self._engine = _engine(self._url, pool_size)

    @contextmanager
    def begin(self, budget: BudgetName = "ordinary") -> Iterator[Connection]:
        """Open a transaction: commit at the end, roll back on any error.

        READ COMMITTED. Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``,
        retryable) when the database cannot do its part in time; after a commit that
        broke off, the caller repeats the message and is told the stored answer.
        """
        with self._connected() as connection:
            tx = connection.begin()
            _spend(connection, budget)
            yield connection
            tx.commit()
            connection.info[_BUDGET] = budget

    @contextmanager
    def begin_read_only(self, budget: BudgetName = "ordinary") -> Iterator[Connection]:
        """Open a transaction that can change nothing; the server refuses writes."""
        with self._reading(budget, "READ COMMITTED") as tx:
            yield tx

    @contextmanager
    def begin_snapshot(self, budget: BudgetName = "ordinary") -> Iterator[Connection]:
        """Open one as :meth:`begin_read_only`, all of whose statements see the same."""
        with self._reading(budget, "REPEATABLE READ") as tx:
            yield tx

    @contextmanager
    def _reading(
        self, budget: BudgetName, isolation: IsolationLevel
    ) -> Iterator[Connection]:
        with self._connected() as connection:
            tx = connection.execution_options(
                postgresql_readonly=True, isolation_level=isolation
            )
            running = tx.begin()
            _spend(tx, budget)
            yield tx
            running.commit()
            tx.info[_BUDGET] = budget

    @contextmanager
    def look_up(self, budget: BudgetName = "ordinary") -> Iterator[Connection]:
        """Give a connection for one statement that reads: no transaction around it.

        Spares two of three round trips. Raises as :meth:`begin` does.
        """
        with self._connected() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            _spend(alone, budget)
            alone.info[_BUDGET] = budget
            yield alone

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Lend a connection; what is not committed when it comes back is rolled back.

        Ctrl-C may break off in the middle of an exchange with the server (of a COPY,
        say), after which a ROLLBACK is refused and would hide that somebody wants to
        stop. Such a connection is closed, and the server rolls back.
        """
        with as_unavailable(), self._engine.connect() as connection:
            try:
                yield connection
            except Exception:
                raise
            except BaseException:
                connection.invalidate()
                raise

    def listen(self, channel: str) -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection of its own that hears a channel's notifications.

        The caller closes it. Raises as :meth:`begin` does.
        """
        with as_unavailable():
            raw = self._engine.raw_connection()
        connection = _driver(raw.driver_connection)
        raw.detach()
        connection.autocommit = True
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        return connection

    @staticmethod
    def copy(
        tx: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> int:
        """Bulk-insert rows by COPY in the caller's transaction; return their number.

        Values come as Python values in the order of ``columns``; a ``jsonb`` column
        takes JSON text. Columns left out get their defaults.
        """
        count = 0
        with _copying(tx, table, columns) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    @staticmethod
    def copy_lines(
        tx: Connection, table: Table, columns: Sequence[str], lines: Iterable[str]
    ) -> None:
        """Bulk-insert rows that are lines of COPY's text format already.

        For the bulk path, where the driver's look at each value costs more than all
        the rest of an insert. Texts that others wrote go through :func:`copied_text`.
        """
        with _copying(tx, table, columns) as copy:
            copy.write("".join(lines))

    @staticmethod
    def copied_lines(tx: Connection, statement: sql.Composed) -> Iterator[str]:
        """Give what a ``COPY .. TO STDOUT`` writes, line by line, without line feeds.

        For the bulk path: the server works on while its lines are read.
        """
        connection = _driver(tx.connection.driver_connection)
        left = ""
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in copy:
                lines = f"{left}{bytes(block).decode()}".split("\n")
                left = lines.pop()
                yield from lines

    @staticmethod
    def copied_records(
        tx: Connection, statement: sql.Composed, record: Struct
    ) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a ``COPY .. TO STDOUT (FORMAT binary)``, all of one length.

        For the bulk path: no text is made or read. ``record`` is a whole row as it
        comes: a number of 2 bytes, and before each field its length in 4. The statement
        must give fields of fixed length that are never null: lengths of single rows
        are not looked at. Raises :class:`RuntimeError` at the end, behind the rows,
        when all of them together are not so many whole rows.
        """
        connection = _driver(tx.connection.driver_connection)
        waiting, size = bytearray(), record.size
        ahead = _COPY_HEADER
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in copy:
                waiting += block
                if len(waiting) >= COPIED_BYTES:
                    end = ahead + (len(waiting) - ahead) // size * size
                    yield from record.iter_unpack(waiting[ahead:end])
                    del waiting[:end]
                    ahead = 0
        rest = waiting[ahead : -len(_COPY_END)]
        if waiting[-len(_COPY_END) :] != _COPY_END or len(rest) % size:
            raise RuntimeError("rows are not of one length")
        yield from record.iter_unpack(rest)

    @staticmethod
    def fetched(
        tx: Connection, query: sql.Composed, *, batch: int
    ) -> Iterator[list[tuple[object, ...]]]:
        """Give the rows of a query, ``batch`` at a time, by a cursor of the server.

        For a million rows: nothing is made of a row but its values, in less than half
        of the time that COPY takes, which hands over its rows one by one. One such
        query at a time in a transaction.
        """
        connection = _driver(tx.connection.driver_connection)
        with connection.cursor("fetched") as cursor:
            cursor.execute(query)
            while part := cursor.fetchmany(batch):
                yield part

    def close(self) -> None:
        """Close the idle connections; those in use close when they are given back."""
        self._engine.dispose()


def address(url: str, *, role: str | None) -> URL:
    """Return a DSN for our driver, with its session settings.

    ``role`` is stepped into when the DSN's user is another; ``None`` keeps the user.
    """
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    ordinary = BUDGETS["ordinary"]
    settings = {
        "statement_timeout": str(ordinary.statement_ms),
        "lock_timeout": str(ordinary.lock_ms),
        "idle_in_transaction_session_timeout": str(ordinary.idle_ms),
        "timezone": "UTC",
    }
    if role is not None and parsed.username != role:
        settings["role"] = role
    given = parsed.query.get("options", "")
    words = [given] if isinstance(given, str) else list(given)
    words += [f"-c {name}={value}" for name, value in settings.items()]
    return parsed.update_query_dict(
        {"options": " ".join(words).strip(), "connect_timeout": str(CONNECT_SECONDS)}
    )


def copied_text(text: str) -> str:
    """Return a text as a value in a line of COPY's text format."""
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        return text.translate(_COPY_ESCAPES)
    return text


@contextmanager
def _copying(
    tx: Connection, table: Table, columns: Sequence[str]
) -> Iterator[psycopg.Copy]:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    statement = sql.SQL("COPY {}.{} ({}) FROM STDIN").format(
        sql.Identifier(table.schema or "clearing"),
        sql.Identifier(table.name),
        names,
    )
    connection = _driver(tx.connection.driver_connection)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        yield copy


def _driver(connection: object) -> psycopg.Connection[tuple[object, ...]]:
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("the driver is not psycopg")
    return connection


def _engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=POOL_RECYCLE_SECONDS,
        # Values of a failed statement stay out of errors and so out of logs.
        hide_parameters=True,
        # The last connections used go first, so that a peak's extras grow old.
        pool_use_lifo=True,
    )

    @event.listens_for(engine, "checkout")
    def look(connection: object, _record: object, _proxy: object) -> None:
        """Tell a connection that died with its server from a living one.

        After a restart the first request already works. A server that goes away says
        so, or its socket is closed; one that said nothing is asked nothing, which
        spares each transaction a round trip.
        """
        raw = _driver(connection)
        try:
            if _has_something_to_read(raw):
                engine.dialect.do_ping(cast("DBAPIConnection", raw))
        except psycopg.Error as error:
            raise InvalidatePoolError from error

    return engine


def _has_something_to_read(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Look at the socket without waiting.

    Raises :class:`psycopg.OperationalError` for a connection that is closed.
    """
    waiting = poll()
    waiting.register(connection.fileno(), POLLIN)
    return bool(waiting.poll(0))


def _spend(tx: Connection, budget: BudgetName) -> None:
    """Set the limits of a budget, when the connection was last used with another.

    Who commits notes the budget with the connection; a rollback takes it back.
    """
    if tx.info.get(_BUDGET, "ordinary") != budget:
        tx.info[_BUDGET] = None
        limits = BUDGETS[budget]
        tx.execute(
            _SET_BUDGET,
            {
                "statement": str(limits.statement_ms),
                "lock": str(limits.lock_ms),
                "idle": str(limits.idle_ms),
            },
        )
