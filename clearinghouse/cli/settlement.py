"""Verbs on settlement: close the open window, list windows and what they came to."""

from __future__ import annotations

from datetime import datetime

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.domain import money
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import settlement
from clearinghouse.services.environment import Environment
from clearinghouse.storage.settlement import Settled

group = typer.Typer(no_args_is_help=True, help="Windows and their settlement.")

_DECEMBER = 12


def following(label: str, now: datetime) -> str:
    """Return the label of the window after this one.

    The month after a label such as ``2026-11``; else the present instant.
    """
    try:
        month = datetime.strptime(label, "%Y-%m")  # noqa: DTZ007 - a month, no instant
    except ValueError:
        return f"{now:%Y-%m-%dT%H%M%S}"
    year = month.year + month.month // _DECEMBER
    return f"{year}-{month.month % _DECEMBER + 1:02d}"


@group.command()
def close(
    context: typer.Context,
    label: str | None = typer.Argument(
        None, help="The window to close; refused when another one is open."
    ),
    next_label: str | None = typer.Option(
        None, "--next", help="Name of the window that opens."
    ),
) -> None:
    """Close the open window: prove it, net it, post it, issue the statements.

    Money taken in meanwhile falls into the next window. Safe to repeat: a close that
    was cut off is finished, a window that is closed stays as it is.
    """
    output = output_of(context)
    with house(context) as env:
        open_label = _open_label(env)
        if label is not None and label != open_label:
            refuse(output, f"the open window is {open_label}, not {label}")
        after = next_label or following(open_label, env.clock.now())
        with output.progress(f"closing {open_label}", None):
            closed = settlement.close(env, next_label=after)
        rows = [_settled(found) for found in closed.settlements]
    output.value(
        {
            "window": closed.window.label,
            "window_id": closed.window.window_id,
            "next": after,
            "statements": closed.statements,
            "settlements": rows,
        },
        f"window {closed.window.label} is closed: claim equals proof, "
        f"{closed.statements} statements; {after} is open",
    )


def _open_label(env: Environment) -> str:
    for window in settlement.windows(env):
        if window.state is WindowState.OPEN:
            return window.label
    return settlement.ensure_window(env, f"{env.clock.now():%Y-%m}").label


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List all windows with what they came to per currency."""
    with house(context) as env:
        rows = [
            {
                "window": window.label,
                "state": window.state.value,
                "opened": window.opened_at.isoformat(timespec="seconds"),
                "closed": window.closed_at
                and window.closed_at.isoformat(timespec="seconds"),
                "settled": " ".join(
                    f"{_text(found.gross_minor, found.currency)} {found.currency}"
                    for found in settlement.settlements(env, window.window_id)
                ),
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
