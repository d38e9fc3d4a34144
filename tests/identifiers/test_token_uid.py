"""UIDs of RFID cards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.identifiers import token_uid
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)


@pytest.mark.parametrize("spelling", ["04a1b2c3", "04:A1:B2:C3", "04 a1-b2 c3"])
def test_spellings_of_one_uid_have_one_form(spelling: str) -> None:
    assert token_uid.validate(spelling) == "04A1B2C3"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("", InvalidLengthError),
        ("4A1B2C3", InvalidLengthError),
        ("0004A1B2C3", InvalidLengthError),
        ("04A1B2G3", InvalidFormatError),
        ("04A1B2C3Ä", InvalidFormatError),
    ],
)
def test_refuses_without_repeating_the_value(
    wrong: str, error: type[IdentifierError]
) -> None:
    with pytest.raises(error) as caught:
        token_uid.validate(wrong)

    assert not wrong or wrong not in f"{caught.value} {caught.value.found}"


def test_random_uid_cannot_be_listed_but_can_be_presented() -> None:
    assert token_uid.is_valid("08A1B2C3")
    with pytest.raises(InvalidComponentError):
        token_uid.validate_listable("08:a1:b2:c3")


def test_long_uid_that_begins_with_08_is_not_random() -> None:
    assert token_uid.validate_listable("08A1B2C3D4E580") == "08A1B2C3D4E580"


@given(
    uid=st.sampled_from([4, 7, 10]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
)
def test_bytes_survive_spelling(uid: bytes) -> None:
    text = uid.hex()

    assert token_uid.validate(text) == text.upper()
    assert token_uid.validate(token_uid.format(text)) == text.upper()
