"""What stands in suspense is given back whole, however many disputes run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from clearinghouse.domain.suspense import Held, hold_postings
from clearinghouse.services import settlement, suspense
from clearinghouse.storage import ledger
from tests.builders import NOW

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment

#: More than one statement has parameters for.
MANY = 3_000


def test_more_disputes_than_one_statement_holds_are_given_back_once(
    env: Environment,
) -> None:
    disputes = [UUID(int=number) for number in range(MANY)]
    window_id = settlement.ensure_window(env, "2026-12").window_id
    held = [
        leg
        for one in disputes
        for leg in hold_postings(Held(one, window_id, "DEABC", "CHREP", "EUR", 11_49))
    ]
    with env.database.begin() as tx:
        ledger.append(tx, held, at=NOW)

    for _ in range(2):
        with env.database.begin() as tx:
            suspense.release(tx, disputes, window_id, at=NOW)

    with env.database.begin_read_only() as tx:
        postings = ledger.postings_of(tx, window_id)
        balances = ledger.balances(tx)
    assert len(postings) == 6 * MANY
    assert not any(balances.values())
