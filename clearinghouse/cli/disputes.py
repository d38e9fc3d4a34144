"""Verbs on disputes: list, show, decide with another operator."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from uuid import UUID

import typer

from clearinghouse.cli.acting import OPERATOR, acting
from clearinghouse.cli.approvals import waiting
from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain import money
from clearinghouse.domain.disputes import DisputeState
from clearinghouse.services import disputes
from clearinghouse.services.disputes import Decision
from clearinghouse.storage.disputes import Dispute, Step
from clearinghouse.texts import is_readable

group = typer.Typer(no_args_is_help=True, help="Disputes about SDRs.")

WORDS_MAX = 500
"""Characters of the reason of a decision: both sides read it."""

_DISPUTE = typer.Argument(help="The dispute's name, as in the list.")


class Verdict(StrEnum):
    """What the house may decide."""

    UPHELD_CSP = "UPHELD_CSP"
    UPHELD_CSO = "UPHELD_CSO"
    SPLIT = "SPLIT"


def _row(found: Dispute) -> Row:
    return {
        "dispute": str(found.dispute_id),
        "state": found.state.value,
        "due": found.due_at,
        "csp": found.csp_party,
        "submitter": found.submitter_party,
        "sdr": found.sdr_uid,
        "window": found.window_label,
        "reason": found.reason.value,
        "disputed": _text(found.net_minor, found),
        "accepted": _text(found.asked_minor, found),
        "offered": _text(found.offered_minor, found),
        "agreed": _text(found.agreed_minor, found),
        "currency": found.currency,
        "hard_stop": found.hard_stop_at,
    }


def _step(step: Step, found: Dispute) -> Row:
    said = step.said
    return {
        "at": step.at,
        "party": said.party.value,
        "act": said.act.value,
        "state": step.state.value,
        "amount": _text(said.amount_minor, found),
        "text": said.words,
        "evidence": [f"{one.reference} sha256:{one.digest}" for one in said.evidence],
    }


def _text(amount_minor: int | None, found: Dispute) -> str | None:
    if amount_minor is None:
        return None
    return money.minor_text(amount_minor, money.currency_of(found.currency))


@group.command(name="list")
def list_them(
    context: typer.Context,
    everything: bool = typer.Option(False, "--all", help="Also those that are over."),
) -> None:
    """List disputes, those whose term ends next first; yours are the ESCALATED ones."""
    with house(context) as env:
        found = disputes.all_disputes(env, running=not everything)
    rows = [_row(one) for one in found]
    output_of(context).rows("Disputes", rows, empty="Nothing is disputed.")


@group.command()
def show(context: typer.Context, dispute: UUID = _DISPUTE) -> None:
    """Show the file of a dispute: what each side said, and its evidence."""
    with house(context) as env:
        found = disputes.dispute_named(env, dispute)
    steps = [_step(one, found) for one in found.steps]
    head = {**_row(found), "corrections": list(found.corrections)}
    output_of(context).sections(head, {"steps": steps})


@group.command()
def decide(
    context: typer.Context,
    dispute: UUID = _DISPUTE,
    verdict: Verdict = typer.Option(..., help="Who is right, or SPLIT."),
    amount: str | None = typer.Option(None, help="With SPLIT: what is to be paid."),
    words: str = typer.Option(..., help="Why; both sides read it."),
    operator: str = OPERATOR,
) -> None:
    """Ask for a decision; another operator must approve it, and then it is booked."""
    if not 0 < len(words) <= WORDS_MAX or not is_readable(words):
        raise typer.BadParameter(f"--words: 1 to {WORDS_MAX} printable characters")
    decision = Decision(
        dispute_id=dispute,
        state=DisputeState(verdict.value),
        amount=_amount(amount),
        words=words,
    )
    with house(context) as env:
        asked = disputes.decide(env, acting(env, operator), decision)
    waiting(context, asked)


def _amount(given: str | None) -> Decimal | None:
    if given is None:
        return None
    try:
        found = Decimal(given)
    except InvalidOperation as error:
        raise typer.BadParameter(f"--amount: {given} is no amount") from error
    if not found.is_finite():
        raise typer.BadParameter(f"--amount: {given} is no amount")
    return found
