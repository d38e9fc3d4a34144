"""Verbs on net debit caps: put, lift, list with what is used, look back (S-211)."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from clearinghouse.cli.context import AMOUNTS, house, output_of, refuse
from clearinghouse.cli.output import Row
from clearinghouse.domain import money
from clearinghouse.domain.debit_caps import DebitCap
from clearinghouse.domain.money import AmountError
from clearinghouse.services import debit_caps

group = typer.Typer(no_args_is_help=True, help="Net debit caps: what a CSP may owe.")

_FROM = typer.Option(
    None, "--from", help="First instant, UTC: 2027-01-01T06:00:00; without it, now."
)


def _row(cap: DebitCap) -> Row:
    limit = None
    if cap.limit_minor is not None:
        limit = money.minor_text(cap.limit_minor, money.currency_of(cap.currency))
    return {
        "party": cap.party_id,
        "currency": cap.currency,
        "cap": limit,
        "from": cap.valid_from,
    }


def _put(
    context: typer.Context,
    party: str,
    currency: str,
    amount: str | None,
    valid_from: datetime | None,
) -> DebitCap:
    output = output_of(context)
    try:
        known = money.currency_of(currency)
        limit_minor = None if amount is None else money.to_minor(amount, known)
    except AmountError as error:
        refuse(output, str(error))
    with house(context) as env:
        now = env.clock.now()
        begin = now if valid_from is None else valid_from.replace(tzinfo=UTC)
        cap = DebitCap(
            party_id=party,
            currency=currency,
            limit_minor=limit_minor,
            valid_from=begin,
        )
        return debit_caps.put_cap(env, cap)


@group.command(context_settings=AMOUNTS)
def put(
    context: typer.Context,
    party: str = typer.Argument(help="Party id of the CSP."),
    amount: str = typer.Argument(help="What it may owe at most, with VAT: 50000.00"),
    currency: str = typer.Option("EUR", help="ISO 4217 code."),
    valid_from: datetime | None = _FROM,
) -> None:
    """Put a cap in force; what would exceed it is held until a settlement (S-211)."""
    cap = _put(context, party, currency, amount, valid_from)
    row = _row(cap)
    text = f"{cap.party_id} may owe {row['cap']} {currency} from {_begin(cap)} on"
    output_of(context).value(row, text)


@group.command()
def lift(
    context: typer.Context,
    party: str = typer.Argument(help="Party id of the CSP."),
    currency: str = typer.Option("EUR", help="ISO 4217 code."),
    valid_from: datetime | None = _FROM,
) -> None:
    """Lift a cap: what it holds is taken in within a minute."""
    cap = _put(context, party, currency, None, valid_from)
    text = f"{cap.party_id} has no cap in {currency} from {_begin(cap)} on"
    if not cap.cap_id:
        text = f"{cap.party_id} has no cap in {currency} at {_begin(cap)} already"
    output_of(context).value(_row(cap), text)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List the caps in force, what is owed against each, and which are nearly used."""
    with house(context) as env:
        rows: list[Row] = [
            {
                "party": use.cap.party_id,
                "currency": use.cap.currency,
                "cap": _text(use.cap.limit_minor, use.cap.currency),
                "owed": _text(use.owed_minor, use.cap.currency),
                "percent": use.percent,
                "alarm": use.alarm,
            }
            for use in debit_caps.uses(env)
        ]
    output_of(context).rows("Net debit caps", rows, empty="No cap: CSPs owe as they do")


@group.command()
def history(context: typer.Context) -> None:
    """List all versions, older and lifted ones too."""
    with house(context) as env:
        rows = [_row(cap) for cap in debit_caps.all_caps(env)]
    output_of(context).rows("Versions of net debit caps", rows, empty="There is none")


def _begin(cap: DebitCap) -> str:
    return f"{cap.valid_from:%Y-%m-%dT%H:%M:%SZ}"


def _text(amount_minor: int, currency: str) -> str:
    return money.minor_text(amount_minor, money.currency_of(currency))
