"""Credentials of every kind and their lookup texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.identifiers import credential
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

KINDS = pytest.mark.parametrize("kind", CredentialKind)
FINGERPRINT = "ab" * 32


@pytest.mark.clause("3.9")
@pytest.mark.parametrize(
    ("kind", "value", "lookup"),
    [
        (CredentialKind.RFID, "04:a1:b2:c3", "04A1B2C3"),
        (CredentialKind.STATIC_QR, "https://qr.example/aB1", "https://qr.example/aB1"),
        (CredentialKind.DYNAMIC_QR, "aB1.sig", "aB1.sig"),
        (CredentialKind.USERNAME, "Ada@Example.org", "ada@example.org"),
        (CredentialKind.PNC_CERTIFICATE, "NN-123-ABCDEFGHI-T", "NN123ABCDEFGHI"),
        (CredentialKind.PNC_CERTIFICATE, FINGERPRINT, FINGERPRINT.upper()),
    ],
)
def test_every_kind_of_credential_has_a_lookup_text(
    kind: CredentialKind, value: str, lookup: str
) -> None:
    assert credential.validate(kind, value) == lookup
    assert credential.validate(kind, credential.format(kind, value)) == lookup


@KINDS
def test_refuses_an_empty_value(kind: CredentialKind) -> None:
    with pytest.raises(InvalidLengthError):
        credential.validate(kind, "")


def test_refuses_what_has_not_the_shape_of_its_kind() -> None:
    with pytest.raises(InvalidFormatError):
        credential.validate(CredentialKind.STATIC_QR, "a b")
    with pytest.raises(InvalidLengthError):
        credential.validate(CredentialKind.USERNAME, "a" * 256)
    assert not credential.is_valid(CredentialKind.PNC_CERTIFICATE, "a certificate")


def test_dynamic_codes_and_random_uids_stand_on_no_list() -> None:
    with pytest.raises(InvalidComponentError):
        credential.validate_listable(CredentialKind.DYNAMIC_QR, "aB1")
    with pytest.raises(InvalidComponentError):
        credential.validate_listable(CredentialKind.RFID, "08A1B2C3")

    listable = credential.validate_listable(CredentialKind.STATIC_QR, "aB1")
    assert listable == "aB1"


def test_contract_id_in_a_credential_names_its_provider() -> None:
    contract = "DE-83D-UIEN83QGZ-D"

    for kind in (CredentialKind.STATIC_QR, CredentialKind.PNC_CERTIFICATE):
        assert credential.provider_of(kind, contract) == "DE83D"


def test_other_credentials_name_nobody() -> None:
    assert credential.provider_of(CredentialKind.RFID, "04A1B2C3") is None
    assert credential.provider_of(CredentialKind.USERNAME, "NN123ABCDEFGHI") is None
    assert credential.provider_of(CredentialKind.STATIC_QR, "aB1") is None


@given(kind=st.sampled_from(CredentialKind), value=st.text(max_size=30))
def test_lookup_text_is_its_own_lookup_text(kind: CredentialKind, value: str) -> None:
    try:
        lookup = credential.validate(kind, value)
    except IdentifierError:
        return

    assert credential.validate(kind, lookup) == lookup
