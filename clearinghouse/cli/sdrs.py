"""Verbs on SDRs: held ones, signed meter values, batches that are missing."""

from __future__ import annotations

from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain import money
from clearinghouse.services import held_sdrs, sdr_gaps
from clearinghouse.services import transparency as transparency_export
from clearinghouse.services.held_sdrs import Held
from clearinghouse.storage.sdrs import StoredSdr

group = typer.Typer(
    no_args_is_help=True,
    help="SDRs: held ones, signed meter values, missing batches.",
)

_SUBMITTER = typer.Argument(help="Party id of who submitted it.")
_SDR_ID = typer.Argument(help="Its id, as the submitter gave it.")


def _row(waiting: Held) -> Row:
    stored = waiting.stored
    return {
        **_facts(stored),
        "home_csp": stored.csp_party,
        "received": stored.received_at,
        "energy_wh": stored.energy_wh,
        "claimed": _text(stored.claimed_minor, stored.currency),
        "rated": _text(stored.net_minor, stored.currency),
        "currency": stored.currency,
        "why": "; ".join(
            f"{item.rule} {item.path}: expected {item.expected}, found {item.found}"
            for item in waiting.remarks
        ),
    }


def _facts(stored: StoredSdr) -> dict[str, object]:
    return {"submitter": stored.submitter_party, "sdr": stored.sdr_uid}


def _text(amount_minor: int, currency: str) -> str:
    return money.minor_text(amount_minor, money.currency_of(currency))


@group.command()
def held(context: typer.Context) -> None:
    """List what waits for your word, oldest first, with the rules that hold it."""
    with house(context) as env:
        rows = [_row(waiting) for waiting in held_sdrs.held(env)]
    output_of(context).rows("Held SDRs", rows, empty="No SDR is held.")


@group.command()
def release(
    context: typer.Context, submitter: str = _SUBMITTER, sdr_id: str = _SDR_ID
) -> None:
    """Take a held SDR in: it is settled in the open window, as it was rated."""
    with house(context) as env:
        stored = held_sdrs.release(env, submitter, sdr_id)
    rated = f"{_text(stored.net_minor, stored.currency)} {stored.currency}"
    text = f"{sdr_id} is taken in: {stored.csp_party} owes {submitter} {rated}"
    output_of(context).value({**_facts(stored), "status": "ACCEPTED"}, text)


@group.command()
def reject(
    context: typer.Context, submitter: str = _SUBMITTER, sdr_id: str = _SDR_ID
) -> None:
    """Put a held SDR away for good; its session may have another one."""
    with house(context) as env:
        stored = held_sdrs.reject(env, submitter, sdr_id)
    text = f"{sdr_id} is rejected; {submitter} may submit another SDR for the session"
    output_of(context).value({**_facts(stored), "status": "REJECTED"}, text)


@group.command()
def transparency(
    context: typer.Context,
    submitter: str = _SUBMITTER,
    sdr_id: str = _SDR_ID,
    to: Path | None = typer.Option(None, "--to", help="File to write."),
) -> None:
    """Give out the signed meter values of an SDR, as they came from the meter.

    The EV user opens the file with the transparency software and checks it there,
    against the key on the meter. Personal data: that you looked is noted.
    """
    with house(context) as env:
        document = transparency_export.export(env, submitter, sdr_id)
    output = output_of(context)
    if to is None:
        text = document.decode()
        output.value({"transparency": text}, text.rstrip("\n"))
    else:
        to.write_bytes(document)
        output.value({"file": str(to)}, f"signed meter values of {sdr_id} in {to}")


@group.command()
def gaps(context: typer.Context) -> None:
    """List batches that are missing: refused for a gap, or not sent for long.

    The setting batch_silence_hours says after how many hours.
    """
    with house(context) as env:
        rows: list[Row] = [
            {
                "submitter": alarm.party_id,
                "kind": alarm.kind,
                "since": alarm.since,
                "missing_batch": alarm.expected,
                "came_instead": alarm.found,
            }
            for alarm in sdr_gaps.missing(env)
        ]
    output_of(context).rows("Missing batches", rows, empty="No batch is missing.")
