"""Reconciliation: windows and settlement runs looked at again, three ways (2.10).

Nothing is changed here. A window is added up again from its SDRs and compared with
batch totals, documents and postings; a run's payments with what banks said.
"""

from __future__ import annotations

from dataclasses import dataclass

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.reconciliation import (
    BankEntry,
    Difference,
    Expected,
    Match,
    differences,
    match_payments,
)
from clearinghouse.domain.settlement import PairTotal, WindowState
from clearinghouse.services import run_payments, settlement
from clearinghouse.services.environment import Environment
from clearinghouse.storage import bank_files, participants, runs
from clearinghouse.storage import run_payments as payments
from clearinghouse.storage import settlement as windows

Pair = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """What does not agree about a window: pair by pair, and in words."""

    differences: tuple[Difference, ...]
    broken: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether all ways give the same figures."""
        return not self.differences and not self.broken


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run's payments against the bank, and what does not agree about the run."""

    currency: str
    matches: tuple[Match, ...]
    broken: tuple[str, ...]


def of_window(env: Environment, window_id: int) -> WindowReport:
    """Compare SDRs, batch totals, documents, matrix, positions and postings.

    Raises :class:`ClearingHouseError`: ``WINDOW_UNKNOWN``; ``WINDOW_STATE`` for one
    that is not closed.
    """
    with env.database.begin_read_only("closing") as tx:
        window = windows.window_by_id(tx, window_id)
        if window is None:
            raise ClearingHouseError(codes.WINDOW_UNKNOWN, str(window_id))
        if window.state is not WindowState.CLOSED:
            raise ClearingHouseError(codes.WINDOW_STATE, window.state.value)
        names = participants.party_ids(tx)
        found = differences(
            "SDRs and batch totals",
            _nets(windows.proof_of(tx, window_id), names),
            _nets(windows.claim_of(tx, window_id), names),
        )
    return WindowReport(differences=found, broken=settlement.prove(env, window_id))


def of_run(env: Environment, run_id: int) -> RunReport:
    """Compare a run's payments with the bank's entries, by end-to-end id.

    Raises :class:`ClearingHouseError` (``RUN_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        run = runs.run_by_id(tx, run_id)
        if run is None:
            raise ClearingHouseError(codes.RUN_UNKNOWN, str(run_id))
        transfers = [one.transfer for one in payments.payments_of(tx, run_id)]
        entries = bank_files.entries_of(tx, [one.end_to_end_id for one in transfers])
    expected = [
        Expected(one.end_to_end_id, run.currency, one.amount_minor) for one in transfers
    ]
    comes_in = {one.end_to_end_id: one.comes_in for one in transfers}
    seen = [one.seen_as(comes_in=comes_in[one.end_to_end_id]) for one in entries]
    return RunReport(
        currency=run.currency,
        matches=match_payments(expected, seen),
        broken=run_payments.prove(env, run_id),
    )


def strangers(env: Environment) -> list[BankEntry]:
    """Return the newest entries of the bank that are no payment of ours."""
    with env.database.begin_read_only() as tx:
        return bank_files.strangers(tx)


def _nets(totals: list[PairTotal], names: dict[int, str]) -> dict[Pair, int]:
    return {
        (one.currency, names[one.debtor_id], names[one.creditor_id]): one.net_minor
        for one in totals
    }
