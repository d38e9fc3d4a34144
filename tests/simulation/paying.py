"""Every seventh evening the house settles: runs, payments, and what goes wrong there.

The bank says of payments in parts, twice, and not always at once; some runs are given
up or reversed by two operators and run again. In the end every account is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearinghouse import codes
from clearinghouse.domain.approvals import Operator
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.ledger import FX_RESIDUE
from clearinghouse.domain.runs import Model, RunState
from clearinghouse.services import approvals, run_payments, run_undoing
from clearinghouse.services import settlement_runs as runs
from clearinghouse.services.approved_actions import EXECUTORS
from tests.simulation.chance import happens
from tests.simulation.checks import check_settled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.run_payments import Payment
    from clearinghouse.storage.runs import Run
    from tests.simulation.exchanging import Debts, Exchange
    from tests.simulation.line import Line

#: The currencies of the agreements.
CURRENCIES = ("CHF", "EUR", "SEK")

#: How often each happens, in a thousand.
_BILATERAL = 300
_GIVEN_UP, _REVERSED = 150, 120
_IN_PARTS, _SAID_TWICE = 250, 200


@dataclass(slots=True)
class Treasury:
    """Those who settle: two operators and the bank."""

    env: Environment
    line: Line
    chance: Random
    anna: Operator
    ben: Operator
    exchange: Exchange
    settled: int = 0
    given_up: int = 0
    reversed: int = 0
    payments: int = 0
    said: int = 0

    def settle_all(
        self, debts: Debts, suspended: Mapping[tuple[str, str], int], day: int
    ) -> None:
        """Settle what is closed in every currency, and check what is left.

        ``suspended`` by account and currency: what is disputed and not decided. Raises
        :class:`AssertionError` when a net or a balance is another one.
        """
        for currency in CURRENCIES:
            self._settle(currency, self.exchange.take(debts, currency, day))
        left = dict(suspended)
        for currency, minor in self.exchange.residues.items():
            if minor:
                left[FX_RESIDUE, currency] = minor
                left[f"FX:{currency}", currency] = -minor
        check_settled(self.env, left)

    def _settle(self, currency: str, nets: Mapping[str, int]) -> None:
        bilateral = happens(self.chance, _BILATERAL)
        model = Model.BILATERAL if bilateral else Model.MULTILATERAL
        wish = runs.Wish(currency=currency, model=model)
        try:
            run = self.line.until_done(lambda: runs.propose(self.env, self.anna, wish))
        except ClearingHouseError as error:
            if error.code is codes.RUN_NOTHING and not nets:
                return
            raise
        if happens(self.chance, _GIVEN_UP):
            run = self._give_up(run, wish)
        self._step(run, RunState.RECORDED)
        if happens(self.chance, _REVERSED):
            self._reverse(run)
            run = self.line.until_done(lambda: runs.propose(self.env, self.anna, wish))
            self._step(run, RunState.RECORDED)
        self._require_nets(run, nets)
        self._step(run, RunState.RESERVED)
        self._step(run, RunState.COMMITTED)
        self._pay(run)

    def _require_nets(self, run: Run, nets: Mapping[str, int]) -> None:
        accounts = runs.show(self.env, run.run_id).accounts
        found = {one.owner: one.net_minor for one in accounts if one.net_minor}
        if found != nets:
            raise AssertionError(
                f"run {run.run_id} in {run.currency} nets {found}, the books {nets}"
            )

    def _give_up(self, run: Run, wish: runs.Wish) -> Run:
        """Let two operators give a run up, and propose it again."""
        asked = self.line.until_done(
            lambda: run_undoing.ask_abort(
                self.env, self.anna, run.run_id, reason="a mistake"
            )
        )
        self._approve(asked.approval_id)
        self.given_up += 1
        return self.line.until_done(lambda: runs.propose(self.env, self.ben, wish))

    def _reverse(self, run: Run) -> None:
        """Let two operators take back a run that is booked and not paid."""
        asked = self.line.until_done(
            lambda: run_undoing.ask_reverse(
                self.env, self.anna, run.run_id, reason="the wrong day"
            )
        )
        self._approve(asked.approval_id)
        self.reversed += 1

    def _approve(self, approval_id: int) -> None:
        self.line.until_done(
            lambda: approvals.approve(self.env, self.ben, approval_id, EXECUTORS)
        )

    def _step(self, run: Run, state: RunState) -> None:
        step = {
            RunState.RECORDED: runs.record,
            RunState.RESERVED: runs.reserve,
            RunState.COMMITTED: runs.commit,
        }[state]
        moved = self.line.until_done(lambda: step(self.env, self.anna, run.run_id))
        if moved.state is not state:
            raise AssertionError(f"run {run.run_id} is {moved.state}, not {state}")

    def _pay(self, run: Run) -> None:
        """Let the bank say of each payment that it was made, until the run ends."""
        while due := run_payments.due_payments(self.env, run.run_id):
            for payment in due:
                self._confirm(payment)
        ended = self.line.until_done(
            lambda: run_payments.settle(self.env, self.anna, run.run_id)
        )
        broken = run_payments.prove(self.env, run.run_id)
        if ended.state is not RunState.SETTLED or broken:
            raise AssertionError(f"run {run.run_id} is {ended.state}: {broken}")
        self.settled += 1

    def _confirm(self, payment: Payment) -> None:
        amount_minor = payment.open_minor
        if amount_minor > 1 and happens(self.chance, _IN_PARTS):
            amount_minor = self.chance.randrange(1, amount_minor)
        times = 2 if happens(self.chance, _SAID_TWICE) else 1
        self.said += 1
        reference, booked_at = f"B{self.said:08d}", self.env.clock.now()
        for _ in range(times):
            self.line.until_done(
                lambda: run_payments.confirm(
                    self.env,
                    payment.transfer.end_to_end_id,
                    amount_minor=amount_minor,
                    booked_at=booked_at,
                    reference=reference,
                )
            )
        self.payments += 1
