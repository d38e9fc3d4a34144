"""What follows the demo's close: invoices, payments, the audit bundle and its proof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clearinghouse.cli.demo import desk
from clearinghouse.cli.demo.crew import OPERATOR
from clearinghouse.codes import PROOF_FAILED
from clearinghouse.domain.approvals import Operator
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import Model, RunState
from clearinghouse.services import (
    bundles,
    invoices,
    payments,
    run_payments,
    seals,
    settlement,
    settlement_runs,
)
from clearinghouse.verify.bundle import verify

if TYPE_CHECKING:
    from clearinghouse.cli.demo.stage import Stage

SEPA = "EUR"
"""The currency of SEPA payment files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What was made of a closed window; ``invoices`` are credit notes as well."""

    invoices: int
    runs: int
    payment_files: int
    bundle: Path

    @property
    def lines(self) -> list[str]:
        """What was made, in words."""
        return [
            f"{self.invoices} invoices as UBL, CII and PDF",
            f"{self.runs} settlement runs paid, {self.payment_files} payment files",
            f"{self.bundle.name}: recomputed from its SDRs, all is proved",
        ]


def settle(stage: Stage, window_id: int, label: str, folder: Path) -> Aftermath:
    """Invoice, pay and prove a closed window; every step is safe to repeat.

    The bank's word is the demo's own. Raises :class:`ClearingHouseError`
    (``PROOF_FAILED``) when the auditor's tool finds a difference.
    """
    folder.mkdir(parents=True, exist_ok=True)  # an empty window has no statement
    invoices.issue_pending(stage.env)
    issued = invoices.export(stage.env, window_id, folder)
    operator = desk.operator(stage.env, stage.crew.secrets, OPERATOR)
    files = 0
    settled = settlement.settlements(stage.env, window_id)
    for one in settled:
        files += _pay(stage, operator, one.currency, label, folder)
    bundle = _prove(stage, window_id, folder)
    return Aftermath(
        invoices=len({path.name.rpartition("-")[0] for path in issued}),
        runs=len(settled),
        payment_files=files,
        bundle=bundle,
    )


def _pay(
    stage: Stage, operator: Operator, currency: str, label: str, folder: Path
) -> int:
    """Net and pay one currency of a window; return how many files the bank got."""
    env = stage.env
    wish = settlement_runs.Wish(
        currency=currency, model=Model.MULTILATERAL, window_labels=(label,)
    )
    run_id = settlement_runs.propose(env, operator, wish).run_id
    for step in (
        settlement_runs.record,
        settlement_runs.reserve,
        settlement_runs.commit,
    ):
        step(env, operator, run_id)
    files = 0
    while due := run_payments.due_payments(env, run_id):
        if currency == SEPA:
            files += len(payments.export_files(env, run_id, folder))
        for payment in due:
            run_payments.confirm(
                env,
                payment.transfer.end_to_end_id,
                amount_minor=payment.open_minor,
                booked_at=env.clock.now(),
                reference=f"demo {payment.transfer.end_to_end_id}",
            )
    ended = run_payments.settle(env, operator, run_id)
    if ended.state is not RunState.SETTLED:
        raise ClearingHouseError(PROOF_FAILED, f"run {run_id} is {ended.state}")
    return files


def _prove(stage: Stage, window_id: int, folder: Path) -> Path:
    """Write the audit bundle and let the auditor's tool recompute it."""
    bundle, key = folder / "audit-bundle.zip", folder / "public-key.pem"
    written = bundles.write_bundle(stage.env, window_id, bundle)
    key.write_text(
        next(one.pem for one in seals.keys(stage.env) if one.key_id == written.key_id),
        encoding="ascii",
    )
    report = verify(bundle, key, lambda _: None)
    if report.count:
        told = "; ".join(str(one) for one in report.told[:3])
        raise ClearingHouseError(PROOF_FAILED, f"{report.count} differences: {told}")
    return bundle
