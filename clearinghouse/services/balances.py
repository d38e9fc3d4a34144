"""Balances derived from postings, again and again: a difference is an alarm (2.9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clearinghouse.domain.runs import RunState
from clearinghouse.services import run_payments
from clearinghouse.services.environment import Environment
from clearinghouse.storage import balances, ledger, runs, suspense
from clearinghouse.telemetry import logging
from clearinghouse.telemetry.metrics import LEDGER_DIFFERENCES

#: One block is derived again in each stretch of this length, one after the other.
DERIVED_EVERY = timedelta(minutes=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_log = logging.logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a look at the whole ledger found; no differences prove it."""

    blocks: int
    runs: int
    differences: tuple[str, ...]


def snapshot(env: Environment) -> int:
    """Snapshot the balances after what was posted since; return how many blocks."""
    with env.database.begin("closing") as tx:
        return int(balances.add_block(tx, at=env.clock.now()) is not None)


def derive_next(env: Environment) -> int:
    """Derive one block anew and compare; return how many differences there are.

    Which one is a matter of the clock, so that all have their turn whoever looks.
    """
    turn = (env.clock.now() - _EPOCH) // DERIVED_EVERY
    with env.database.begin_read_only("closing") as tx:
        last = balances.last_block(tx)
        if last == 0:
            return 0
        broken = balances.differences(tx, turn % last + 1)
    LEDGER_DIFFERENCES.set(len(broken))
    if broken:
        _log.error("ledger_differs", block=turn % last + 1, differences=len(broken))
    return len(broken)


def newest_differences(env: Environment) -> list[str]:
    """Derive the newest block anew; return what differs."""
    with env.database.begin_read_only("closing") as tx:
        last = balances.last_block(tx)
        return balances.differences(tx, last) if last else []


def verify(env: Environment) -> Verified:
    """Derive all balances anew: blocks, sums of currencies, suspense, settled runs."""
    with env.database.begin_read_only("closing") as tx:
        broken = balances.differences(tx)
        sums: dict[str, int] = {}
        for (_, currency), minor in ledger.balances(tx).items():
            sums[currency] = sums.get(currency, 0) + minor
        broken += [
            f"{currency}: the ledger sums to {minor}"
            for currency, minor in sorted(sums.items())
            if minor
        ]
        broken += suspense.faults(tx)
        settled = [one for one in runs.runs(tx) if one.state is RunState.SETTLED]
        blocks = balances.last_block(tx)
    for run in settled:
        broken += [
            f"run {run.run_id}: {one}" for one in run_payments.prove(env, run.run_id)
        ]
    return Verified(blocks=blocks, runs=len(settled), differences=tuple(broken))
