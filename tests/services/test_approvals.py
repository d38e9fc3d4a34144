"""Operators and four eyes in the database: both words or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from clearinghouse import codes
from clearinghouse.domain.approvals import (
    APPROVAL_KEPT,
    WAITING_ALONE,
    Approval,
    Operator,
    OperatorStatus,
    Wanted,
)
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import approvals, operators
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.storage import audit
from clearinghouse.storage.audit import AuditEntry
from tests.fixtures.operators import PASSWORD, make_operators

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clearinghouse.codes import Code
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site
    from tests.fixtures.partners import StillClock

WANTED = Wanted(action="ring bell", object="7", payload={"times": 3})


def ring(tx: Connection, env: Environment, approval: Approval) -> str:
    """Do an act that leaves a trace."""
    entry = AuditEntry(
        at=env.clock.now(), actor="bell", action="rang", object="7", outcome="done"
    )
    audit.record(tx, entry)
    return f"rang {approval.wanted.payload['times']} times"


def broken(tx: Connection, env: Environment, approval: Approval) -> str:
    """Do half an act, and find that it is not possible."""
    ring(tx, env, approval)
    raise ClearingHouseError(codes.WINDOW_STATE)


def ask(env: Environment, by: Operator, wanted: Wanted = WANTED) -> Approval:
    """Ask for an act."""
    with env.database.begin() as tx:
        return approvals.request(tx, env, by, wanted)


def acts(env: Environment) -> list[tuple[str, str]]:
    """Return who did what, from the beginning."""
    with env.database.begin_read_only() as tx:
        entries = audit.entries_before(tx)
    return [(one.actor, one.action) for one in reversed(entries)]


def refusal(env: Environment, by: Operator, number: int) -> Code:
    """Return why an approval is refused."""
    with pytest.raises(ClearingHouseError) as refused:
        approvals.approve(env, by, number, {WANTED.action: ring})
    return refused.value.code


def test_second_operator_approves_and_the_act_is_done_once(env: Environment) -> None:
    anna, ben = make_operators(env)
    asked = ask(env, anna)

    assert refusal(env, anna, asked.approval_id) is codes.APPROVAL_SAME
    done = approvals.approve(env, ben, asked.approval_id, {WANTED.action: ring})
    assert refusal(env, ben, asked.approval_id) is codes.APPROVAL_STATE

    assert (done.approved_by, done.outcome) == ("ben", "rang 3 times")
    assert acts(env)[2:] == [
        ("operator anna", "request ring bell"),
        ("bell", "rang"),
        ("operator ben", "ring bell"),
    ]


def test_act_that_is_not_possible_leaves_the_request_waiting(env: Environment) -> None:
    anna, ben = make_operators(env)
    asked = ask(env, anna)

    with pytest.raises(ClearingHouseError) as refused:
        approvals.approve(env, ben, asked.approval_id, {WANTED.action: broken})

    assert refused.value.code is codes.WINDOW_STATE
    assert ("bell", "rang") not in acts(env)
    approvals.approve(env, ben, asked.approval_id, {WANTED.action: ring})


def test_two_approvals_at_once_do_the_act_once(env: Environment) -> None:
    anna, ben = make_operators(env)
    asked = ask(env, anna)

    def try_it(_: int) -> str:
        try:
            approvals.approve(env, ben, asked.approval_id, {WANTED.action: ring})
        except ClearingHouseError as error:
            return error.code.name
        return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(try_it, range(2)))

    assert outcomes == ["APPROVAL_STATE", "done"]
    assert acts(env).count(("bell", "rang")) == 1


def test_withdrawn_and_expired_requests_are_over(
    env: Environment, clock: StillClock
) -> None:
    anna, ben = make_operators(env)
    withdrawn = ask(env, anna)
    approvals.withdraw(env, ben, withdrawn.approval_id)
    expiring = ask(env, anna)
    clock.at += APPROVAL_KEPT

    assert refusal(env, ben, withdrawn.approval_id) is codes.APPROVAL_STATE
    assert refusal(env, ben, expiring.approval_id) is codes.APPROVAL_STATE
    assert refusal(env, ben, 99) is codes.APPROVAL_UNKNOWN
    assert [shown.state.value for shown in approvals.newest(env)] == [
        "EXPIRED",
        "WITHDRAWN",
    ]


def test_same_request_is_made_once(env: Environment) -> None:
    anna, ben = make_operators(env)

    numbers = [ask(env, by).approval_id for by in (anna, anna, ben)]

    assert numbers == [1, 1, 2]


@pytest.mark.parametrize(
    "change",
    [
        "SET (approved_by, approved_at, outcome) = ('anna', now(), 'done')",
        "SET (approved_by, approved_at) = ('ben', now())",
    ],
)
def test_database_refuses_two_words_of_one_operator(
    env: Environment, site: Site, change: LiteralString
) -> None:
    anna, _ = make_operators(env)
    ask(env, anna)

    with site.superuser() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE clearing.approval " + change)


def test_database_keeps_a_word_that_was_given(env: Environment, site: Site) -> None:
    anna, ben = make_operators(env)
    approvals.withdraw(env, ben, ask(env, anna).approval_id)

    for statement in (
        "UPDATE clearing.approval SET withdrawn_by = NULL, withdrawn_at = NULL",
        "DELETE FROM clearing.approval",
    ):
        with (
            site.superuser() as connection,
            pytest.raises(psycopg.errors.RestrictViolation),
        ):
            connection.execute(statement)


def test_third_operator_waits_for_a_word_of_another_one(env: Environment) -> None:
    anna, ben = make_operators(env)

    with pytest.raises(ClearingHouseError) as unnamed:
        operators.add(env, "cleo", PASSWORD, by=None)
    with pytest.raises(ClearingHouseError) as taken:
        operators.add(env, "ben", PASSWORD, by=None)
    asked = operators.add(env, "cleo", PASSWORD, by=anna)
    with pytest.raises(ClearingHouseError) as waiting:
        operators.authenticated(env, "cleo", PASSWORD)
    assert isinstance(asked, Approval)
    approvals.approve(env, ben, asked.approval_id, EXECUTORS)

    assert [one.path for one in unnamed.value.items] == ["--operator"]
    assert "the name ben is taken" in str(taken.value.detail)
    assert waiting.value.code is codes.LOGIN_FAILED
    cleo = operators.authenticated(env, "cleo", PASSWORD)
    assert cleo.status is OperatorStatus.ACTIVE


def test_operator_added_alone_later_approves_after_three_days(
    env: Environment, clock: StillClock
) -> None:
    anna, ben = make_operators(env)
    operators.disable(env, "ben", by=anna)
    cleo = operators.add(env, "cleo", PASSWORD, by=None)
    assert isinstance(cleo, Operator)

    asked = ask(env, anna)
    shut = refusal(env, ben, asked.approval_id)
    clock.at += WAITING_ALONE - timedelta(seconds=1)
    early = refusal(env, cleo, asked.approval_id)
    clock.at += timedelta(seconds=1)
    done = approvals.approve(env, cleo, asked.approval_id, {WANTED.action: ring})

    assert (shut, early) == (codes.LOGIN_FAILED, codes.APPROVAL_EARLY)
    assert done.approved_by == "cleo"


@pytest.mark.parametrize("name", ["anna", "nobody"])
def test_wrong_name_or_password_is_refused_and_noted(
    env: Environment, name: str
) -> None:
    make_operators(env)

    with pytest.raises(ClearingHouseError) as refused:
        operators.authenticated(env, name, "not the password")

    assert refused.value.code is codes.LOGIN_FAILED
    assert acts(env)[-1] == ("operator", "login refused")


def test_operator_changes_his_own_password(env: Environment) -> None:
    anna, _ = make_operators(env)

    operators.change_password(env, anna, "another long password")

    assert operators.authenticated(env, "anna", "another long password") == anna
    with pytest.raises(ClearingHouseError):
        operators.authenticated(env, "anna", PASSWORD)


def test_all_faults_of_a_new_operator_are_told_at_once(env: Environment) -> None:
    make_operators(env)

    with pytest.raises(ClearingHouseError) as refused:
        operators.add(env, "two words", "short", by=None)
    with pytest.raises(ClearingHouseError) as taken:
        operators.add(env, "anna", PASSWORD, by=make_named(env, "anna"))

    assert [item.path for item in refused.value.items] == ["name", "password"]
    assert taken.value.code is codes.SEMANTIC
    assert "taken" in taken.value.detail


def make_named(env: Environment, name: str) -> Operator:
    """Return an operator that was made before."""
    return operators.authenticated(env, name, PASSWORD)
