"""A committed run whose participants and house have accounts at banks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearinghouse.domain.reconciliation import BankEntry, BankStatement
from tests.builders import NOW
from tests.fixtures.operators import set_account

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.services.run_world import RunWorld

#: Accounts with check digits that fit.
IBANS = {
    "CHCLR": "DE89370400440532013000",
    "DEAAA": "DE75512108001245126199",
    "DEBBB": "FR1420041010050500013M02606",
    "DECCC": "NL91ABNA0417164300",
    "DEDDD": "AT611904300234573201",
}
ACCOUNT = IBANS["CHCLR"]


def open_accounts(env: Environment, *but: str) -> None:
    """Store a billing profile with an account of each but some."""
    for party_id, iban in IBANS.items():
        if party_id in but:
            continue
        set_account(
            env,
            party_id,
            {
                "legal_name": f"Säulen {party_id} GmbH",
                "street": "Ladeweg 1",
                "city": "Köln",
                "postcode": "50667",
                "country": "DE",
                "contact_email": "billing@abc.example",
                "tax_number": "214/5733/0158",
                "iban": iban,
            },
        )


def committed(four: RunWorld) -> int:
    """Close the worked matrix and commit a run of it; return its number."""
    four.close_with()
    run = four.propose()
    four.advance(run.run_id)
    return run.run_id


def make_entry(
    end_to_end_id: str,
    amount_minor: int,
    *,
    reference: str = "B-1",
    is_credit: bool = True,
    is_return: bool = False,
    currency: str = "EUR",
) -> BankEntry:
    """Make an entry on the house's account."""
    return BankEntry(
        reference, end_to_end_id, currency, amount_minor, is_credit, is_return, NOW
    )


def make_statement(*entries: BankEntry, statement_id: str = "S-1") -> BankStatement:
    """Make a statement of the house's account."""
    return BankStatement(
        statement_id=statement_id, account=ACCOUNT, created_at=NOW, entries=entries
    )
