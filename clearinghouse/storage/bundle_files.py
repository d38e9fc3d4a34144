"""A file of an audit bundle: its name, its heading, and where its lines come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

from clearinghouse.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFile:
    """A file of the bundle; without a query its lines are made in a program."""

    name: str
    fields: tuple[str, ...]
    query: sql.SQL | None


def file_of(name: str, fields: str, query: sql.SQL) -> BundleFile:
    """Return a file by its heading, with blanks apart, and its ``COPY``."""
    return BundleFile(name=name, fields=tuple(fields.split()), query=query)


# The runs that took of the window; those that reversed them name it as well.
_RUNS = sql.SQL("""
    SELECT w.run_id FROM clearing.run_window AS w WHERE w.window_id = {window_id}
""")

# When the newest of its figures was made: nothing that was told later is in the bundle.
_HORIZON = sql.SQL("""
    SELECT greatest(w.closed_at, (
        SELECT max(r.proposed_at) FROM clearing.settlement_run AS r
        WHERE r.run_id IN ({runs})))
    FROM clearing.settlement_window AS w WHERE w.window_id = {window_id}
""")


def copied_lines(
    tx: Connection, query: sql.SQL, window_id: int, house: str
) -> Iterator[str]:
    """Give the lines of a query for a window.

    It may name ``{window_id}``, ``{house}``, ``{runs}`` (those of the window) and
    ``{horizon}`` (an instant; what was told later does not belong to the window).
    """
    window = sql.Literal(window_id)
    runs = _RUNS.format(window_id=window)
    statement: Any = query.format(
        window_id=window,
        house=sql.Literal(house),
        runs=runs,
        horizon=_HORIZON.format(window_id=window, runs=runs),
    )
    return Database.copied_lines(tx, statement)
