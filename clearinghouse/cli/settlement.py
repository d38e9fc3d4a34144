"""Verbs on settlement: close the open window, list windows and what they came to."""

from __future__ import annotations

from datetime import datetime

import typer

from clearinghouse.cli.context import EXIT_REFUSED, house, output_of, refuse
from clearinghouse.cli.output import Output
from clearinghouse.domain import money
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import held_sdrs, rerating, settlement, statements
from clearinghouse.services.environment import Environment
from clearinghouse.storage.settlement import Settled, Window
from clearinghouse.texts import UNSEEN, is_readable

group = typer.Typer(no_args_is_help=True, help="Windows and their settlement.")

LABEL_LENGTH_MAX = 64
"""Longest label of a window: it stands on statements and in answers."""
_DECEMBER = 12


def following(label: str, now: datetime) -> str:
    """Return the label of the window after this one.

    The month after a label such as ``2026-11``; else the present instant.
    """
    return _month_after(label) or f"{now:%Y-%m-%dT%H%M%S}"


def _is_label(label: str) -> bool:
    return 0 < len(label) <= LABEL_LENGTH_MAX and is_readable(label)


def _month_after(label: str) -> str | None:
    """Return the month after one such as ``2026-11``; ``None`` for other labels."""
    try:
        month = datetime.strptime(label, "%Y-%m")  # noqa: DTZ007 - a month, no instant
    except ValueError:
        return None
    year = month.year + month.month // _DECEMBER
    return f"{year}-{month.month % _DECEMBER + 1:02d}"


@group.command()
def close(
    context: typer.Context,
    label: str | None = typer.Argument(
        None, help="The window to close: 2026-11. Default: the one whose month is over."
    ),
    next_label: str | None = typer.Option(
        None, "--next", help="Name of the window that opens."
    ),
) -> None:
    """Close a window: prove it, net it, post it, issue the statements.

    Money taken in meanwhile falls into the next window. Safe to repeat: a close that
    was cut off is finished, and a window that is closed stays as it is. Without a label
    a month that is not over is left open.
    """
    output = output_of(context)
    with house(context) as env:
        wanted = _wanted(output, env, label)
        if wanted.label == next_label:
            refuse(output, f"{wanted.label} cannot follow itself; give --next another")
        if wanted.state is WindowState.CLOSED:
            _tell_closed_before(output, env, wanted)
            return
        if next_label is not None and not _is_label(next_label):
            refuse(
                output,
                f"--next: 1 to {LABEL_LENGTH_MAX} characters, {UNSEEN}",
            )
        after = next_label or following(wanted.label, env.clock.now())
        with output.progress(f"closing {wanted.label}", None):
            closed = settlement.close(env, next_label=after)
            while closed.window.window_id < wanted.window_id:  # one was cut off before
                output.remark(f"{closed.window.label} is closed now")
                closed = settlement.close(env, next_label=after)
        waiting = held_sdrs.held_by_window(env).get(closed.window.window_id, 0)
    now_open = closed.next_window.label if closed.next_window else None
    if waiting:
        output.remark(f"{waiting} of its SDRs are held: clearinghouse sdr held")
    output.value(
        {
            "window": closed.window.label,
            "window_id": closed.window.window_id,
            "closed_before": False,
            "next": now_open,
            "held": waiting,
            "statements": closed.statements,
            "settlements": [_settled(found) for found in closed.settlements],
        },
        f"window {closed.window.label} is closed: claim equals proof, "
        f"{closed.statements} statements; {now_open} is open",
    )


def _wanted(output: Output, env: Environment, label: str | None) -> Window:
    """Return the window to close; end the command when it cannot be meant."""
    opened = settlement.ensure_window(env, f"{env.clock.now():%Y-%m}")
    if label is not None:
        found = settlement.window_named(env, label)
        if found is None:
            refuse(output, f"there is no window {label}; {opened.label} is open")
        return found
    pending = [
        window
        for window in settlement.windows(env)
        if window.state in {WindowState.CUTOVER, WindowState.FAILED}
    ]
    if pending:
        return pending[-1]  # the oldest
    month_after = _month_after(opened.label)
    if month_after is None or f"{env.clock.now():%Y-%m}" < month_after:
        why = "is no month" if month_after is None else "is not over"
        refuse(
            output,
            f"{opened.label} {why}; to close it all the same: "
            f"clearinghouse settlement close {opened.label}",
        )
    return opened


def _tell_closed_before(output: Output, env: Environment, window: Window) -> None:
    """Issue what a cut off close still owes, which is mostly nothing, and say so."""
    late = statements.issue_pending(env)
    done = f"{late} statements that were missing are issued" if late else "nothing done"
    output.value(
        {
            "window": window.label,
            "window_id": window.window_id,
            "closed_before": True,
            "next": settlement.ensure_window(env, f"{env.clock.now():%Y-%m}").label,
            "statements": statements.issue_window(env, window.window_id),
            "settlements": [
                _settled(found)
                for found in settlement.settlements(env, window.window_id)
            ],
        },
        f"{window.label} is closed already; {done}",
    )


@group.command()
def rerate(
    context: typer.Context,
    label: str = typer.Argument(..., help="The window, open or closed: 2026-11."),
) -> None:
    """Rate all SDRs of a window again, apart from the rating at intake, and compare.

    The database computes, by the statement that auditors use; nothing changes. Ends
    with 1 when an amount differs.
    """
    output = output_of(context)
    with house(context) as env:
        window = settlement.window_named(env, label)
        if window is None:
            refuse(output, f"there is no window {label}")
        with output.progress(f"rating {label} again", None):
            found = rerating.rerate(env, window.window_id)
    rows = [
        {
            "submitter": one.submitter_party,
            "sdr": one.sdr_uid,
            "currency": one.currency,
            "stored": _text(one.stored_minor, one.currency),
            "rated": _text(one.rated_minor, one.currency),
        }
        for one in found.differences
    ]
    output.value(
        {"sdrs": found.sdrs, "different": found.different, "differences": rows},
        f"{label}: {found.sdrs} SDRs rated again, {found.different} differ",
    )
    if found.different:
        raise typer.Exit(EXIT_REFUSED)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List all windows with what they came to per currency."""
    with house(context) as env:
        waiting = held_sdrs.held_by_window(env)
        rows = [
            {
                "window": window.label,
                "window_id": window.window_id,
                "state": window.state.value,
                "opened": window.opened_at,
                "closed": window.closed_at,
                "held": waiting.get(window.window_id, 0),
                "settled": [
                    {
                        "gross": _text(found.gross_minor, found.currency),
                        "currency": found.currency,
                    }
                    for found in settlement.settlements(env, window.window_id)
                ],
            }
            for window in settlement.windows(env)
        ]
    empty = "No window yet; the server opens the first one when it starts"
    output_of(context).rows("Windows", rows, empty=empty)


def _settled(found: Settled) -> dict[str, object]:
    return {
        "currency": found.currency,
        "sdrs": found.sdr_count,
        "gross": _text(found.gross_minor, found.currency),
        "bilateral": _text(found.bilateral_minor, found.currency),
        "multilateral": _text(found.multilateral_minor, found.currency),
    }


def _text(amount_minor: int, currency: str) -> str:
    return money.minor_text(amount_minor, money.currency_of(currency))
