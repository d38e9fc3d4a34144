"""Check digits against vectors that were computed independently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.identifiers import check_digit
from clearinghouse.identifiers.errors import InvalidFormatError, InvalidLengthError

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("text", "digit"),
    [
        ("NN123ABCDEFGHI", "T"),
        ("FRXYZ123456789", "2"),
        ("ITA1B2C3E4F5G6", "4"),
        ("ESZU8WOX834H1D", "R"),
        ("PT73902837ABCZ", "Z"),
        ("DE83DUIEN83QGZ", "D"),
        ("DE83DUIEN83ZGQ", "M"),
        ("DE8AA001234567", "0"),
        ("NLTNM000122045", "U"),
        ("NLTNMC00122045", "K"),
    ],
)
def test_computes_the_iso_check_digit(text: str, digit: str) -> None:
    assert check_digit.iso(text) == digit


@pytest.mark.parametrize(
    ("text", "digit"),
    [("INTNM000071", "9"), ("INTNM000110", "X"), ("NLTNM012204", "5")],
)
def test_computes_the_din_check_digit(text: str, digit: str) -> None:
    assert check_digit.din(text) == digit


@pytest.mark.parametrize("compute", [check_digit.iso, check_digit.din])
def test_refuses_another_length(compute: object) -> None:
    assert callable(compute)
    with pytest.raises(InvalidLengthError):
        compute("NN123")


def test_refuses_small_letters_and_signs() -> None:
    with pytest.raises(InvalidFormatError):
        check_digit.iso("nn123ABCDEFGHI")
    with pytest.raises(InvalidFormatError):
        check_digit.din("INTNM-00071")


@given(
    text=st.text(CHARACTERS, min_size=14, max_size=14),
    place=st.integers(0, 13),
    other=st.sampled_from(CHARACTERS),
)
def test_one_wrong_character_changes_the_iso_digit(
    text: str, place: int, other: str
) -> None:
    changed = text[:place] + other + text[place + 1 :]

    same = check_digit.iso(changed) == check_digit.iso(text)

    assert same is (changed == text)


@given(text=st.text(CHARACTERS, min_size=14, max_size=14), place=st.integers(0, 12))
def test_two_swapped_characters_change_the_iso_digit(text: str, place: int) -> None:
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]

    same = check_digit.iso(swapped) == check_digit.iso(text)

    assert same is (swapped == text)
