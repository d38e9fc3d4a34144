"""Verbs on agreements: add, list."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain.agreements import Mode, SilentCsp, Terms
from clearinghouse.services import agreements

group = typer.Typer(no_args_is_help=True, help="Agreements: who roams with whom.")

_USUAL = Terms()


def _row(found: agreements.Listed) -> Row:
    agreement = found.agreement
    return {
        "visited": found.visited,
        "home": found.home,
        "mode": agreement.mode.value,
        "currency": agreement.currency,
        "version": agreement.version,
        "from": agreement.valid_from.isoformat(),
        "until": agreement.valid_until and agreement.valid_until.isoformat(),
        "silent CSP": agreement.terms.silent_csp.value,
    }


def _aware(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


@group.command()
def add(
    context: typer.Context,
    visited: str = typer.Argument(help="Party id of the CSO or visited CSP."),
    home: str = typer.Argument(help="Party id of the home CSP."),
    currency: str = typer.Option(..., help="ISO 4217 code: EUR."),
    mode: Mode = typer.Option(Mode.B2, help="Roaming mode after clause 5."),
    valid_from: datetime = typer.Option(..., "--from", help="First instant, UTC."),
    valid_until: datetime | None = typer.Option(None, "--until", help="End, UTC."),
    silent_csp: SilentCsp = typer.Option(
        SilentCsp.REFUSE, help="What to do when the home CSP gives no answer."
    ),
    list_age_limit_seconds: int = typer.Option(
        _USUAL.list_age_limit_seconds, help="Age up to which its list decides."
    ),
    match_required: bool = typer.Option(
        True, help="Hold SDRs without a session of ours."
    ),
    tolerance_minor: int = typer.Option(
        _USUAL.tolerance_minor, help="Allowed difference of a claim, in minor units."
    ),
    tolerance_ppm: int = typer.Option(
        _USUAL.tolerance_ppm, help="The same in millionths; the larger counts."
    ),
) -> None:
    """Conclude an agreement, or put new terms in force for two partners."""
    terms = Terms(
        silent_csp=silent_csp,
        list_age_limit_seconds=list_age_limit_seconds,
        match_required=match_required,
        tolerance_minor=tolerance_minor,
        tolerance_ppm=tolerance_ppm,
    )
    conclusion = agreements.Conclusion(
        visited=visited,
        home=home,
        mode=mode,
        currency=currency,
        valid_from=valid_from.replace(tzinfo=UTC),
        valid_until=_aware(valid_until),
        terms=terms,
    )
    with house(context) as env:
        agreed = agreements.conclude(env, conclusion)
    text = f"{home}'s users may charge at {visited}, settled in {currency}"
    output_of(context).value(_row(agreed), text)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List all agreements, old versions too."""
    with house(context) as env:
        rows = [_row(found) for found in agreements.all_agreements(env)]
    empty = "No agreement yet; conclude one with: clearinghouse agreement add"
    output_of(context).rows("Agreements", rows, empty=empty)
