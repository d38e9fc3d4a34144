"""Privacy: what is personal, and that it stays out of sight."""

from __future__ import annotations

import dataclasses

import pytest

from clearinghouse.domain.privacy import (
    PERSONAL_FIELDS,
    PURPOSES,
    SubjectKind,
    lookup_text,
    redacted,
    subject_kind,
)
from clearinghouse.domain.sessions import Session
from clearinghouse.domain.statements import StatementLine
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.identifiers.errors import IdentifierError


@pytest.mark.clause("8-transparent")
def test_every_kind_of_personal_value_has_a_purpose() -> None:
    assert PURPOSES.keys() == set(SubjectKind)
    assert {subject_kind(kind) for kind in CredentialKind} < set(SubjectKind)


def test_spellings_of_one_value_are_one_subject() -> None:
    first = lookup_text(SubjectKind.CONTRACT, "NL-TNM-012204-5")

    assert first == lookup_text(SubjectKind.CONTRACT, "NLTNM000122045U")
    assert first == "CONTRACT:NLTNM000122045"
    assert lookup_text(SubjectKind.RFID, "04:a1:b2:c3") == "RFID:04A1B2C3"


def test_equal_texts_of_two_kinds_are_two_subjects() -> None:
    code = lookup_text(SubjectKind.STATIC_QR, "04A1B2C3")

    assert code != lookup_text(SubjectKind.RFID, "04A1B2C3")


def test_value_of_another_shape_is_no_subject() -> None:
    with pytest.raises(IdentifierError):
        lookup_text(SubjectKind.RFID, "card")


@pytest.mark.clause("8-design")
def test_personal_fields_are_blanked_for_logs() -> None:
    fields = {"contract_id": "NN123ABCDEFGHI", "evse_key": "CHVISE11"}

    assert redacted(fields) == {"contract_id": "[personal]", "evse_key": "CHVISE11"}


@pytest.mark.clause("3.2", "8-separate")
def test_business_values_have_no_personal_field() -> None:
    names = {field.name for field in dataclasses.fields(Session)}

    assert not PERSONAL_FIELDS & (names | set(StatementLine._fields))
