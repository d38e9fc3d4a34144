"""Errors on the wire: one total table by kind."""

from __future__ import annotations

import pytest

from clearinghouse import codes
from clearinghouse.codes import CATALOGUE, Code, Kind
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.facades.iec63119.faults import WIRE_OF_KIND, fault_of, is_fault
from clearinghouse.services.gate import TooManyError


def test_table_has_every_kind() -> None:
    assert set(WIRE_OF_KIND) == set(Kind)


@pytest.mark.parametrize("code", CATALOGUE.values(), ids=lambda one: one.name)
def test_codes_from_800_are_faults_and_all_others_answers(code: Code) -> None:
    # A proof that fails is told to the operator; a partner learns that we are broken.
    if code in {codes.PROOF_FAILED, codes.RUN_PROOF, codes.SEAL_BROKEN}:
        assert is_fault(code)
    else:
        assert is_fault(code) == (code.number >= 800)


def test_detail_goes_to_the_log_and_items_to_the_fault() -> None:
    item = Item(code=codes.SEMANTIC, index=3, path="a/b", expected="x", found="y")
    error = ClearingHouseError(codes.SEMANTIC, "what only we know", (item,))

    fault = fault_of(error)

    assert fault.code is codes.SEMANTIC
    assert fault.detail == "what only we know"
    (told,) = fault.items
    assert (told.index, told.path, told.expected, told.found) == (3, "a/b", "x", "y")
    assert told.text == codes.SEMANTIC.text


def test_item_of_a_fault_holds_no_character_that_nobody_sees() -> None:
    item = Item(code=codes.SEMANTIC, path="a\x00b", expected="\u202e", found="y\u2028z")

    (told,) = fault_of(ClearingHouseError(codes.SEMANTIC, items=(item,))).items

    assert (told.path, told.expected, told.found) == ("a b", " ", "y z")


def test_rate_says_when_to_come_again() -> None:
    assert fault_of(TooManyError(17)).retry_after_seconds == 17
    assert fault_of(ClearingHouseError(codes.TOKEN)).retry_after_seconds is None
