"""Verbs on settlement runs: propose, book, pay, take back, look."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from clearinghouse.cli.acting import OPERATOR, acting
from clearinghouse.cli.approvals import waiting
from clearinghouse.cli.context import AMOUNTS, house, output_of, refuse
from clearinghouse.domain import money
from clearinghouse.domain.money import AmountError
from clearinghouse.domain.runs import FeeMode, Model
from clearinghouse.services import run_payments, run_undoing, settlement_runs
from clearinghouse.services.settlement_runs import Shown, Wish
from clearinghouse.storage.run_payments import Payment
from clearinghouse.storage.runs import Run

group = typer.Typer(no_args_is_help=True, help="Runs: closed windows are paid.")

_RUN = typer.Argument(help="The number of the run.")
_REASON = typer.Option(..., help="Why; it stays in the history.")


def _text(amount_minor: int, currency: str) -> str:
    return money.minor_text(amount_minor, money.currency_of(currency))


def _row(run: Run) -> dict[str, object]:
    return {
        "run": run.run_id,
        "currency": run.currency,
        "model": run.model.value,
        "fees": run.fees.value,
        "state": run.state.value,
        "gross": _text(run.gross_minor, run.currency),
        "moved": _text(run.moved_minor, run.currency),
        "proposed": run.proposed_at,
        "reverses": run.reverses_run_id,
        "reversed_by": run.reversed_by,
    }


def _payment(payment: Payment, currency: str) -> dict[str, object]:
    transfer = payment.transfer
    return {
        "end_to_end_id": transfer.end_to_end_id,
        "kind": transfer.kind.value,
        "payer": transfer.payer,
        "payee": transfer.payee,
        "amount": _text(transfer.amount_minor, currency),
        "paid": _text(payment.paid_minor, currency),
    }


_Tables = dict[str, list[dict[str, object]]]


def _netted(shown: Shown) -> _Tables:
    currency = shown.run.currency
    return {
        "accounts": [
            {
                "owner": account.owner,
                "state": shown.states[account.owner].value,
                "receivable": _text(account.receivable_minor, currency),
                "payable": _text(account.payable_minor, currency),
                "fee": _text(account.fee_minor, currency),
                "net": _text(account.net_minor, currency),
            }
            for account in shown.accounts
        ],
        "debts": [
            {
                "debtor": debt.debtor,
                "creditor": debt.creditor,
                "kind": debt.kind.value,
                "amount": _text(debt.amount_minor, currency),
            }
            for debt in shown.debts
        ],
        "payments": [_payment(one, currency) for one in shown.payments],
    }


def _charged(shown: Shown) -> _Tables:
    currency = shown.run.currency
    return {
        "fees": [
            {
                "party": one.party_id,
                "sdrs": one.fee.sdr_count,
                "turnover": _text(one.fee.turnover_minor, currency),
                "net": _text(one.fee.net_minor, currency),
                "vat": _text(one.vat_minor, currency),
                "category": one.vat_category,
            }
            for one in shown.fees
        ],
        "documents": [
            {
                "number": one.number,
                "kind": one.kind.value,
                "corrects": one.refers_to,
                "party": one.party_id,
                "gross": _text(one.net_minor + one.vat_minor, currency),
            }
            for one in shown.documents
        ],
        "conversions": [
            {
                "debtor": one.debtor,
                "creditor": one.creditor,
                "currency": one.currency,
                "from": _text(one.from_minor, one.currency),
                "to": _text(one.to_minor, currency),
            }
            for one in shown.conversions
        ],
    }


def _said(shown: Shown) -> _Tables:
    currency = shown.run.currency
    return {
        "confirmations": [
            {
                "end_to_end_id": said.end_to_end_id,
                "reference": said.reference,
                "outcome": said.outcome.value,
                "amount": _text(said.amount_minor, currency),
                "posted": _text(said.posted_minor, currency),
                "booked": said.booked_at,
            }
            for said in shown.confirmations
        ],
        "history": [
            {
                "of": step.owner or "run",
                "from": None if step.from_state is None else step.from_state.value,
                "to": step.to_state.value,
                "reason": step.reason,
                "actor": step.actor,
                "at": step.at,
            }
            for step in shown.history
        ],
    }


def _tell(context: typer.Context, run: Run, text: str) -> None:
    output_of(context).value(_row(run), f"run {run.run_id} {text}")


@group.command()
def propose(
    context: typer.Context,
    currency: str = typer.Option("EUR", help="ISO 4217 code."),
    model: Model | None = typer.Option(
        None,
        help="One payment per position, or per pair. Default: the settlement_model of"
        " the settings.",
    ),
    fees: FeeMode = typer.Option(
        FeeMode.NONE, help="Fees: netted into the positions, apart, or none."
    ),
    window: list[str] = typer.Option(
        [], help="Only this window; may be repeated. Default: all that wait."
    ),
    operator: str = OPERATOR,
) -> None:
    """Net what closed windows left owing; nothing is posted yet."""
    with house(context) as env:
        wish = Wish(
            currency=currency,
            model=model or env.limits.settlement_model,
            fees=fees,
            window_labels=tuple(window),
        )
        run = settlement_runs.propose(env, acting(env, operator), wish)
        waiting_in = [] if run.gross_minor else settlement_runs.waiting_currencies(env)
    moved = f"{_text(run.moved_minor, run.currency)} {run.currency}"
    text = f"would move {moved}, {run.model}; next: run record"
    if not run.gross_minor:
        text += f"\nin its windows nobody owes anything in {run.currency}"
        text += "".join(
            f"; {one} waits: run propose --currency {one}"
            for one in waiting_in
            if one != run.currency
        )
    _tell(context, run, text)


@group.command()
def record(context: typer.Context, run: int = _RUN, operator: str = OPERATOR) -> None:
    """Book a run: from here on only a reversal takes it back."""
    with house(context) as env:
        found = settlement_runs.record(env, acting(env, operator), run)
    _tell(context, found, "is recorded; next: run reserve")


@group.command()
def reserve(context: typer.Context, run: int = _RUN, operator: str = OPERATOR) -> None:
    """Set the payments of a run aside; none is ordered yet."""
    with house(context) as env:
        found = settlement_runs.reserve(env, acting(env, operator), run)
    _tell(context, found, "is reserved; next: run commit")


@group.command()
def commit(context: typer.Context, run: int = _RUN, operator: str = OPERATOR) -> None:
    """Let the payments of a run be ordered."""
    with house(context) as env:
        found = settlement_runs.commit(env, acting(env, operator), run)
        is_due = bool(run_payments.due_payments(env, run))
    then = "order what run due lists" if is_due else "run settle, for no payment is due"
    _tell(context, found, f"is committed; next: {then}")


@group.command()
def due(context: typer.Context, run: int = _RUN) -> None:
    """List the payments to order now: pay-outs wait for all collections."""
    with house(context) as env:
        currency = settlement_runs.show(env, run).run.currency
        rows = [_payment(one, currency) for one in run_payments.due_payments(env, run)]
    output_of(context).rows("Due", rows, empty="No payment is due in this run")


@group.command(context_settings=AMOUNTS)
def confirm(
    context: typer.Context,
    end_to_end_id: str = typer.Argument(help="The payment's end-to-end id."),
    amount: str = typer.Argument(help="The amount: 367.01; -367.01 came back."),
    reference: str = typer.Option(..., help="The bank's own reference."),
    booked: datetime = typer.Option(..., help="When the bank booked it, UTC."),
) -> None:
    """Enter by hand what the bank said of a payment; safe to repeat."""
    output = output_of(context)
    with house(context) as env:
        currency = run_payments.currency_of_payment(env, end_to_end_id)
        try:
            amount_minor = money.to_minor(amount, money.currency_of(currency))
        except AmountError as error:
            refuse(output, f"{amount}: {error}")
        said = run_payments.confirm(
            env,
            end_to_end_id,
            amount_minor=amount_minor,
            booked_at=booked.replace(tzinfo=UTC),
            reference=reference,
        )
    posted = _text(said.posted_minor, currency)
    output.value(
        {
            "end_to_end_id": said.end_to_end_id,
            "reference": said.reference,
            "outcome": said.outcome.value,
            "posted": posted,
        },
        f"{said.outcome.value}: {posted} {currency} posted",
    )


@group.command()
def settle(context: typer.Context, run: int = _RUN, operator: str = OPERATOR) -> None:
    """End a run whose payments are all confirmed, or that has none."""
    with house(context) as env:
        found = run_payments.settle(env, acting(env, operator), run)
    _tell(context, found, "is settled")


@group.command()
def abort(
    context: typer.Context,
    run: int = _RUN,
    reason: str = _REASON,
    again: bool = typer.Option(False, "--again", help="Run again at once."),
    exclude: list[str] = typer.Option(
        [], help="Run again without this participant; may be repeated."
    ),
    operator: str = OPERATOR,
) -> None:
    """Ask to give up a run that is not recorded; another operator approves."""
    excluded = exclude if again or exclude else None
    with house(context) as env:
        by = acting(env, operator)
        asked = run_undoing.ask_abort(env, by, run, reason=reason, exclude=excluded)
    waiting(context, asked)


@group.command()
def reverse(
    context: typer.Context,
    run: int = _RUN,
    reason: str = _REASON,
    operator: str = OPERATOR,
) -> None:
    """Ask to take back a recorded run and what it moved; another operator approves."""
    with house(context) as env:
        by = acting(env, operator)
        asked = run_undoing.ask_reverse(env, by, run, reason=reason)
    waiting(context, asked)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List the runs, newest first."""
    with house(context) as env:
        rows = [_row(run) for run in settlement_runs.all_runs(env)]
    empty = "No run yet; when a window is closed: clearinghouse run propose"
    output_of(context).rows("Runs", rows, empty=empty)


@group.command()
def show(context: typer.Context, run: int = _RUN) -> None:
    """Show a run: accounts, debts, payments, confirmations, history."""
    with house(context) as env:
        shown = settlement_runs.show(env, run)
    head = _row(shown.run) | {
        "windows": list(shown.windows),
        "excluded": dict(shown.exclusions),
    }
    tables = _netted(shown) | _charged(shown) | _said(shown)
    output_of(context).sections(head, tables)


@group.command()
def prove(context: typer.Context, run: int = _RUN) -> None:
    """Compute a run again from what it took; exit code 1 when anything differs."""
    output = output_of(context)
    with house(context) as env:
        broken = run_payments.prove(env, run)
    if broken:
        refuse(output, "\n".join(broken), code="RUN_PROOF")
    output.value({"run": run, "proved": True}, f"run {run}: everything agrees")
