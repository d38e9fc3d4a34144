"""Closed windows of the worked matrix, and runs that settle them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clearinghouse.domain.exchange import Role
from clearinghouse.domain.runs import FeeMode, Model, RunState
from clearinghouse.services import approvals, run_payments, settlement_runs
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.services.settlement_runs import Wish
from clearinghouse.storage import ledger
from tests.builders import NOW, make_agreement, make_participant
from tests.fixtures.operators import make_operators
from tests.services.sdr_world import SINCE, World, make_world
from tests.services.settling import Debt, book_debts

if TYPE_CHECKING:
    from clearinghouse.domain.approvals import Approval, Operator
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.run_payments import Confirmation
    from clearinghouse.storage.runs import Run

#: Who owes whom how much: the worked matrix of cases N1 to N5.
MATRIX = [
    ("B", "A", 1000_00),
    ("A", "B", 400_00),
    ("C", "A", 250_50),
    ("A", "C", 600_25),
    ("C", "B", 333_00),
    ("D", "A", 100_01),
    ("B", "D", 77_77),
]


@dataclass
class RunWorld:
    """Four partners that are CSP and CSO at once, and two operators."""

    world: World
    people: dict[str, Participant]
    anna: Operator
    ben: Operator
    closed: int = 0
    said: int = field(default=0)

    @property
    def env(self) -> Environment:
        return self.world.env

    def close_with(
        self, matrix: Iterable[tuple[str, str, int]] = MATRIX, currency: str = "EUR"
    ) -> None:
        """Book debts into the open window and close it."""
        book_debts(
            self.world,
            [
                Debt(self.people[debtor], self.people[creditor], minor, currency)
                for debtor, creditor, minor in matrix
            ],
        )
        self.close()

    def close(self) -> None:
        """Close the open window, whatever is in it."""
        self.closed += 1
        self.world.close(f"W-{self.closed}")

    def propose(
        self, model: Model = Model.MULTILATERAL, fees: FeeMode = FeeMode.NONE
    ) -> Run:
        wish = Wish(currency="EUR", model=model, fees=fees)
        return settlement_runs.propose(self.env, self.anna, wish)

    def advance(self, run_id: int, target: RunState = RunState.COMMITTED) -> Run:
        """Move a run on, step by step, from where it stands."""
        steps = {
            RunState.RECORDED: settlement_runs.record,
            RunState.RESERVED: settlement_runs.reserve,
            RunState.COMMITTED: settlement_runs.commit,
        }
        order = list(RunState)
        run = settlement_runs.show(self.env, run_id).run
        for state in order[order.index(run.state) + 1 : order.index(target) + 1]:
            run = steps[state](self.env, self.anna, run_id)
        return run

    def confirm(
        self, end_to_end_id: str, amount_minor: int, reference: str | None = None
    ) -> Confirmation:
        """Tell what the bank says; each time under a reference of its own."""
        self.said += 1
        return run_payments.confirm(
            self.env,
            end_to_end_id,
            amount_minor=amount_minor,
            booked_at=NOW,
            reference=reference or f"BANK-{self.said}",
        )

    def pay(self, run_id: int) -> Run:
        """Let the bank make all payments of a committed run, as they come due."""
        while due := run_payments.due_payments(self.env, run_id):
            for payment in due:
                self.confirm(payment.transfer.end_to_end_id, payment.open_minor)
        return settlement_runs.show(self.env, run_id).run

    def approve(self, asked: Approval) -> Approval:
        """Let the second operator approve what the first asked for."""
        return approvals.approve(self.env, self.ben, asked.approval_id, EXECUTORS)

    def nets(self, run_id: int) -> dict[str, int]:
        """Return the net of each account, by the letter of the partner."""
        shown = settlement_runs.show(self.env, run_id)
        return {one.owner[-1:]: one.net_minor for one in shown.accounts}

    def states(self, run_id: int) -> Mapping[str, RunState]:
        """Return where the run (``""``) and each account stand."""
        return settlement_runs.show(self.env, run_id).states

    def balances(self) -> dict[tuple[str, str], int]:
        """Return the balances of the ledger that are not zero."""
        with self.env.database.begin_read_only() as tx:
            found = ledger.balances(tx)
        return {key: minor for key, minor in found.items() if minor}


def make_run_world(env: Environment) -> RunWorld:
    """Admit the partners, agreed with each other, and the operators."""
    world = make_world(env)
    both = frozenset({Role.CSO, Role.CSP})
    with env.database.begin() as tx:
        people = {
            name: make_participant(tx, party_id=f"DE{name * 3}", roles=both)
            for name in "ABCD"
        }
        for visited in people.values():
            for home in people.values():
                if visited is not home:
                    make_agreement(tx, visited, home, valid_from=SINCE)
    anna, ben = make_operators(env)
    return RunWorld(world, people, anna, ben)
