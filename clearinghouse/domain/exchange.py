"""Who sends, and one message of theirs: what each service is told about its caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

#: Bytes of what one message holds at most, in either direction. Partners take messages
#: as long as we do; the rest of those 2 MiB is for envelope and header.
CONTENT_BYTES_MAX = 2_000_000


class Role(StrEnum):
    """The roles of a participant; one legal entity may hold both (clause 4.2-dual)."""

    CSP = "CSP"
    CSO = "CSO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The authenticated sender of a message.

    ``account_id`` is absent when the message was vouched for without a login, as by a
    signature.
    """

    participant_id: int
    party_id: str
    roles: frozenset[Role]
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One message of a sender that changes something.

    ``message_id`` is made and kept by the caller before the first send; ``digest`` is
    the SHA-256 of the canonical body, so that a repeat can be told from a reuse.
    """

    sender: Sender
    message_id: UUID
    operation: str
    digest: bytes
    correlation_id: UUID
    created_at: datetime
    received_at: datetime
