"""What is personal, where it may stand, and how long it is kept (clause 8).

Personal are the values that name an EV user: credentials and contract ids. They stand
in the vault alone, sealed under a key of their own; business records hold a pseudonym,
the subject id. To forget a person is to destroy that key: amounts stay, the link to a
person is gone (8-forget). A session's times and place are personal while the link
exists, which is why a partner sees only its own sessions (8-min).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from clearinghouse.identifiers import contract_id, credential
from clearinghouse.identifiers.credential import CredentialKind

#: Bytes of a keyed pseudonym digest (HMAC-SHA256).
LOOKUP_BYTES = 32

#: How long business records are kept: the longest fiscal period among the countries in
#: which participants are expected.
RECORD_RETENTION = timedelta(days=3653)

#: How long a subject that nothing refers to any more stays in the vault.
SUBJECT_RETENTION = timedelta(days=400)

_REDACTED = "[personal]"

#: Names of fields that hold personal values, as they appear in logs and records.
PERSONAL_FIELDS = frozenset(
    {
        "contract_id",
        "credential",
        "credential_value",
        "password",
        "pin",
        "secret",
        "token_uid",
        "username",
        "value",
    }
)


class SubjectKind(StrEnum):
    """The kinds of personal values in the vault: credential kinds and contract ids."""

    RFID = CredentialKind.RFID.value
    STATIC_QR = CredentialKind.STATIC_QR.value
    DYNAMIC_QR = CredentialKind.DYNAMIC_QR.value
    USERNAME = CredentialKind.USERNAME.value
    PNC_CERTIFICATE = CredentialKind.PNC_CERTIFICATE.value
    CONTRACT = "CONTRACT"


#: What each kind of personal value is for: printed in a subject's report
#: (8-transparent).
PURPOSES: Mapping[SubjectKind, str] = MappingProxyType(
    {
        SubjectKind.RFID: "to recognise the charging card at stations",
        SubjectKind.STATIC_QR: "to recognise the printed code at stations",
        SubjectKind.DYNAMIC_QR: "to recognise a code shown once",
        SubjectKind.USERNAME: "to recognise the user name typed at stations",
        SubjectKind.PNC_CERTIFICATE: "to recognise the vehicle's contract certificate",
        SubjectKind.CONTRACT: "to route sessions and bills to the contract's CSP",
    }
)


def subject_kind(kind: CredentialKind) -> SubjectKind:
    """Return the vault's kind of a credential kind."""
    return SubjectKind(kind.value)


def lookup_text(kind: SubjectKind, value: str) -> str:
    """Return the text whose keyed digest finds a subject in the vault.

    Two spellings of one value give one text; the kind stands in front, so that equal
    texts of two kinds are two subjects.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` when the value has
    not the shape of its kind.
    """
    if kind is SubjectKind.CONTRACT:
        canonical = contract_id.validate(value)
    else:
        canonical = credential.validate(CredentialKind(kind.value), value)
    return f"{kind.value}:{canonical}"


def redacted(fields: Mapping[str, object]) -> dict[str, object]:
    """Return fields with the personal ones blanked: for logs and error details."""
    return {
        name: _REDACTED if name in PERSONAL_FIELDS else value
        for name, value in fields.items()
    }
