"""The verb ``reconcile``: a window or a run looked at again, three ways."""

from __future__ import annotations

import typer

from clearinghouse.cli.context import EXIT_REFUSED, house, output_of, refuse
from clearinghouse.cli.output import Output
from clearinghouse.domain import money
from clearinghouse.domain.reconciliation import is_clean
from clearinghouse.services import reconciliation, settlement
from clearinghouse.services.environment import Environment


def reconcile(
    context: typer.Context,
    subject: str | None = typer.Argument(
        None,
        help="Label of a closed window, or number of a run. Default: what banks said"
        " that is no payment of ours.",
    ),
) -> None:
    """Compare what must be one figure; ends with 1 when anything differs.

    A window: its SDRs added up again, batch totals, documents, positions and postings.
    A run: its payments against the bank's statements, by end-to-end id.
    """
    output = output_of(context)
    with house(context) as env:
        if subject is None:
            clean = _strangers(output, env)
        elif (window := settlement.window_named(env, subject)) is not None:
            clean = _window(output, env, window.window_id)
        elif subject.isascii() and subject.isdigit():
            clean = _run(output, env, int(subject))
        else:
            refuse(output, f"{subject} is no window and no run")
    if not clean:
        raise typer.Exit(EXIT_REFUSED)


def _strangers(output: Output, env: Environment) -> bool:
    found = reconciliation.strangers(env)
    rows = [
        {
            "reference": one.reference,
            "end_to_end_id": one.end_to_end_id,
            "amount": _text(one.amount_minor, one.currency),
            "currency": one.currency,
            "side": "in" if one.is_credit else "out",
            "booked": one.booked_at,
        }
        for one in found
    ]
    output.rows("Unknown to us", rows, empty="Every entry of the bank is a payment")
    return not found


def _window(output: Output, env: Environment, window_id: int) -> bool:
    report = reconciliation.of_window(env, window_id)
    rows: list[dict[str, object]] = [
        {
            "check": one.check,
            "subject": one.subject,
            "left": one.left_minor,
            "right": one.right_minor,
        }
        for one in report.differences
    ]
    rows += [
        {"check": "proof", "subject": text, "left": "", "right": ""}
        for text in report.broken
    ]
    output.rows("Differences", rows, empty="SDRs, totals, documents, postings agree")
    return report.is_clean


def _run(output: Output, env: Environment, run_id: int) -> bool:
    report = reconciliation.of_run(env, run_id)
    rows = [
        {
            "end_to_end_id": one.end_to_end_id,
            "outcome": one.outcome.value,
            "expected": _text(one.expected_minor, one.currency),
            "found": _text(one.found_minor, one.currency),
            "currency": one.currency,
        }
        for one in report.matches
    ]
    output.rows("Payments", rows, empty="The run has no payment")
    for text in report.broken:
        output.remark(text)
    return is_clean(report.matches) and not report.broken


def _text(amount_minor: int, currency: str) -> str:
    return money.minor_text(amount_minor, money.currency_of(currency))
