"""Words of the wire and words of the domain: total each way."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.contract.model import SimpleType
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.facades.iec63119.vocabulary import (
    CREDENTIAL_STATUS,
    VOCABULARIES,
    Vocabulary,
)

if TYPE_CHECKING:
    from clearinghouse.contract.catalogue import Contract

#: Word lists of the contract that no enumeration of the domain stands for, and why.
WITHOUT_DOMAIN = {
    "authorization:RequestedServiceType": "one word, read by nobody yet",
    "common:BalanceRoleType": "stands in statements, which the reports write",
    "cso-endpoint:OutcomeType": "a yes or no, read by the gateway",
    "settlement:DocumentKindType": "the names of its values, which are type codes",
    "tariff:WeekdayType": "a number in the domain, read with the tariff",
}


def words_of(contract: Contract, wire_type: str) -> set[str]:
    service, _, name = wire_type.partition(":")
    kind = contract.model.types[f"{{urn:clearinghouse:iec63119:{service}:1}}{name}"]
    assert isinstance(kind, SimpleType)
    return {one.value for one in kind.facets.enumeration}


@pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=lambda one: one.wire_type)
def test_each_word_has_a_value_and_each_value_a_word(
    contract: Contract, vocabulary: Vocabulary[Any]
) -> None:
    words = words_of(contract, vocabulary.wire_type)
    spoken = [value for value in vocabulary.words if value not in vocabulary.unspoken]

    assert {vocabulary.write(value) for value in spoken} == words
    assert [vocabulary.write(vocabulary.read(word)) for word in sorted(words)] == (
        sorted(words)
    )


def test_value_without_a_word_is_never_written() -> None:
    with pytest.raises(ValueError, match="no word"):
        CREDENTIAL_STATUS.write(CredentialStatus.REMOVED)


def test_each_word_list_of_the_contract_has_a_vocabulary(contract: Contract) -> None:
    lists = {
        f"{name.split(':')[3]}:{name.partition('}')[2]}"
        for name, kind in contract.model.types.items()
        if isinstance(kind, SimpleType)
        and kind.facets.enumeration
        and name.startswith("{urn:clearinghouse")
        and "statement" not in name
    }
    known = {vocabulary.wire_type for vocabulary in VOCABULARIES}

    assert lists - known - set(WITHOUT_DOMAIN) == set()
    assert known <= lists


def test_vocabularies_hold_enumerations_only() -> None:
    assert all(issubclass(one.words, StrEnum) for one in VOCABULARIES)
