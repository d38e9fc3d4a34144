"""Operators: the people of the house who act under their own names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from clearinghouse.domain.approvals import Operator, OperatorStatus
from clearinghouse.storage.tables.operators import operator

#: Operators of one list. It stops an unbounded list from being held in memory.
OPERATORS_MAX = 1_000

#: Key of the lock that lets one change of the operators run at a time.
OPERATORS_LOCK = 7_311_901_005

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOperator:
    """An operator with what a login needs."""

    operator: Operator
    password_hash: str = field(repr=False)


def lock_operators(tx: Connection) -> None:
    """Wait until no other change of the operators runs: they are counted first."""
    tx.execute(_LOCK, {"key": OPERATORS_LOCK})


def add_operator(tx: Connection, new: Operator, password_hash: str) -> None:
    """Store an operator.

    Raises :class:`sqlalchemy.exc.IntegrityError` when the name is taken.
    """
    tx.execute(
        insert(operator).values(
            name=new.name,
            password_hash=password_hash,
            status=new.status,
            approves_from=new.approves_from,
            created_at=new.created_at,
        )
    )


def operator_named(tx: Connection, name: str) -> StoredOperator | None:
    """Return an operator by name, whether or not he may act."""
    row = tx.execute(select(operator).where(operator.c.name == name)).one_or_none()
    if row is None:
        return None
    return StoredOperator(operator=_operator(row), password_hash=row.password_hash)


def all_operators(tx: Connection) -> tuple[Operator, ...]:
    """Return all operators by name."""
    query = select(operator).order_by(operator.c.name).limit(OPERATORS_MAX)
    return tuple(_operator(row) for row in tx.execute(query))


def set_status(
    tx: Connection,
    name: str,
    status: OperatorStatus,
    *,
    approves_from: datetime | None,
) -> None:
    """Change what an operator may do."""
    tx.execute(
        update(operator)
        .where(operator.c.name == name)
        .values(status=status, approves_from=approves_from)
    )


def set_password(tx: Connection, name: str, password_hash: str) -> None:
    """Change an operator's password."""
    tx.execute(
        update(operator)
        .where(operator.c.name == name)
        .values(password_hash=password_hash)
    )


def _operator(row: Row[*tuple[Any, ...]]) -> Operator:
    return Operator(
        name=row.name,
        status=OperatorStatus(row.status),
        approves_from=row.approves_from,
        created_at=row.created_at,
    )
