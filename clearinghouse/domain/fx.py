"""Foreign exchange: reference rates, agreed settlement currencies, conversion (2.6).

Positions are per currency and nothing is converted unless two participants agreed it.
What is converted is the balance between the two, once, and never a single SDR. Rates
are written as a central bank publishes them: units of the currency for one euro.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from clearinghouse.domain.money import currency_of, divide_half_away

#: The currency that rates are told against.
BASE = "EUR"

#: One unit of the base in micro-units: its own rate.
BASE_RATE_U = 1_000_000

#: The highest rate that is taken for one. It stops a slip of the decimal point.
RATE_U_MAX = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So much of a currency for one euro on a day, in micro-units.

    A rate that is put again for the same day is its next version.
    """

    currency: str
    day: date
    rate_u: int
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is owed in one currency is settled in another, from a day on.

    For the two parties, in order of their ids; with ``other`` empty for ``party`` and
    everybody who chose the same. Back to the same currency ends it.
    """

    party: str
    other: str
    from_currency: str
    to_currency: str
    valid_from: date
    choice_id: int = 0


def convert(
    amount_minor: int, from_currency: str, to_currency: str, rates: Mapping[str, int]
) -> int:
    """Return an amount in minor units of another currency, rounded once.

    ``rates`` in micro-units for one euro; from one currency to another both are used,
    and nothing is rounded in between.

    >>> rates = {"SEK": 11_234_500}
    >>> convert(1_234_56, "SEK", "EUR", rates)
    10989

    Raises :class:`KeyError` for a currency without a rate.
    """
    numerator = _rate(to_currency, rates) * currency_of(to_currency).minor_per_unit
    divisor = _rate(from_currency, rates) * currency_of(from_currency).minor_per_unit
    return divide_half_away(amount_minor * numerator, divisor)


def _rate(currency: str, rates: Mapping[str, int]) -> int:
    return BASE_RATE_U if currency == BASE else rates[currency]


def settled_in(
    choices: Iterable[Choice], pair: tuple[str, str], currency: str, on: date
) -> str:
    """Return the currency in which two settle what is owed in ``currency``.

    Their own choice counts; else that of each alone, where both are the same; else
    nothing is converted.
    """
    first, second = sorted(pair)
    newest: dict[tuple[str, str], Choice] = {}
    for choice in sorted(choices, key=lambda one: (one.valid_from, one.choice_id)):
        if choice.from_currency == currency and choice.valid_from <= on:
            newest[choice.party, choice.other] = choice
    own = newest.get((first, second))
    if own is not None:
        return own.to_currency
    alone = {
        newest[one, ""].to_currency if (one, "") in newest else currency
        for one in (first, second)
    }
    return alone.pop() if len(alone) == 1 else currency
