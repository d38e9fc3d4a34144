"""Operators: named people of the house; the third and later ones need four eyes.

An operator says who he is with each act that needs two people; every change of the
operators leaves an entry in the audit trail (clause 7.1-protect).
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from clearinghouse import codes
from clearinghouse.domain.approvals import (
    Approval,
    Entry,
    Operator,
    OperatorStatus,
    Wanted,
    entry_of,
)
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.services import approvals, passwords
from clearinghouse.services.accounts import USERNAME, wrong_password
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import OPERATOR, note
from clearinghouse.storage import operators as rows
from clearinghouse.storage.failures import UNIQUE_VIOLATION, sqlstate_of

#: The act that lets in an operator whom another one asked for.
ADD = "add operator"

_NEEDS_ANOTHER = Item(
    code=codes.SEMANTIC,
    path="--operator",
    expected="who you are: there are operators, and another one has to approve",
    found="nobody",
)


def authenticated(env: Environment, name: str, password: str) -> Operator:
    """Return the operator who acts.

    Takes the same time for a name that nobody has. Raises :class:`ClearingHouseError`
    (``CH.LOGIN``) for a wrong name or password and for one who may not act.
    """
    with env.database.begin_read_only() as tx:
        found = rows.operator_named(tx, name)
    right = passwords.is_right(password, None if found is None else found.password_hash)
    if not right or found is None or found.operator.status is not OperatorStatus.ACTIVE:
        with env.database.begin() as tx:
            # The name is noted only where it is one: a slip may be the password.
            note(tx, env, "login refused", name if found else "unknown operator")
        raise ClearingHouseError(codes.LOGIN_FAILED)
    return found.operator


def add(
    env: Environment, name: str, password: str, *, by: Operator | None
) -> Operator | Approval:
    """Let an operator in, or ask another one to; see :func:`entry_of` for which.

    Raises :class:`ClearingHouseError`: ``CH.SEMANTIC`` for a name or password that is
    none, a name that is taken, or nobody in ``by`` where somebody must be told.
    """
    items = [*_wrong_name(name), *wrong_password(password)]
    if items:
        raise ClearingHouseError(codes.SEMANTIC, items=tuple(items))
    password_hash = passwords.hashed(password)
    try:
        with env.database.begin() as tx:
            return _added(tx, env, name, password_hash, by)
    except IntegrityError as error:
        if sqlstate_of(error) != UNIQUE_VIOLATION:
            raise
        raise ClearingHouseError(codes.SEMANTIC, _taken(name)) from error


def _taken(name: str) -> str:
    return f"the name {name} is taken; see: clearinghouse operator list"


def _added(
    tx: Connection,
    env: Environment,
    name: str,
    password_hash: str,
    by: Operator | None,
) -> Operator | Approval:
    rows.lock_operators(tx)
    now = env.clock.now()
    entry = _next_entry(tx, env)
    new = Operator(
        name=name,
        status=OperatorStatus.ACTIVE if entry.at_once else OperatorStatus.PENDING,
        approves_from=entry.approves_from,
        created_at=now,
    )
    if entry.at_once:
        rows.add_operator(tx, new, password_hash)
        note(tx, env, "add operator alone", name, actor=actor_of(by))
        return new
    if rows.operator_named(tx, name) is not None:
        raise ClearingHouseError(codes.SEMANTIC, _taken(name))
    if by is None:
        raise ClearingHouseError(codes.SEMANTIC, items=(_NEEDS_ANOTHER,))
    rows.add_operator(tx, new, password_hash)
    return approvals.request(
        tx, env, by, Wanted(action=ADD, object=name, payload={"name": name})
    )


def _next_entry(tx: Connection, env: Environment) -> Entry:
    known = rows.all_operators(tx)
    active = [one for one in known if one.status is OperatorStatus.ACTIVE]
    return entry_of(ever=len(known), active=len(active), now=env.clock.now())


def add_approved(tx: Connection, env: Environment, approval: Approval) -> str:
    """Let in the operator whom an approval names: what its second word does.

    Raises :class:`ClearingHouseError` (``APPROVAL_STATE``) when he waits no more.
    """
    rows.lock_operators(tx)
    name = approval.wanted.object
    found = rows.operator_named(tx, name)
    if found is None or found.operator.status is not OperatorStatus.PENDING:
        raise ClearingHouseError(codes.APPROVAL_STATE, f"{name} does not wait")
    now = env.clock.now()
    rows.set_status(tx, name, OperatorStatus.ACTIVE, approves_from=now)
    return f"{name} is an operator"


def all_operators(env: Environment) -> tuple[Operator, ...]:
    """Return all operators by name, those who may not act as well."""
    with env.database.begin_read_only() as tx:
        return rows.all_operators(tx)


def disable(env: Environment, name: str, *, by: Operator) -> Operator:
    """Shut an operator out at once; who left must not need two people to be stopped.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) for an unknown name.
    """
    with env.database.begin() as tx:
        rows.lock_operators(tx)
        found = rows.operator_named(tx, name)
        if found is None:
            detail = f"no operator has the name {name}"
            raise ClearingHouseError(codes.SEMANTIC, detail)
        rows.set_status(tx, name, OperatorStatus.DISABLED, approves_from=None)
        note(tx, env, "disable operator", name, actor=actor_of(by))
    return replace(found.operator, status=OperatorStatus.DISABLED, approves_from=None)


def change_password(env: Environment, by: Operator, password: str) -> None:
    """Set the acting operator's own password anew.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) for one that is none.
    """
    items = tuple(wrong_password(password))
    if items:
        raise ClearingHouseError(codes.SEMANTIC, items=items)
    password_hash = passwords.hashed(password)
    with env.database.begin() as tx:
        rows.set_password(tx, by.name, password_hash)
        note(tx, env, "change operator password", by.name, actor=actor_of(by))


def actor_of(by: Operator | None) -> str:
    """Return how the audit trail names who acts."""
    return OPERATOR if by is None else approvals.actor_named(by.name)


def _wrong_name(name: str) -> list[Item]:
    if USERNAME.fullmatch(name):
        return []
    expected = "1 to 64 letters, digits and . _ @ -"
    return [Item(code=codes.SEMANTIC, path="name", expected=expected)]
