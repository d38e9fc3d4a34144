"""What the demo's partners and its house put on invoices: seats, VAT ids, accounts.

All of it is made up; the check digits are right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clearinghouse.cli.demo import desk
from clearinghouse.cli.demo.crew import OPERATOR, SECOND_OPERATOR
from clearinghouse.services import approvals, billing
from clearinghouse.services.approved_actions import EXECUTORS

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment

_SEATS = {
    "AT": ("Ringstrasse 1", "Wien", "1010"),
    "CH": ("Bundesplatz 3", "Bern", "3003"),
    "DE": ("Königsplatz 7", "Kassel", "34117"),
    "NL": ("Oudegracht 5", "Utrecht", "3511 AA"),
}

#: VAT id and bank account of each partner, and of the house.
_OFFICES = {
    "DEALF": ("DE100000008", "DE50100000000000000001"),
    "DEECH": ("DE200000005", "DE23100000000000000002"),
    "NLBRA": ("NL001000007B01", "NL58ABNA0000000001"),
    "NLFOX": ("NL002000003B01", "NL31ABNA0000000002"),
    "ATHOT": ("ATU10000005", "AT851200000000000001"),
    "CHCHA": ("CHE100000006MWST", "CH8000700000000000001"),
    "CHDEL": ("CHE110000002MWST", "CH5300700000000000002"),
    "CHGOL": ("CHE120000009MWST", "CH2600700000000000003"),
}
_HOUSE_VAT_ID = "CHE130000005MWST"
_HOUSE_ACCOUNT = "CH9600700000000000004"


def open_all(env: Environment, secrets: Mapping[str, str]) -> None:
    """Give each partner and the house a billing profile, unless it has one.

    Each has an account, so that one operator asks for it and another one approves.
    """
    for standing in billing.standings(env):
        if standing.profile is not None:
            continue
        party_id = standing.party_id
        offices = _OFFICES.get(party_id, (_HOUSE_VAT_ID, _HOUSE_ACCOUNT))
        vat_id, account = offices
        country = vat_id[:2]
        street, city, postcode = _SEATS[country]
        asked = billing.request_profile(
            env,
            desk.operator(env, secrets, OPERATOR),
            party_id,
            {
                "legal_name": standing.name,
                "street": street,
                "city": city,
                "postcode": postcode,
                "country": country,
                "contact_email": f"billing@{party_id.lower()}.example",
                "vat_id": vat_id,
                "is_taxable_dealer": True,
                "iban": account,
            },
        )
        second = desk.operator(env, secrets, SECOND_OPERATOR)
        approvals.approve(env, second, asked.approval_id, EXECUTORS)
