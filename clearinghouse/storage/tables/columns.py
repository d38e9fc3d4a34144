"""What tables have in common: the metadata, the type ``xid8``, the feed's columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    FetchedValue,
    Integer,
    MetaData,
    Text,
    any_,
    func,
    literal,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

metadata = MetaData()

INSTANT = DateTime(timezone=True)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's signature
        """Return the name of the type in DDL and casts."""
        return "xid8"


def text(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    """Return a text column; ``character`` columns are text to us as well."""
    return Column(name, Text, nullable=null, primary_key=key)


def integer(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    """Return a 32-bit column."""
    return Column(name, Integer, nullable=null, primary_key=key, autoincrement=False)


def bigint(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    """Return a 64-bit column."""
    return Column(name, BigInteger, nullable=null, primary_key=key, autoincrement=False)


def generated(name: str, *, big: bool = False) -> Column[int]:
    """Return a key that the database draws."""
    kind = BigInteger if big else Integer
    return Column(name, kind, FetchedValue(), primary_key=True, nullable=False)


def instant(name: str, *, null: bool = False) -> Column[Any]:
    """Return a column of an aware instant."""
    return Column(name, INSTANT, nullable=null)


def feed() -> tuple[Column[int], Column[int]]:
    """Return the columns that order a feed; the database fills them on insert."""
    return (
        Column("changed_xid", Xid8, FetchedValue(), nullable=False),
        Column("change_id", BigInteger, FetchedValue(), nullable=False),
    )


def touched() -> dict[str, ColumnElement[int]]:
    """Return the values that move an updated row to the end of its feed."""
    return {
        "changed_xid": func.pg_current_xact_id(),
        "change_id": func.nextval("clearing.change_seq"),
    }


def among(column: Column[Any], values: Iterable[object]) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values.

    One array parameter: the statement is the same for one value and for a thousand, so
    the server prepares it once.
    """
    return column == any_(literal(list(values), ARRAY(column.type)))
