"""Party ids and operator ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.identifiers import operator_id, party_id
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)


@pytest.mark.parametrize("spelling", ["CHABC", "ch*abc", "CH-ABC", " CHABC "])
def test_spellings_of_one_party_have_one_form(spelling: str) -> None:
    assert party_id.validate(spelling) == "CHABC"
    assert operator_id.validate(spelling) == "CHABC"


def test_maps_a_din_operator_to_letters() -> None:
    assert operator_id.validate("+49*823") == "DE823"
    assert operator_id.format("+41*001") == "CH*001"


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ("CH*SUNNYCHARGE", InvalidLengthError, "registered id, not the name"),
        ("CH", InvalidLengthError, "has 0 characters"),
        ("C", InvalidComponentError, "two letters"),
        ("", InvalidComponentError, "two letters"),
        ("CH*A.C", InvalidFormatError, "letters and digits"),
        ("+49*82", InvalidFormatError, "three digits"),
        ("+1*823", InvalidComponentError, "no single country"),
    ],
)
def test_says_what_the_sender_must_change(
    wrong: str, error: type[IdentifierError], says: str
) -> None:
    with pytest.raises(error) as caught:
        operator_id.validate(wrong)

    assert says in caught.value.reason


@given(text=st.from_regex(r"\A[A-Z]{2}[A-Z0-9]{3}\Z"))
def test_canonical_ids_survive_spelling(text: str) -> None:
    assert party_id.validate(party_id.format(text)) == text
    assert operator_id.validate(operator_id.format(text)) == text
    assert party_id.is_valid(text)


@given(text=st.text(max_size=12))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    assert operator_id.is_valid(text) in (True, False)
    assert party_id.is_valid(text) in (True, False)
