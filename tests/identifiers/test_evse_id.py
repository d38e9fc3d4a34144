"""EVSE ids: two forms, optional separators, one key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.identifiers import evse_id
from clearinghouse.identifiers.countries import COUNTRY_OF_CALLING_CODE
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHARACTERS = f"0123456789{LETTERS}"
OUTLETS = st.from_regex(r"\A[A-Z0-9]([*]?[A-Z0-9]){0,14}\Z")
PARTS = st.tuples(
    st.text(LETTERS, min_size=2, max_size=2),
    st.text(CHARACTERS, min_size=3, max_size=3),
    OUTLETS,
)


@pytest.mark.clause("3.3")
@pytest.mark.parametrize(
    "spelling",
    [
        "DE*823*E1234*5678",
        "de*823*e1234*5678",
        "DE823E12345678",
        "DE823*E1234*5678",
        "+49*823*1234*5678",
        "49*823*1234*5678",
        "  DE*823*E1234*5678\n",
    ],
)
def test_spellings_of_one_evse_have_one_key(spelling: str) -> None:
    parsed = evse_id.parse(spelling)

    assert parsed.key == "DE823E12345678"
    assert (parsed.country, parsed.operator) == ("DE", "DE823")


def test_din_form_maps_digit_by_digit() -> None:
    assert evse_id.parse("+49*823*1234*5678") == evse_id.parse("DE*823*E1234*5678")
    assert evse_id.format("+41*123*7*8*9") == "CH*123*E7*8*9"


def test_outlet_may_begin_with_the_letter_e() -> None:
    parsed = evse_id.parse("CH*ABC*EE50076")

    assert parsed.key == "CHABCEE50076"
    assert parsed.outlet == "E50076"


def test_outlet_divided_differently_is_ambiguous() -> None:
    one, other = evse_id.parse("DE*ABC*E1*23"), evse_id.parse("DE*ABC*E12*3")

    assert one.key == other.key
    assert evse_id.is_ambiguous(one, other)
    assert evse_id.is_ambiguous(other, one)


@pytest.mark.parametrize("second", ["DE*ABC*E1*23", "DEABCE1*23", "DEABCE123"])
def test_other_spelling_of_the_same_evse_is_not_ambiguous(second: str) -> None:
    first = evse_id.parse("DE*ABC*E1*23")

    assert not evse_id.is_ambiguous(first, evse_id.parse(second))


def test_different_evses_are_not_ambiguous() -> None:
    first, second = evse_id.parse("DE*ABC*E1*23"), evse_id.parse("DE*ABC*E1*24")

    assert not evse_id.is_ambiguous(first, second)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ("", InvalidLengthError, "empty"),
        ("CHEABCE16970", InvalidFormatError, "write CH*ABC*E16970"),
        ("CH*ABC*088*01*1", InvalidFormatError, "write CH*ABC*E088*01*1"),
        ("CH-ABC-E088", InvalidFormatError, "use * as separator"),
        ("CH*ABC*E 088", InvalidFormatError, "blank"),
        ("CH*ABC*E0.1", InvalidFormatError, "letters, digits and *"),
        ("1", InvalidFormatError, "write a DIN id as"),
        ("+49*82*1", InvalidFormatError, "write a DIN id as"),
        ("+49*823", InvalidFormatError, "write a DIN id as"),
        ("+1*823*5", InvalidComponentError, "no single country"),
        ("C1*ABC*E1", InvalidComponentError, "two letters of the country"),
        ("CH*A*E1", InvalidComponentError, "three letters or digits"),
        ("CH*ABC", InvalidLengthError, "missing"),
        ("CH*ABC*E", InvalidLengthError, "missing"),
        ("CH*ABC*E*1", InvalidFormatError, "after the letter E"),
        ("CH*ABC*E" + "1" * 32, InvalidLengthError, "may have 31"),
        ("CH*ABC**1", InvalidFormatError, "put the letter E"),
    ],
)
def test_says_what_the_sender_must_change(
    wrong: str, error: type[IdentifierError], says: str
) -> None:
    with pytest.raises(error) as caught:
        evse_id.parse(wrong)

    assert says in caught.value.reason
    assert caught.value.expected


def test_what_it_proposes_is_valid() -> None:
    for wrong in ("CHEABCE16970", "CH*ABC*088*01*1", "CHABC12"):
        with pytest.raises(IdentifierError) as caught:
            evse_id.parse(wrong)

        assert evse_id.is_valid(caught.value.reason.rpartition("write ")[2])


def test_longest_outlet_is_accepted() -> None:
    assert evse_id.is_valid("CH*ABC*E" + "1" * evse_id.OUTLET_MAX)


@given(parts=PARTS)
def test_parts_survive_spelling_and_parsing(parts: tuple[str, str, str]) -> None:
    country, operator, outlet = parts
    spaced = f"{country}*{operator}*E{outlet}"

    parsed = evse_id.parse(spaced)

    assert parsed.spaced == spaced
    assert parsed.key == spaced.replace("*", "")
    assert evse_id.parse(parsed.key).key == parsed.key
    assert evse_id.parse(spaced.lower()) == parsed


@given(
    code=st.sampled_from(sorted(COUNTRY_OF_CALLING_CODE)),
    operator=st.from_regex(r"\A[0-9]{3}\Z"),
    outlet=st.from_regex(r"\A[0-9]([*]?[0-9]){0,9}\Z"),
)
def test_every_din_id_is_an_iso_id(code: str, operator: str, outlet: str) -> None:
    parsed = evse_id.parse(f"+{code}*{operator}*{outlet}")

    country = COUNTRY_OF_CALLING_CODE[code]
    assert parsed == evse_id.parse(f"{country}*{operator}*E{outlet}")


@given(text=st.text(alphabet=st.characters(max_codepoint=255), max_size=64))
def test_any_text_is_parsed_or_refused_with_a_reason(text: str) -> None:
    try:
        spaced = evse_id.parse(text).spaced
        reason = ""
    except IdentifierError as error:
        spaced = ""
        reason = error.reason

    assert bool(spaced) is not bool(reason)
    assert not spaced or evse_id.format(spaced) == spaced
