"""Verbs on the house's fees: put a plan, list them."""

from __future__ import annotations

from datetime import datetime

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.cli.output import Row
from clearinghouse.domain import money
from clearinghouse.domain.fees import PAYMENT_DAYS, FeePlan, FeeSide, Tier
from clearinghouse.domain.money import AmountError
from clearinghouse.services import fees

group = typer.Typer(no_args_is_help=True, help="Fees of the house.")

_DAY = ["%Y-%m-%d"]


def _row(plan: FeePlan) -> Row:
    currency = money.currency_of(plan.currency)
    return {
        "party": plan.party_id,
        "currency": plan.currency,
        "from": plan.valid_from.isoformat(),
        "side": plan.side.value,
        "tiers": [
            f"{'' if tier.up_to is None else tier.up_to}:"
            f"{money.micro_to_decimal(tier.price_u).normalize():f}"
            for tier in plan.tiers
        ],
        "share_ppm": plan.share_ppm,
        "minimum": money.minor_text(plan.minimum_minor, currency),
        "maximum": None
        if plan.maximum_minor is None
        else money.minor_text(plan.maximum_minor, currency),
        "payment_days": plan.payment_days,
    }


def _tier(text: str) -> Tier:
    """Read a tier such as ``1000:0.02``, or ``:0.01`` for all the rest.

    Raises :class:`typer.BadParameter`.
    """
    bound, colon, price = text.partition(":")
    try:
        if colon and (not bound or bound.isdecimal()):
            return Tier(int(bound) if bound else None, money.to_micro(price))
    except AmountError as error:
        raise typer.BadParameter(f"{text}: {error}") from error
    raise typer.BadParameter(f"{text}: give NUMBER:PRICE, or :PRICE for the rest")


@group.command()
def put(
    context: typer.Context,
    party: str = typer.Argument(help="Party id of who pays."),
    currency: str = typer.Option("EUR", help="ISO 4217 code."),
    valid_from: datetime = typer.Option(..., "--from", formats=_DAY, help="First day."),
    side: FeeSide = typer.Option(FeeSide.BOTH, help="Which SDRs count."),
    tier: list[str] = typer.Option(
        [], help="1000:0.02 is 0.02 for each of the first 1000; :0.01 the rest."
    ),
    share_ppm: int = typer.Option(
        0, "--share-ppm", help="Of the turnover, parts per million: 3500 is 0.35 %."
    ),
    minimum: str = typer.Option("0", help="At least this in each run, without VAT."),
    maximum: str | None = typer.Option(None, help="At most this, without VAT."),
    payment_days: int = typer.Option(
        PAYMENT_DAYS, "--payment-days", help="Days from booking until a fee is due."
    ),
) -> None:
    """Put a fee plan in force; runs charge it, each line rounded once."""
    output = output_of(context)
    try:
        known = money.currency_of(currency)
        plan = FeePlan(
            party_id=party,
            currency=currency,
            valid_from=valid_from.date(),
            side=side,
            tiers=tuple(_tier(text) for text in tier),
            share_ppm=share_ppm,
            minimum_minor=money.to_minor(minimum, known),
            maximum_minor=None if maximum is None else money.to_minor(maximum, known),
            payment_days=payment_days,
        )
    except AmountError as error:
        refuse(output, str(error))
    with house(context) as env:
        put_in_force = fees.put_plan(env, plan)
    text = f"{put_in_force.party_id} pays by this plan from {valid_from:%Y-%m-%d} on"
    output.value(_row(put_in_force), text)


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List all fee plans, older ones too."""
    with house(context) as env:
        rows = [_row(plan) for plan in fees.all_plans(env)]
    output_of(context).rows("Fees", rows, empty="No plan: the house charges nothing")
