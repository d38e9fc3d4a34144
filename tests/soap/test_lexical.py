"""What an expression takes, the schema takes: never more."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import Facets, SimpleType
from clearinghouse.soap.explain import Explainer
from clearinghouse.soap.facets import is_readable
from clearinghouse.soap.lexical import expression

CONTRACT = Contract.load()
EXPLAINER = Explainer(CONTRACT)
KINDS = {
    kind.name.rpartition("}")[2]: kind
    for kind in CONTRACT.model.types.values()
    if isinstance(kind, SimpleType) and kind.facets != Facets()
}
EXPRESSIONS = {
    name: re.compile(f"{found}</x>")
    for name, kind in KINDS.items()
    if (found := expression(kind)) is not None
}
INSTANT = "2026-02-28T12:34:56Z"


def fits(name: str, text: str) -> bool:
    """Say whether a text between two tags is taken without the schema."""
    if EXPRESSIONS[name].fullmatch(f"{text}</x>") is None:
        return False
    facets = KINDS[name].facets
    low, high = facets.min_inclusive, facets.max_inclusive
    if low is not None and int(text) < int(low):
        return False
    return high is None or int(text) <= int(high)


# Texts near to what types take: a value, or a part of one, repeated and altered.
NEAR = st.one_of(
    st.from_regex(r"\A[ -~]{0,70}\Z"),
    st.from_regex(r"\A[A-Z0-9a-f.:*\-]{0,130}\Z"),
    st.from_regex(r"\A[+\-]?[0-9]{0,20}(\.[0-9]{0,8})?\Z"),
    st.from_regex(
        r"\A(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
        r"(\.[0-9]{1,8})?(Z|[+\-][0-9]{2}:[0-9]{2})?\Z"
    ),
    st.text(max_size=12),
    *(
        st.from_regex(re.compile(rf"\A{pattern}\Z"))
        for kind in KINDS.values()
        for pattern in kind.facets.patterns
        if "{Cc}" not in pattern  # which Python does not know
    ),
    st.sampled_from(
        [value.value for kind in KINDS.values() for value in kind.facets.enumeration]
    ),
)


@pytest.mark.parametrize("name", EXPRESSIONS)
@given(text=NEAR)
@example(text="")
@example(text="2026-02-28T12:34:56+14:00")
@example(text="2026-02-28T12:34:56+13:59")
@example(text="2026-02-28T12:34:60Z")
@example(text="999999999")
@example(text="1234567890123.123456")
@example(text="a]]")
def test_value_that_fits_is_one_of_the_schemas(name: str, text: str) -> None:
    kind = KINDS[name]
    if fits(name, text) and is_readable(kind, text):
        assert EXPLAINER.accepts(kind, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UuidType", "9247378e-5376-4af2-adee-b019389acf41"),
        ("EvseIdReceivedType", "DE*AB7*E840*6487"),
        ("EvseIdReceivedType", "DE AB7 E840"),
        ("PartyIdType", "DEABC"),
        ("SdrIdType", "R-2026.1:7*"),
        ("InstantType", INSTANT),
        ("InstantType", "2026-02-28T12:34:56.123456+01:00"),
        ("EnergyWhType", "-23456"),
        ("AmountType", "-10.56"),
        ("CurrencyType", "EUR"),
        ("PartnerSessionIdType", "a'b\"c/d=e"),
    ],
)
def test_usual_values_fit(name: str, text: str) -> None:
    assert fits(name, text)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\P{Cc}{1,9}",
        r"[^\p{Cc}\p{Zl}]{1,9}",
        r"[a-z-[aeiou]]{1,9}",
        "a^b",
        r"\i\c*",
        ".{1,9}",
    ],
)
def test_pattern_that_is_not_understood_gives_no_expression(pattern: str) -> None:
    facets = Facets(patterns=(pattern,), min_length=1, max_length=9)

    assert expression(SimpleType(name="x", base="string", facets=facets)) is None


def test_value_with_markup_never_fits() -> None:
    facets = Facets(patterns=(r"[!-~\s]{1,9}",), min_length=1, max_length=9)
    found = expression(SimpleType(name="x", base="string", facets=facets))

    assert found is not None
    assert re.fullmatch(found, "a-b'")
    for sign in "<>&\t\n\r":
        assert re.fullmatch(found, f"a{sign}b") is None


def test_lengths_that_the_pattern_does_not_say_are_kept() -> None:
    facets = Facets(patterns=("[a-z]{1,9}",), min_length=2, max_length=4)
    found = expression(SimpleType(name="x", base="string", facets=facets))

    assert found is not None
    assert [bool(re.match(f"{found}<", "a" * n + "<")) for n in range(1, 6)] == [
        False,
        True,
        True,
        True,
        False,
    ]
