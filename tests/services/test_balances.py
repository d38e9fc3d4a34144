"""Balances derived from postings again: what was changed behind them is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from clearinghouse.services import balances
from tests.fixtures.verbs import value_of
from tests.services.run_world import RunWorld, make_run_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site


@pytest.fixture
def four(env: Environment) -> RunWorld:
    return make_run_world(env)


def _paid_run(four: RunWorld) -> None:
    four.close_with()
    run_id = four.propose().run_id
    balances.snapshot(four.env)
    four.advance(run_id)
    four.pay(run_id)


def test_snapshots_agree_with_the_postings_block_by_block(four: RunWorld) -> None:
    empty = balances.derive_next(four.env), balances.snapshot(four.env)
    _paid_run(four)

    made = balances.snapshot(four.env), balances.snapshot(four.env)
    found = balances.verify(four.env)

    assert empty == (0, 0)
    assert made == (1, 0)
    assert (found.blocks, found.runs, found.differences) == (2, 1, ())
    assert balances.derive_next(four.env) == 0


_PAIR = "posting_key LIKE '%DEBBB-DEAAA:CLOSE-PAY'"
_FIRST = "block_no = 1 AND account = 'P:DEAAA:POS'"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE clearing.posting SET amount_minor = 1 WHERE", _PAIR),
        ("DELETE FROM clearing.posting WHERE", _PAIR),
        ("UPDATE clearing.balance_snapshot SET balance_minor = 1 WHERE", _FIRST),
        ("UPDATE clearing.balance_snapshot SET moved_minor = 0 WHERE", _FIRST),
    ],
)
def test_change_behind_the_ledger_is_found_and_named(
    four: RunWorld, site: Site, run: Callable[..., Result], change: str, where: str
) -> None:
    _paid_run(four)
    agrees = value_of(run("--json", "ledger", "verify"))
    with site.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(f"{change} {where}".encode())

    found = balances.verify(four.env)
    told = run("ledger", "verify")

    assert agrees == {"blocks": 2, "runs": 1, "verified": True}
    assert any("block 1" in one for one in found.differences)
    assert told.exit_code == 1
    assert "block 1" in told.output


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE clearing.posting SET amount_minor = 1",
        "DELETE FROM clearing.posting",
        "TRUNCATE clearing.posting",
        "UPDATE clearing.run_state SET to_state = 'SETTLED'",
        "DELETE FROM clearing.run_pair",
        "UPDATE clearing.transfer_confirmation SET posted_minor = 0",
        "DELETE FROM clearing.balance_snapshot",
        "ALTER TABLE clearing.posting DISABLE TRIGGER ALL",
        "DROP TRIGGER nothing_left ON clearing.run_state",
        "SET session_replication_role = replica",
    ],
)
def test_business_role_cannot_change_what_was_booked(
    four: RunWorld, site: Site, attack: str
) -> None:
    _paid_run(four)

    with (
        psycopg.connect(site.business_url.replace("+psycopg", "")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(attack)
