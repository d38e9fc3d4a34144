"""The ledger as beancount text: a second program can add it up and find it balanced.

Each posting is a transaction of two legs, each account a name below ``Liabilities``:
credit less debit of the house's ledger is what the house owes, a liability of beancount
with the sign turned. Amounts have exactly the decimals of their currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date

from clearinghouse.domain.ledger import LedgerEntry
from clearinghouse.domain.money import currency_of
from clearinghouse.reports.text import AmountText

_ROOT = "Liabilities"
#: Accounts are opened on a day before every posting; beancount wants that.
OPENED_ON = date(2000, 1, 1)


def account(name: str) -> str:
    """Return an account of the ledger in the words of beancount.

    >>> account("P:DEABC:POS"), account("CH:CLEARING")
    ('Liabilities:P:DEABC:POS', 'Liabilities:CH:CLEARING')
    """
    return f"{_ROOT}:{name}"


class BeancountWriter:
    """Writes a ledger: head, batches of entries in order of time, foot."""

    def __init__(self, house: str) -> None:
        self._house = house

    def head(self, accounts: Iterable[tuple[str, str]]) -> bytes:
        """Return the title and the accounts; pairs of account and currency, sorted."""
        currencies: dict[str, list[str]] = {}
        for name, currency in accounts:
            currencies.setdefault(name, []).append(currency)
        lines = [f'option "title" {_quoted(f"Ledger of {self._house}")}\n\n']
        lines += [
            f"{OPENED_ON:%Y-%m-%d} open {account(name)} {','.join(found)}\n"
            for name, found in currencies.items()
        ]
        return "".join(lines).encode()

    def entries(self, batch: Iterable[LedgerEntry]) -> bytes:
        """Return the next postings."""
        return "".join(_transaction(entry) for entry in batch).encode()

    def foot(self, balances: Iterable[tuple[str, str, int]], on: date) -> bytes:
        """Return what each account must hold on the morning of a day.

        ``balances`` are account, currency and credit less debit in minor units. The
        day is after the last posting: beancount compares before the first of the day.
        """
        lines = "".join(
            f"{on:%Y-%m-%d} balance {account(name)} "
            f"{AmountText(currency_of(currency))(-minor)} {currency}\n"
            for name, currency, minor in balances
        )
        return f"\n{lines}".encode()


def _transaction(entry: LedgerEntry) -> str:
    amount = AmountText(currency_of(entry.currency))
    day = entry.posted_at.astimezone(UTC).date()
    return (
        f"\n{day:%Y-%m-%d} * {_quoted(entry.code)}\n"
        f"  posting: {_quoted(entry.posting_key)}\n"
        f"  {account(entry.debit_account)}  {amount(entry.amount_minor)} "
        f"{entry.currency}\n"
        f"  {account(entry.credit_account)}  {amount(-entry.amount_minor)} "
        f"{entry.currency}\n"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
