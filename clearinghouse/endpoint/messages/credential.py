"""Types of the credential service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clearinghouse.endpoint.messages.common import Credential, Result

CredentialStatus = Literal["VALID", "BLOCKED"]
ListState = Literal["APPLIED", "STAGED", "HELD"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEntry:
    """One credential of a CSP's list and the contract behind it."""

    credential: Credential
    contract_id: str
    valid_until: datetime | None = None
    status: CredentialStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCredentialsResponse:
    """What became of a part of a full list."""

    result: Result
    list_version: int | None = None
    state: ListState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCredentialsResponse:
    """What became of a change to the list."""

    result: Result
    list_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCredential:
    """One credential as a CSO gets it: without the contract."""

    csp_id: str
    credential: Credential
    status: CredentialStatus
    valid_until: datetime | None = None
    removed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCredentialsResponse:
    """One page of credentials."""

    result: Result
    entry: tuple[ListedCredential, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None
