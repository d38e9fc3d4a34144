"""Contract ids: three spellings, one key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.identifiers import check_digit, contract_id
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidCheckDigitError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHARACTERS = f"0123456789{LETTERS}"

KEYS = st.builds(
    "".join,
    st.tuples(
        st.text(LETTERS, min_size=2, max_size=2),
        st.text(CHARACTERS, min_size=12, max_size=12),
    ),
)


@pytest.mark.parametrize(
    "spelling",
    [
        "NN-123-ABCDEFGHI-T",
        "NN-123-ABCDEFGHI",
        "NN123ABCDEFGHIT",
        "nn123abcdefghi",
        " NN*123*ABCDEFGHI*T ",
    ],
)
def test_spellings_of_one_contract_have_one_key(spelling: str) -> None:
    assert contract_id.validate(spelling) == "NN123ABCDEFGHI"


def test_maps_the_din_form_to_the_iso_form() -> None:
    contract = contract_id.parse("NL-TNM-012204-5")

    assert contract.spaced == "NL-TNM-000122045-U"
    assert contract.provider == "NLTNM"
    assert contract_id.parse("NL-TNM-000122045-U").key == contract.key


def test_computes_a_din_check_digit_that_is_left_out() -> None:
    assert contract_id.validate("NL*TNM*012204") == "NLTNM000122045"


def test_maps_the_din_form_to_the_emi3_form() -> None:
    assert contract_id.to_emi3("NL-TNM-012204-5") == "NL-TNM-C00122045-K"
    with pytest.raises(InvalidFormatError):
        contract_id.to_emi3("NN-123-ABCDEFGHI-T")


@pytest.mark.parametrize("wrong", ["DE-8AA-CA2B3C4D5-N", "DE-8AA-00123A563-N"])
def test_refuses_printed_examples_whose_check_digit_does_not_fit(wrong: str) -> None:
    with pytest.raises(InvalidCheckDigitError):
        contract_id.validate(wrong)


@pytest.mark.parametrize("right", ["DE-8AA-CA2B3C4D5-L", "DE-8AA-00123A563-M"])
def test_accepts_them_with_the_right_check_digit(right: str) -> None:
    assert contract_id.is_valid(right)


def test_refuses_a_wrong_din_check_digit() -> None:
    with pytest.raises(InvalidCheckDigitError):
        contract_id.validate("IN-TNM-000110-1")

    assert contract_id.is_valid("IN-TNM-000110-X")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("", InvalidComponentError),
        ("NN-123-ABC", InvalidLengthError),
        ("12-123-ABCDEFGHI", InvalidComponentError),
        ("NN-123-ABCDEFGH_", InvalidFormatError),
        ("NN-12-3ABCDEFGHI-T", InvalidFormatError),
        ("NN-123-ABCDEFGHÄ", InvalidFormatError),
    ],
)
def test_says_what_is_wrong_without_repeating_the_value(
    wrong: str, error: type[IdentifierError]
) -> None:
    with pytest.raises(error) as caught:
        contract_id.validate(wrong)

    texts = (caught.value.reason, caught.value.expected, caught.value.found)
    assert not wrong or all(wrong not in text for text in texts)


@given(key=KEYS)
def test_key_survives_spelling_and_parsing(key: str) -> None:
    contract = contract_id.parse(key)

    assert contract.key == key
    assert contract_id.parse(contract.spaced) == contract
    assert contract_id.parse(contract_id.compact(contract.spaced)) == contract


@given(key=KEYS, digit=st.sampled_from(CHARACTERS))
def test_only_one_check_digit_is_accepted(key: str, digit: str) -> None:
    assert contract_id.is_valid(key + digit) is (digit == check_digit.iso(key))


@given(text=st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        key = contract_id.parse(text).key
    except IdentifierError:
        return

    assert len(key) == check_digit.ISO_LENGTH
