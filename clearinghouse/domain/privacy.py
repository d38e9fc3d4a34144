"""What is personal, and where it may stand (clause 8).

Personal are the values that name an EV user: credentials and contract ids. They stand
in the vault alone, sealed under a key of their own; business records hold a pseudonym,
the subject id. To forget a person is to destroy that key: amounts stay, the link to a
person is gone (8-forget). What a meter signed may name its user in its text: that text
is sealed with the user's key as well, and business keeps its digest. A session's times
and place are personal while the link exists, which is why a partner sees only its own
sessions (8-min).
"""

from __future__ import annotations

from enum import StrEnum

from clearinghouse.identifiers.credential import CredentialKind


class SubjectKind(StrEnum):
    """The kinds of personal values in the vault: credential kinds and contract ids."""

    RFID = CredentialKind.RFID.value
    STATIC_QR = CredentialKind.STATIC_QR.value
    DYNAMIC_QR = CredentialKind.DYNAMIC_QR.value
    USERNAME = CredentialKind.USERNAME.value
    PNC_CERTIFICATE = CredentialKind.PNC_CERTIFICATE.value
    CONTRACT = "CONTRACT"
