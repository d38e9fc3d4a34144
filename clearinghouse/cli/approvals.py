"""Verbs on what needs two operators: list, approve, withdraw."""

from __future__ import annotations

import typer

from clearinghouse.cli.acting import OPERATOR, acting
from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain.approvals import Approval, ApprovalState, canonical
from clearinghouse.services import approvals
from clearinghouse.services.approved_actions import EXECUTORS

group = typer.Typer(no_args_is_help=True, help="Acts that need two operators.")

_NUMBER = typer.Argument(help="The number in the list.")


def waiting(context: typer.Context, asked: Approval) -> None:
    """Tell that an act waits for a second operator, and how he approves it."""
    number, wanted = asked.approval_id, asked.wanted
    output_of(context).value(
        {"approval": number, "action": wanted.action, "object": wanted.object},
        f"{wanted.action} {wanted.object} waits for another operator: "
        f"clearinghouse approval approve {number} --operator ...",
    )


def _row(asked: Approval, state: ApprovalState) -> Row:
    return {
        "approval": asked.approval_id,
        "state": state.value,
        "action": asked.wanted.action,
        "object": asked.wanted.object,
        "payload": canonical(asked.wanted.payload),
        "requested_by": asked.requested_by,
        "requested": asked.requested_at,
        "expires": asked.expires_at,
        "approved_by": asked.approved_by,
        "outcome": asked.outcome,
    }


@group.command(name="list")
def list_them(
    context: typer.Context,
    everything: bool = typer.Option(False, "--all", help="Also what is over."),
) -> None:
    """List what waits for a second operator, newest first."""
    with house(context) as env:
        rows = [
            _row(shown.approval, shown.state)
            for shown in approvals.newest(env)
            if everything or shown.state is ApprovalState.PENDING
        ]
    output_of(context).rows("Approvals", rows, empty="Nothing waits for approval.")


@group.command()
def approve(
    context: typer.Context, number: int = _NUMBER, operator: str = OPERATOR
) -> None:
    """Give the second word: the act is done at once."""
    with house(context) as env:
        by = acting(env, operator)
        done = approvals.approve(env, by, number, EXECUTORS)
    value = _row(done, ApprovalState.APPROVED)
    output_of(context).value(value, f"approved and done: {done.outcome}")


@group.command()
def withdraw(
    context: typer.Context, number: int = _NUMBER, operator: str = OPERATOR
) -> None:
    """Take back what waits; any operator may."""
    with house(context) as env:
        asked = approvals.withdraw(env, acting(env, operator), number)
    value = _row(asked, ApprovalState.WITHDRAWN)
    text = f"{asked.wanted.action} {asked.wanted.object} is withdrawn"
    output_of(context).value(value, text)
