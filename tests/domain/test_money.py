"""Money: exact, and rounded in one way."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.money import (
    AMOUNT_MINOR_MAX,
    CURRENCIES,
    AmountError,
    Currency,
    Money,
    currency_of,
    divide_half_away,
    micro_to_decimal,
    minor_or_none,
    minor_text,
    minor_to_decimal,
    to_micro,
    to_minor,
)

EUR, JPY, KWD = CURRENCIES["EUR"], CURRENCIES["JPY"], CURRENCIES["KWD"]
ANY_CURRENCY = st.sampled_from(sorted(CURRENCIES.values(), key=lambda c: c.code))


@pytest.mark.parametrize(
    ("code", "exponent"),
    [
        ("EUR", 2),
        ("HUF", 2),
        ("JPY", 0),
        ("KWD", 3),
        ("ALL", 2),
        ("RSD", 2),
        ("IQD", 3),
    ],
)
def test_exponents_are_those_of_iso_4217(code: str, exponent: int) -> None:
    assert currency_of(code).exponent == exponent


def test_refuses_a_code_that_is_no_currency() -> None:
    with pytest.raises(AmountError):
        currency_of("EURO")


@pytest.mark.parametrize(
    ("text", "code", "minor"),
    [("11.49", "EUR", 1149), ("11.490000", "EUR", 1149), ("1161", "JPY", 1161)],
)
def test_reads_amounts_in_minor_units(text: str, code: str, minor: int) -> None:
    assert to_minor(text, currency_of(code)) == minor
    assert to_minor(Decimal(text), currency_of(code)) == minor


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.005", "EUR"),
        ("1.5", "JPY"),
        ("0.0005", "KWD"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("1e30", "EUR"),
        ("ten", "EUR"),
        ("10000000000.01", "EUR"),
    ],
)
def test_refuses_what_is_no_amount_of_the_currency(text: str, code: str) -> None:
    with pytest.raises(AmountError):
        to_minor(text, currency_of(code))


def test_reads_prices_with_six_decimals_and_no_more() -> None:
    assert to_micro("0.0455") == 45_500
    with pytest.raises(AmountError):
        to_micro("0.0000001")


@pytest.mark.parametrize(
    ("numerator", "divisor", "rounded"),
    [
        (125, 10, 13),  # half away from zero, not to even
        (-125, 10, -13),
        (124_999_999, 10_000_000, 12),
    ],
)
def test_rounds_half_away_from_zero(numerator: int, divisor: int, rounded: int) -> None:
    assert divide_half_away(numerator, divisor) == rounded


def test_currencies_never_add_up() -> None:
    with pytest.raises(AmountError):
        Money(1, EUR) + Money(1, JPY)

    assert Money(150, EUR) + -Money(50, EUR) == Money(100, EUR)
    assert str(Money(-1149, EUR)) == "EUR -11.49"


@given(st.integers(-(10**24), 10**24), st.integers(1, 10**12))
def test_rounding_agrees_with_decimal(numerator: int, divisor: int) -> None:
    exact = Decimal(numerator).scaleb(0)
    whole, rest = divmod(abs(numerator), divisor)
    expected = whole + (2 * rest >= divisor)

    rounded = divide_half_away(numerator, divisor)

    assert rounded == (expected if exact >= 0 else -expected)


@given(st.integers(-(10**15), 10**15))
def test_rounding_to_cents_agrees_with_half_up_of_decimal(nano: int) -> None:
    exact = Decimal(nano).scaleb(-9)

    cents = exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    assert minor_to_decimal(divide_half_away(nano, 10**7), EUR) == cents


@given(st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX), ANY_CURRENCY)
def test_amounts_survive_being_written_and_read(minor: int, currency: Currency) -> None:
    assert to_minor(minor_text(minor, currency), currency) == minor


@given(st.decimals(allow_nan=True, allow_infinity=True), ANY_CURRENCY)
def test_any_decimal_is_read_exactly_or_not_at_all(
    amount: Decimal, currency: Currency
) -> None:
    minor = minor_or_none(amount, currency)

    assert minor is None or minor_to_decimal(minor, currency) == amount


@given(st.integers(0, 10**12))
def test_prices_survive_being_written_and_read(price_u: int) -> None:
    assert to_micro(micro_to_decimal(price_u)) == price_u
