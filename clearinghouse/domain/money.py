"""Money: integer minor units and a currency, micro-units for prices, one rounding.

Three scales, integers all: *minor* units (cents) for what is owed, *micro*-units
(1e-6 of the currency) for prices, *nano*-units (1e-9) between the two. Rounding is half
away from zero, so that a credit mirrors its original exactly. Exponents are ISO 4217's
own, pinned here: display libraries give ALL, RSD and IQD other digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

#: Decimal digits of a price: micro-units.
PRICE_DIGITS = 6
NANO_PER_UNIT = 10**9
NANO_PER_MICRO = 1000

#: Hundredths of a percent in the whole: a rate of VAT of 19 % is 1900 of them.
BASIS_POINTS = 10_000

#: The largest amount of one record, in minor units. It stops a slipped decimal point
#: from overflowing the sums of a window (64 bits hold nine million of these).
AMOUNT_MINOR_MAX = 10**12

_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD "
        "BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD "
        "EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
        "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK "
        "PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
        "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST "
        "XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency in circulation: its ISO 4217 code and number of decimals."""

    code: str
    exponent: int

    @property
    def minor_per_unit(self) -> int:
        """Minor units in one unit: 100 for EUR, 1 for JPY, 1000 for KWD."""
        return int(10**self.exponent)


CURRENCIES = MappingProxyType(
    {
        code: Currency(code, exponent)
        for exponent, text in _CODES_BY_EXPONENT.items()
        for code in text.split()
    }
)


class AmountError(ValueError):
    """A decimal text that is no amount of the currency; the message says why."""


def currency_of(code: str) -> Currency:
    """Return the currency with this ISO 4217 code.

    Raises :class:`AmountError` for a code that ISO 4217 does not list.
    """
    found = CURRENCIES.get(code)
    if found is None:
        raise AmountError(f"{code} is not a currency of ISO 4217")
    return found


def scaled_or_none(amount: Decimal, digits: int) -> int | None:
    """Return amount x 10^digits when that is a whole number, else ``None``.

    The bulk path judges the result as a rule instead of catching errors. A number that
    no exact product exists for (not finite, more than 28 digits) gives ``None`` too.
    """
    if not amount.is_finite() or amount.adjusted() > _ADJUSTED_MAX:
        return None
    scaled = amount.scaleb(digits)
    whole = int(scaled)
    return whole if whole == scaled else None


_ADJUSTED_MAX = 18


def minor_or_none(amount: Decimal, currency: Currency) -> int | None:
    """Return the amount in minor units; ``None`` when it has too many decimals."""
    return scaled_or_none(amount, currency.exponent)


def to_minor(amount: Decimal | str, currency: Currency) -> int:
    """Return a decimal amount in minor units.

    >>> to_minor("11.49", CURRENCIES["EUR"]), to_minor("0.354", CURRENCIES["KWD"])
    (1149, 354)

    Raises :class:`AmountError` when the amount is no number, is too large, or has more
    decimals than the currency, as ``EUR 1.005`` (S-104). Nothing is ever rounded here.
    """
    minor = minor_or_none(_decimal(amount), currency)
    if minor is None or abs(minor) > AMOUNT_MINOR_MAX:
        raise AmountError(
            f"{currency.code} has {currency.exponent} decimals and at most "
            f"{AMOUNT_MINOR_MAX} minor units in one amount"
        )
    return minor


def to_micro(amount: Decimal | str) -> int:
    """Return a price in micro-units.

    Raises :class:`AmountError` when it is no number or has more than six decimals.
    """
    micro = scaled_or_none(_decimal(amount), PRICE_DIGITS)
    if micro is None:
        raise AmountError(f"a price has at most {PRICE_DIGITS} decimals")
    return micro


def _decimal(amount: Decimal | str) -> Decimal:
    if isinstance(amount, Decimal):
        return amount
    try:
        return Decimal(amount)
    except InvalidOperation as error:
        raise AmountError("this is not a decimal number") from error


def divide_half_away(numerator: int, divisor: int) -> int:
    """Divide and round half away from zero; the divisor is positive.

    >>> divide_half_away(125, 10), divide_half_away(-125, 10), divide_half_away(124, 10)
    (13, -13, 12)
    """
    if numerator < 0:
        return -((-2 * numerator + divisor) // (2 * divisor))
    return (2 * numerator + divisor) // (2 * divisor)


def minor_to_decimal(amount_minor: int, currency: Currency) -> Decimal:
    """Return minor units as a decimal with exactly the currency's decimals."""
    return Decimal(amount_minor).scaleb(-currency.exponent)


def micro_to_decimal(price_u: int) -> Decimal:
    """Return micro-units as a decimal with six digits after the point."""
    return Decimal(price_u).scaleb(-PRICE_DIGITS)


def minor_text(amount_minor: int, currency: Currency) -> str:
    """Return minor units as text with exactly the currency's decimals.

    >>> minor_text(-1149, CURRENCIES["EUR"]), minor_text(1161, CURRENCIES["JPY"])
    ('-11.49', '1161')
    """
    return f"{minor_to_decimal(amount_minor, currency):f}"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units with its currency; currencies never add up silently."""

    amount_minor: int
    currency: Currency

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise AmountError(f"{self.currency.code} and {other.currency.code} differ")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"{self.currency.code} {minor_text(self.amount_minor, self.currency)}"
