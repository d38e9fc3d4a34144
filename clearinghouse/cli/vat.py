"""Verbs on the table of VAT: list, add, end, explain."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.domain.vat import ANY, ServiceClass, VatCategory, VatRule
from clearinghouse.services import vat

group = typer.Typer(
    no_args_is_help=True, help="VAT: the table of rules, and why a supply is taxed so."
)

_DAY = ["%Y-%m-%d"]
_PERCENT = Decimal("0.01")


def _row(rule: VatRule) -> Row:
    return {
        "rule": rule.rule_id,
        "service": rule.service.value,
        "seller": rule.seller,
        "buyer": rule.buyer,
        "dealer": rule.dealer,
        "place": rule.place,
        "category": rule.category.value,
        "rate": _percent(rule.rate_bp),
        "from": rule.valid_from.isoformat(),
        "until": None if rule.valid_until is None else rule.valid_until.isoformat(),
        "reason_code": rule.reason_code,
        "reason": rule.reason,
        "priority": rule.priority,
    }


def _percent(rate_bp: int) -> str:
    return f"{rate_bp * _PERCENT:f}"


def _rate_bp(text: str) -> int:
    """Read a percentage such as ``19`` or ``25.5``.

    Raises :class:`typer.BadParameter` for what is none, or has more than two decimals.
    """
    try:
        rate = Decimal(text) / _PERCENT
    except InvalidOperation:
        rate = _PERCENT
    if rate != rate.to_integral_value():
        raise typer.BadParameter(f"{text}: give a percentage such as 19 or 25.5")
    return int(rate)


@group.command(name="list")
def list_them(
    context: typer.Context,
    place: str = typer.Option("", help="Rules that name this country or group only."),
) -> None:
    """List the table, ended rules too."""
    with house(context) as env:
        found = vat.table(env)
    rows = [
        _row(rule)
        for rule in found
        if place in {"", rule.seller, rule.buyer, rule.place}
    ]
    output_of(context).rows("VAT", rows, empty="No rule.")


@group.command()
def add(
    context: typer.Context,
    category: VatCategory = typer.Argument(help="UNCL5305: S, AE, Z, E, O, K or G."),
    rate: str = typer.Option("0", help="Percent: 19 or 25.5."),
    seller: str = typer.Option(ANY, help="Country, EU, OTHER or * for any."),
    buyer: str = typer.Option(ANY, help="Country, EU, OTHER or * for any."),
    place: str = typer.Option(ANY, help="Country of the EVSE, EU, OTHER or *."),
    dealer: bool | None = typer.Option(
        None,
        "--dealer/--no-dealer",
        help="Only for buyers that are taxable dealers, or only for others.",
    ),
    service: ServiceClass = typer.Option(ServiceClass.ENERGY, help="What is supplied."),
    reason: str = typer.Option("", help="Why there is no VAT, in words."),
    reason_code: str = typer.Option("", help="The same as a code: VATEX-EU-AE."),
    priority: int = typer.Option(0, help="Above 0 it counts before what says more."),
    valid_from: datetime = typer.Option(..., "--from", formats=_DAY, help="First day."),
    valid_until: datetime | None = typer.Option(
        None, "--until", formats=_DAY, help="First day on which it stands no more."
    ),
) -> None:
    """Add a rule; it counts for SDRs that come from now on."""
    rule = VatRule(
        service=service,
        seller=seller,
        buyer=buyer,
        place=place,
        dealer=dealer,
        valid_from=valid_from.date(),
        valid_until=None if valid_until is None else valid_until.date(),
        category=category,
        rate_bp=_rate_bp(rate),
        reason_code=reason_code,
        reason=reason.strip(),
        priority=priority,
    )
    with house(context) as env:
        added = vat.add(env, rule)
    output_of(context).value(_row(added), f"VAT rule {added.rule_id} added")


@group.command()
def end(
    context: typer.Context,
    rule_id: int = typer.Argument(help="Number of the rule, as listed."),
    valid_until: datetime = typer.Option(
        ..., "--until", formats=_DAY, help="First day on which it stands no more."
    ),
) -> None:
    """End a rule; a rule is ended once. What was invoiced stays."""
    with house(context) as env:
        ended = vat.end(env, rule_id, valid_until=valid_until.date())
    output_of(context).value(
        _row(ended),
        f"VAT rule {rule_id} ends, {ended.valid_until} is the first day without",
    )


@group.command()
def explain(
    context: typer.Context,
    seller: str = typer.Argument(help="Party id of whoever submits the SDRs."),
    buyer: str = typer.Argument(help="Party id of the home CSP."),
    place: str = typer.Option(..., help="Country of the EVSE: DE."),
    at: datetime | None = typer.Option(
        None, "--at", formats=_DAY, help="Day of the supply; else today."
    ),
) -> None:
    """Say how a supply is taxed and which rules fit; the first one counts."""
    with house(context) as env:
        on: date = env.clock.now().date() if at is None else at.date()
        found = vat.explain(env, seller, buyer, place=place, on=on)
    supply, treatment = found.supply, found.treatment
    value: Row = {
        "category": treatment.category.value,
        "rate": _percent(treatment.rate_bp),
        "reason_code": treatment.reason_code,
        "reason": treatment.reason,
        "rule": treatment.rule_id,
        "seller_country": supply.seller,
        "buyer_country": supply.buyer,
        "buyer_is_dealer": supply.is_dealer,
        "place": supply.place,
        "on": supply.on.isoformat(),
        "rules": [rule.rule_id for rule in found.fitting],
    }
    text = (
        f"{treatment.category} {_percent(treatment.rate_bp)} % {treatment.reason}\n"
        f"seller {supply.seller or 'without VAT id'}, buyer {supply.buyer}"
        f" ({'dealer' if supply.is_dealer else 'no dealer'}), place {supply.place},"
        f" {supply.on}\n"
        + (
            "rules that fit: " + ", ".join(str(one.rule_id) for one in found.fitting)
            if found.fitting
            else "no rule fits"
        )
    )
    output_of(context).value(value, text)
