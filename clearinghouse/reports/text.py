"""How values are written in documents: instants in UTC, amounts with all decimals."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from clearinghouse.domain.energy import WH_PER_KWH
from clearinghouse.domain.money import Currency, currency_of
from clearinghouse.domain.statements import Statement

#: Texts that are remembered as they were written: lines say the same again and again.
REMEMBERED_MAX = 8_192

# What spreadsheets begin a formula with; a tab or line break in front hides it.
_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_TO_QUOTE = re.compile('[",\r\n]')

_BP_PER_PERCENT = 100

#: Markup, and what XML 1.0 cannot hold at all (XML 1.0, 2.2).
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REPLACED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}


@lru_cache(REMEMBERED_MAX)
def escape(text: str) -> str:
    """Return a text as the content of an XML element."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _REPLACED.get(found.group(), "\ufffd"), text)


@lru_cache(REMEMBERED_MAX)
def cell(text: str) -> str:
    """Return a partner's text as one field of CSV: no formula, quoted where it must be.

    >>> cell("DE*ABC*E1"), cell("=1+1"), cell("a,b")
    ('DE*ABC*E1', "'=1+1", '"a,b"')
    """
    if _FORMULA.match(text):
        text = f"'{text}"
    if _TO_QUOTE.search(text):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text


def instant(at: datetime) -> str:
    """Return an instant in UTC, with a fraction only where there is one.

    >>> instant(datetime(2026, 11, 1, 12, 30, tzinfo=UTC))
    '2026-11-01T12:30:00Z'
    """
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat()[:-6] + "Z"


class AmountText:
    """Writes amounts of one currency with exactly its decimals.

    >>> from clearinghouse.domain.money import CURRENCIES
    >>> AmountText(CURRENCIES["EUR"])(-5), AmountText(CURRENCIES["JPY"])(1161)
    ('-0.05', '1161')
    """

    __slots__ = ("_digits", "_per_unit")

    def __init__(self, currency: Currency) -> None:
        self._digits = currency.exponent
        self._per_unit = currency.minor_per_unit

    def __call__(self, amount_minor: int) -> str:
        """Return the amount; integers only, for a statement has a million of them."""
        if not self._digits:
            return str(amount_minor)
        sign = "-" if amount_minor < 0 else ""
        units, minor = divmod(abs(amount_minor), self._per_unit)
        return f"{sign}{units}.{minor:0{self._digits}d}"


@lru_cache(REMEMBERED_MAX)
def percent(rate_bp: int) -> str:
    """Return a rate of VAT in percent with two decimals.

    >>> percent(1900), percent(810)
    ('19.00', '8.10')
    """
    whole, rest = divmod(rate_bp, _BP_PER_PERCENT)
    return f"{whole}.{rest:02d}"


def kwh(energy_wh: int) -> str:
    """Return an energy in kWh with all its Wh.

    >>> kwh(23_456), kwh(-7)
    ('23.456', '-0.007')
    """
    sign = "-" if energy_wh < 0 else ""
    whole, rest = divmod(abs(energy_wh), WH_PER_KWH)
    return f"{sign}{whole}.{rest:03d}"


def due_of(statement: Statement) -> list[tuple[str, str]]:
    """Return what is due with VAT, for people; nothing from before there was VAT."""
    if statement.gross_minor is None:
        return []
    amount = AmountText(currency_of(statement.currency))
    return [
        ("VAT (negative: to pay)", amount(statement.gross_minor - statement.net_minor)),
        ("Due with VAT (negative: to pay)", amount(statement.gross_minor)),
    ]


def shown_of(count: int, most: int) -> str:
    """Say how many of the lines are shown."""
    if count <= most:
        return f"All {count} lines"
    return f"The first {most} of {count} lines; the XML and CSV forms hold all of them"
