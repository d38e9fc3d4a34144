"""Verbs on billing profiles: set, show, list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime

import typer

from clearinghouse.cli.acting import OPERATOR_IF_NEEDED, acting
from clearinghouse.cli.approvals import waiting
from clearinghouse.cli.context import house, output_of
from clearinghouse.cli.output import Row
from clearinghouse.codes import ACCOUNT_FOUR_EYES
from clearinghouse.domain.approvals import Approval
from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import billing
from clearinghouse.services.environment import Environment

group = typer.Typer(
    no_args_is_help=True, help="Billing profiles: what invoices say of a party."
)

_PARTY = typer.Argument(help="Party id of a partner, or of this house: DEALF.")


def _row(profile: BillingProfile) -> Row:
    row = asdict(profile)
    row["party"] = row.pop("party_id")
    row["taxable_dealer"] = row.pop("is_taxable_dealer")
    row["valid_from"] = profile.valid_from.isoformat()
    return row


def _standing(found: billing.Standing) -> Row:
    profile = found.profile
    return {
        "party": found.party_id,
        "name": found.name if profile is None else profile.legal_name,
        "version": 0 if profile is None else profile.version,
        "country": "" if profile is None else profile.country,
        "vat_id": "" if profile is None else profile.vat_id or "",
        "taxable_dealer": profile is not None and profile.is_taxable_dealer,
        "lacks": ", ".join(found.gaps),
    }


@group.command(name="set")
def set_it(
    context: typer.Context,
    party_id: str = _PARTY,
    legal_name: str | None = typer.Option(
        None, help="Name in the commercial register."
    ),
    street: str | None = typer.Option(None, help="Street and number of the seat."),
    city: str | None = typer.Option(None),
    postcode: str | None = typer.Option(None),
    country: str | None = typer.Option(None, help="ISO 3166 code of the seat: DE."),
    vat_id: str | None = typer.Option(
        None, help="VAT id with its country: DE136695976."
    ),
    tax_number: str | None = typer.Option(None, help="Number at the tax office."),
    dealer: bool | None = typer.Option(
        None,
        "--dealer/--no-dealer",
        help="It buys electricity mainly to sell it again (taxable dealer).",
    ),
    iban: str | None = typer.Option(None, help="Account that is paid to."),
    bic: str | None = typer.Option(None, help="BIC of its bank."),
    email: str | None = typer.Option(None, help="Mailbox for invoices, of an office."),
    valid_from: datetime | None = typer.Option(
        None, "--from", formats=["%Y-%m-%d"], help="First day: 2027-01-01; else today."
    ),
    operator: str | None = OPERATOR_IF_NEEDED,
) -> None:
    """Store the next version of a party's billing profile.

    What is not given stays as in the version before; an empty text takes VAT id, tax
    number, IBAN or BIC away. A first account, or another than before, is asked for
    with --operator, and another operator approves it; the first two operators come in
    with ``clearinghouse operator add``.
    """
    options = {
        "legal_name": legal_name,
        "street": street,
        "city": city,
        "postcode": postcode,
        "country": country,
        "vat_id": vat_id,
        "tax_number": tax_number,
        "is_taxable_dealer": dealer,
        "iban": iban,
        "bic": bic,
        "contact_email": email,
    }
    given = {name: value for name, value in options.items() if value is not None}
    begins = None if valid_from is None else valid_from.date()
    with house(context) as env:
        done = _set(env, party_id, given, begins, operator)
    if isinstance(done, Approval):
        waiting(context, done)
        return
    text = (
        f"{done.party_id} {done.legal_name}: billing profile version"
        f" {done.version}, in force from {done.valid_from}"
    )
    output_of(context).value(_row(done), text)


def _set(
    env: Environment,
    party_id: str,
    given: Mapping[str, str | bool],
    begins: date | None,
    operator: str | None,
) -> BillingProfile | Approval:
    """Store the next version, or ask for it where that needs two operators."""
    try:
        return billing.set_profile(env, party_id, given, valid_from=begins)
    except ClearingHouseError as error:
        if error.code is not ACCOUNT_FOUR_EYES or operator is None:
            raise
    by = acting(env, operator)
    return billing.request_profile(env, by, party_id, given, valid_from=begins)


@group.command()
def show(context: typer.Context, party_id: str = _PARTY) -> None:
    """Show all versions of a party's billing profile, oldest first."""
    with house(context) as env:
        rows = [_row(found) for found in billing.versions(env, party_id)]
    output_of(context).rows("Billing profile", rows, empty="None.")


@group.command(name="list")
def list_them(context: typer.Context) -> None:
    """List the house and all partners with what their invoices lack."""
    with house(context) as env:
        rows = [_standing(found) for found in billing.standings(env)]
    output_of(context).rows("Billing profiles", rows, empty="None.")
