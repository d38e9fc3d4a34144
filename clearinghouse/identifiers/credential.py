"""Credentials of every kind of clause 3.9, and the text by which each is looked up.

The lookup text makes two spellings of one credential meet; it is personal data and
leaves this floor only towards the vault, which stores a keyed digest of it.

>>> validate(CredentialKind.RFID, "04:a1:b2:c3")
'04A1B2C3'
>>> validate(CredentialKind.USERNAME, "Ada@Example.org")
'ada@example.org'
>>> validate(CredentialKind.PNC_CERTIFICATE, "NN-123-ABCDEFGHI-T")
'NN123ABCDEFGHI'
>>> provider_of(CredentialKind.STATIC_QR, "DE-83D-UIEN83QGZ-D")
'DE83D'
"""

from __future__ import annotations

import re
from enum import StrEnum

from clearinghouse.identifiers import contract_id, token_uid
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

#: Characters of a credential. It stops a certificate or a picture from being sent here.
VALUE_MAX = 255

_PRINTABLE = re.compile(r"[!-~]*")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}")


class CredentialKind(StrEnum):
    """The kinds of credentials (clause 3.9)."""

    RFID = "RFID"
    STATIC_QR = "STATIC_QR"
    DYNAMIC_QR = "DYNAMIC_QR"
    USERNAME = "USERNAME"
    PNC_CERTIFICATE = "PNC_CERTIFICATE"


def compact(kind: CredentialKind, value: str) -> str:
    """Return the value without what its kind does not tell apart.

    Codes are compared exactly; user names without regard to case.
    """
    match kind:
        case CredentialKind.RFID:
            return token_uid.compact(value)
        case CredentialKind.USERNAME:
            return value.lower()
        case CredentialKind.PNC_CERTIFICATE if _FINGERPRINT.fullmatch(value):
            return value.upper()
        case CredentialKind.PNC_CERTIFICATE:
            return contract_id.compact(value)
        case CredentialKind.STATIC_QR | CredentialKind.DYNAMIC_QR:
            return value


def validate(kind: CredentialKind, value: str) -> str:
    """Return the lookup text of a credential.

    RFID: the UID. User name: small letters. Certificate: the 14 characters of the
    contract id in it, or its SHA-256 fingerprint. Codes: as they are.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` when the value has
    not the shape of its kind; the message does not repeat the value.
    """
    if kind is CredentialKind.RFID:
        return token_uid.validate(value)
    if not 0 < len(value) <= VALUE_MAX:
        raise InvalidLengthError(
            f"a credential has 1 to {VALUE_MAX} characters",
            expected=f"1 to {VALUE_MAX} characters",
            found=f"{len(value)} characters",
        )
    if not _PRINTABLE.fullmatch(value):
        raise InvalidFormatError(
            "use printable ASCII characters without blanks",
            expected="characters ! to ~",
            found="other characters",
        )
    if kind is CredentialKind.PNC_CERTIFICATE and not _FINGERPRINT.fullmatch(value):
        return contract_id.validate(value)
    return compact(kind, value)


def validate_listable(kind: CredentialKind, value: str) -> str:
    """Return the lookup text of a credential that may stand on a list.

    Raises :class:`~clearinghouse.identifiers.errors.InvalidComponentError` for a random
    UID and for a dynamic code, which is for one use, and as :func:`validate`.
    """
    if kind is CredentialKind.RFID:
        return token_uid.validate_listable(value)
    if kind is CredentialKind.DYNAMIC_QR:
        raise InvalidComponentError(
            "a dynamic code is for one use and stands on no list",
            expected="another kind",
            found=kind.value,
        )
    return validate(kind, value)


def is_valid(kind: CredentialKind, value: str) -> bool:
    """Say whether the value has the shape of its kind."""
    try:
        validate(kind, value)
    except IdentifierError:
        return False
    return True


def format(kind: CredentialKind, value: str) -> str:  # noqa: A001 - the common face
    """Return the credential as people write it."""
    text = validate(kind, value)
    if kind is CredentialKind.RFID:
        return token_uid.format(text)
    if kind is CredentialKind.PNC_CERTIFICATE and not _FINGERPRINT.fullmatch(text):
        return contract_id.format(text)
    return text


def provider_of(kind: CredentialKind, value: str) -> str | None:
    """Return the provider id in a credential that holds a contract id, else ``None``.

    Tells whom to ask about a credential that stands on no list; RFID and user names
    never name their issuer.
    """
    if kind in (CredentialKind.RFID, CredentialKind.USERNAME):
        return None
    try:
        return contract_id.provider_of(value)
    except IdentifierError:
        return None
