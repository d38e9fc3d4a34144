"""Verbs on agreements: add, list, end."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain.agreements import Mode, SilentCsp, Terms
from clearinghouse.services import agreements

group = typer.Typer(no_args_is_help=True, help="Agreements: who roams with whom.")

_USUAL = Terms()
_SHOWN_APART = frozenset(
    {"silent_csp", "collects", "signed_meter_required", "offline_allowed"}
)
_VISITED = typer.Argument(help="Party id of the CSO or visited CSP: it serves.")
_HOME = typer.Argument(help="Party id of the home CSP: it owes.")
_SILENT = typer.Option(
    SilentCsp.REFUSE, help="What to do when the home CSP gives no answer."
)
_MATCH = typer.Option(True, help="Hold SDRs without a session of ours.")
_COLLECTS = typer.Option(
    False, "--collects", help="The home CSP also submits SDRs for this CSO."
)
_SIGNED = typer.Option(
    False, "--signed-meter-required", help="Meter values have to come signed."
)
_TERM = typer.Option(
    [], help="Another threshold, as late_limit_days=45; may be repeated."
)
_UNTIL = typer.Option(None, "--until", help="End, UTC; written alike.")
_OFFLINE = typer.Option(
    False,
    "--offline-allowed",
    help="The CSP's list stands in for a session: stations let in offline.",
)


def _row(found: agreements.Listed) -> Row:
    agreement = found.agreement
    return {
        "visited": found.visited,
        "home": found.home,
        "mode": agreement.mode.value,
        "currency": agreement.currency,
        "version": agreement.version,
        "from": agreement.valid_from,
        "until": agreement.valid_until,
        "silent_csp": agreement.terms.silent_csp.value,
        "collects": agreement.terms.collects,
        "offline": agreement.terms.offline_allowed,
        "signed_meter": agreement.terms.signed_meter_required,
        "terms": " ".join(_unusual(agreement.terms)),
    }


def _unusual(terms: Terms) -> list[str]:
    """Return what differs from the usual terms, as ``--term`` takes it."""
    return [
        f"{name}={value}"
        for name, value in asdict(terms).items()
        if name not in _SHOWN_APART and value != getattr(_USUAL, name)
    ]


def _aware(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _terms(given: list[str]) -> dict[str, Any]:
    """Read thresholds such as ``late_limit_days=45``.

    Raises :class:`typer.BadParameter` with the names there are.
    """
    found: dict[str, int] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in agreements.TERMS or not number.isdecimal():
            names = ", ".join(agreements.TERMS)
            raise typer.BadParameter(f"{text}: give NAME=NUMBER; names are {names}")
        found[name] = int(number)
    return found


@group.command(epilog=f"Names of --term: {', '.join(agreements.TERMS)}.")
def add(
    context: typer.Context,
    visited: str = _VISITED,
    home: str = _HOME,
    currency: str = typer.Option(..., help="ISO 4217 code: EUR."),
    mode: Mode = typer.Option(Mode.B2, help="Roaming mode after clause 5."),
    valid_from: datetime = typer.Option(
        ..., "--from", help="First instant, UTC: 2027-01-01 or 2027-01-01T06:00:00."
    ),
    valid_until: datetime | None = _UNTIL,
    silent_csp: SilentCsp = _SILENT,
    match_required: bool = _MATCH,
    collects: bool = _COLLECTS,
    signed_meter_required: bool = _SIGNED,
    offline_allowed: bool = _OFFLINE,
    term: list[str] = _TERM,
) -> None:
    """Conclude an agreement, or put new terms in force for two partners.

    Thresholds that are not given are the usual ones: a claim may differ from our
    rating by tolerance_minor (1) or tolerance_ppm (5000), whichever is more; a list
    decides up to an age of list_age_limit_seconds (a week).

    With --collects the home CSP, as visited CSP, submits SDRs of sessions at the CSO's
    stations to the CSPs that it has agreements with, and is paid for them. Without it
    every batch in which it names this CSO is refused (B-005). New terms without it end
    that.

    With --offline-allowed an SDR without a session of ours is taken when its credential
    stood on the home CSP's list at the start.

    With --signed-meter-required an SDR whose signed meter values do not hold is refused
    instead of held (S-111), and one without them is remarked on (S-305).
    """
    terms = Terms(
        silent_csp=silent_csp,
        match_required=match_required,
        collects=collects,
        signed_meter_required=signed_meter_required,
        offline_allowed=offline_allowed,
    )
    conclusion = agreements.Conclusion(
        visited=visited,
        home=home,
        mode=mode,
        currency=currency,
        valid_from=valid_from.replace(tzinfo=UTC),
        valid_until=_aware(valid_until),
        terms=replace(terms, **_terms(term)),
    )
    with house(context) as env:
        agreed = agreements.conclude(env, conclusion)
    output_of(context).value(_row(agreed), _concluded(conclusion))


def _concluded(new: agreements.Conclusion) -> str:
    home, visited = new.home, new.visited
    text = f"{home}'s users may charge at {visited}, settled in {new.currency}"
    if new.terms.collects:
        text = f"{text}; {home} submits SDRs for {visited}"
    next_step = "both connect their clients: docs/partners.rst says what to send"
    return f"{text}\nnext: {next_step}"


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List all agreements, old versions too."""
    with house(context) as env:
        rows = [_row(found) for found in agreements.all_agreements(env)]
    empty = "No agreement yet; conclude one with: clearinghouse agreement add"
    output_of(context).rows("Agreements", rows, empty=empty)


@group.command()
def end(
    context: typer.Context,
    visited: str = _VISITED,
    home: str = _HOME,
    currency: str | None = typer.Option(None, help="Only in this currency."),
) -> None:
    """End what is in force between two partners, now; what was submitted stays."""
    with house(context) as env:
        ended = agreements.end(env, visited, home, currency=currency)
    rows = [_row(one) for one in ended]
    text = f"{home}'s users may no longer charge at {visited}"
    output_of(context).value({"ended": rows}, text)
