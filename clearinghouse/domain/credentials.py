"""Credentials and credential lists: statuses, freshness, and when a list is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from clearinghouse.domain.clock import seconds_between


class CredentialStatus(StrEnum):
    """What its issuer says of a credential; REMOVED is the tombstone of a deletion."""

    VALID = "VALID"
    BLOCKED = "BLOCKED"
    REMOVED = "REMOVED"


class ListState(StrEnum):
    """Where an uploaded full list stands.

    STAGED: parts are missing. HELD: it would remove more than half of what is there
    and waits for the operator's word.
    """

    STAGED = "STAGED"
    APPLIED = "APPLIED"
    HELD = "HELD"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCredential:
    """A credential as its issuer listed it; ``subject_id`` is its pseudonym.

    ``confirmed_at`` is when the issuer last confirmed its list as a whole or in part:
    the age of the list counts from there.
    """

    subject_id: int
    csp_id: int
    status: CredentialStatus
    list_version: int
    confirmed_at: datetime
    valid_until: datetime | None = None

    def age_seconds(self, now: datetime) -> int:
        """Return the age of the list that holds the credential."""
        return seconds_between(self.confirmed_at, now)

    def is_expired(self, now: datetime) -> bool:
        """Say whether the credential's own validity has ended."""
        return self.valid_until is not None and now >= self.valid_until


def is_held(*, present: int, removed: int) -> bool:
    """Say whether a full list must wait: it would remove more than half.

    An empty or cut-off upload would otherwise wipe a network. ``present`` counts the
    entries in force, ``removed`` those of them that the new list does not name. Used
    for credentials and EVSEs alike.
    """
    return 2 * removed > present
