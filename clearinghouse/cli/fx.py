"""Verbs on foreign exchange: rates, and who settles in another currency."""

from __future__ import annotations

from datetime import datetime

import typer

from clearinghouse.cli.context import AMOUNTS, house, output_of, refuse
from clearinghouse.cli.output import Row
from clearinghouse.domain import money
from clearinghouse.domain.fx import Choice, Rate
from clearinghouse.domain.money import AmountError
from clearinghouse.services import fx

group = typer.Typer(no_args_is_help=True, help="Exchange rates, only where agreed.")

_DAY = ["%Y-%m-%d"]


def _rate(rate: Rate) -> Row:
    return {
        "currency": rate.currency,
        "day": rate.day.isoformat(),
        "version": rate.version,
        "rate": f"{money.micro_to_decimal(rate.rate_u):f}",
    }


def _choice(choice: Choice) -> Row:
    return {
        "party": choice.party,
        "with": choice.other or "*",
        "owed_in": choice.from_currency,
        "settled_in": choice.to_currency,
        "from": choice.valid_from.isoformat(),
    }


@group.command(context_settings=AMOUNTS)
def put(
    context: typer.Context,
    currency: str = typer.Argument(help="ISO 4217 code: SEK."),
    rate: str = typer.Argument(help="So much of it for one euro: 11.2345."),
    day: datetime = typer.Option(..., formats=_DAY, help="The day of the rate."),
) -> None:
    """Put a reference rate; a day that has one gets a new version."""
    output = output_of(context)
    try:
        rate_u = money.to_micro(rate)
    except AmountError as error:
        refuse(output, f"{rate}: {error}")
    with house(context) as env:
        stored = fx.put_rate(
            env, Rate(currency=currency, day=day.date(), rate_u=rate_u)
        )
    output.value(_rate(stored), f"1 EUR = {rate} {currency} on {day:%Y-%m-%d}")


@group.command()
def agree(
    context: typer.Context,
    party: str = typer.Argument(help="Party id."),
    other: str = typer.Argument("", help="The other one; left out: all who agree so."),
    owed: str = typer.Option(..., help="What is owed in this currency ..."),
    settled: str = typer.Option(..., help="... is settled in this one."),
    valid_from: datetime = typer.Option(..., "--from", formats=_DAY, help="First day."),
) -> None:
    """Note that two partners settle in another currency; the same one ends it."""
    choice = Choice(
        party=party,
        other=other,
        from_currency=owed,
        to_currency=settled,
        valid_from=valid_from.date(),
    )
    with house(context) as env:
        stored = fx.agree(env, choice)
    whom = stored.other or "all who agree so"
    output_of(context).value(
        _choice(stored), f"{stored.party} and {whom} settle {owed} in {settled}"
    )


@group.command()
def rates(context: typer.Context) -> None:
    """List the rates, newest day first."""
    with house(context) as env:
        rows = [_rate(one) for one in fx.all_rates(env)]
    output_of(context).rows("Rates", rows, empty="No rate; nothing can be converted")


@group.command()
def choices(context: typer.Context) -> None:
    """List who settles in another currency; of the same parties the latest counts."""
    with house(context) as env:
        rows = [_choice(one) for one in fx.all_choices(env)]
    output_of(context).rows("Choices", rows, empty="All settle in the currency owed")
