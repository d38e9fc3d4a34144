"""The ledger as beancount text, read back by a small parser of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.ledger import LedgerEntry
from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.reports.beancount import BeancountWriter, account

AT = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
LEG = re.compile(r"  (Liabilities(?::[A-Z0-9][A-Za-z0-9-]*)+)  (-?[0-9.]+) ([A-Z]{3})")
BALANCE = re.compile(r"[0-9-]{10} balance (\S+) (-?[0-9.]+) ([A-Z]{3})")
OPEN = re.compile(r"[0-9-]{10} open (\S+) ([A-Z,]+)")

Sums = dict[tuple[str, str], Decimal]


def read(text: str) -> tuple[Sums, Sums, set[tuple[str, str]]]:
    """Return what the legs add up to, what the file claims, and what is opened.

    Fails when a transaction does not balance.
    """
    sums: Sums = defaultdict(Decimal)
    claimed: Sums = {}
    opened = set()
    for block in text.split("\n\n"):
        legs = [LEG.fullmatch(line) for line in block.splitlines()]
        found = [leg for leg in legs if leg]
        assert sum(Decimal(leg[2]) for leg in found) == 0
        for leg in found:
            sums[leg[1], leg[3]] += Decimal(leg[2])
        for line in block.splitlines():
            if match := BALANCE.fullmatch(line):
                claimed[match[1], match[3]] = Decimal(match[2])
            if match := OPEN.fullmatch(line):
                opened |= {(match[1], currency) for currency in match[2].split(",")}
    return sums, claimed, opened


def write(entries: list[LedgerEntry]) -> str:
    """Write a whole ledger."""
    balances: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        balances[entry.debit_account, entry.currency] -= entry.amount_minor
        balances[entry.credit_account, entry.currency] += entry.amount_minor
    writer = BeancountWriter('The "House"')
    rows = [(*key, minor) for key, minor in sorted(balances.items())]
    parts = [
        writer.head(key[:2] for key in rows),
        writer.entries(entries),
        writer.foot(rows, on=date(2026, 12, 2)),
    ]
    return b"".join(parts).decode()


def make_entry(
    number: int = 1,
    amount_minor: int = 1149,
    currency: str = "EUR",
    debit: str = "P:DEABC:PAY",
    credit: str = "P:CHREP:RECV",
) -> LedgerEntry:
    return LedgerEntry(
        f"W1:{number}:ACCEPT", AT, debit, credit, currency, amount_minor, "ACCEPT"
    )


def test_ledger_is_written_as_beancount_reads_it() -> None:
    assert write([make_entry()]) == (
        'option "title" "Ledger of The \\"House\\""\n\n'
        "2000-01-01 open Liabilities:P:CHREP:RECV EUR\n"
        "2000-01-01 open Liabilities:P:DEABC:PAY EUR\n"
        '\n2026-12-01 * "ACCEPT"\n'
        '  posting: "W1:1:ACCEPT"\n'
        "  Liabilities:P:DEABC:PAY  11.49 EUR\n"
        "  Liabilities:P:CHREP:RECV  -11.49 EUR\n"
        "\n2026-12-02 balance Liabilities:P:CHREP:RECV -11.49 EUR\n"
        "2026-12-02 balance Liabilities:P:DEABC:PAY 11.49 EUR\n"
    )


@pytest.mark.parametrize(
    ("currency", "text"), [("JPY", " 1149 JPY"), ("KWD", " 1.149 KWD")]
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, text: str) -> None:
    assert text in write([make_entry(currency=currency)])


NAMES = st.sampled_from(["P:DEABC:POS", "P:CHREP:POS", "CH:CLEARING", "HUB:POS"])


@given(
    st.lists(
        st.builds(
            make_entry,
            st.integers(1, 9),
            st.integers(1, 10**15),
            st.sampled_from(["EUR", "JPY", "KWD", "SEK"]),
            NAMES,
            NAMES,
        ),
        max_size=30,
    )
)
def test_every_transaction_balances_and_every_balance_is_the_sum(
    entries: list[LedgerEntry],
) -> None:
    sums, claimed, opened = read(write(entries))

    assert sums == claimed
    assert opened == set(claimed)
    for currency in {entry.currency for entry in entries}:
        total = sum(value for (_, unit), value in sums.items() if unit == currency)
        assert total == 0
    expected: dict[str, int] = defaultdict(int)
    for entry in entries:
        expected[entry.currency] += entry.amount_minor
    for entry in entries:
        key = account(entry.debit_account), entry.currency
        bound = minor_to_decimal(expected[entry.currency], currency_of(entry.currency))
        assert abs(claimed[key]) <= bound
