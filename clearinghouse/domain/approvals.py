"""Four eyes: what one operator asks for takes effect when another one approves.

An approval names an action, the object it is done to, and its payload; the digest of
the payload is what both operators speak of (settlement 2.7 and 2.8).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clearinghouse import codes
from clearinghouse.codes import Code

#: How long a request waits for its second operator.
APPROVAL_KEPT = timedelta(days=7)

#: An operator who was added by one person alone may approve after this time only: who
#: holds one password must not make a second pair of eyes in a minute.
WAITING_ALONE = timedelta(hours=72)

#: Longest payload of an action, in bytes of its canonical text.
PAYLOAD_BYTES_MAX = 8_192

Payload = Mapping[str, str | int | bool | None]
"""What an action needs to know: flat, and without any fraction."""


class OperatorStatus(StrEnum):
    """PENDING waits for the approval of another operator."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class ApprovalState(StrEnum):
    """Where a request is; the last three are final."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A named person of the house; ``approves_from`` is ``None`` while it waits."""

    name: str
    status: OperatorStatus
    approves_from: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An act that needs four eyes: ``decide dispute`` of ``DP-...`` with a payload."""

    action: str
    object: str
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request as stored; ``outcome`` is what the act said when it was done."""

    approval_id: int
    wanted: Wanted
    digest: bytes
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    approved_by: str | None = None
    approved_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None
    outcome: str | None = None


def canonical(payload: Payload) -> str:
    """Return the one text of a payload: keys in order, no blanks."""
    return json.dumps(
        dict(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def digest_of(wanted: Wanted) -> bytes:
    """Return the SHA-256 over action, object and payload."""
    parts = (wanted.action, wanted.object, canonical(wanted.payload))
    return hashlib.sha256("\n".join(parts).encode()).digest()


def state_of(approval: Approval, now: datetime) -> ApprovalState:
    """Return where a request is at this instant; at its expiry it is over."""
    if approval.approved_at is not None:
        return ApprovalState.APPROVED
    if approval.withdrawn_at is not None:
        return ApprovalState.WITHDRAWN
    if now >= approval.expires_at:
        return ApprovalState.EXPIRED
    return ApprovalState.PENDING


def why_not_approved(approval: Approval, by: Operator, now: datetime) -> Code | None:
    """Return why this operator may not approve now, ``None`` when he may."""
    if state_of(approval, now) is not ApprovalState.PENDING:
        return codes.APPROVAL_STATE
    if digest_of(approval.wanted) != approval.digest:
        return codes.APPROVAL_DIGEST
    if by.name == approval.requested_by:
        return codes.APPROVAL_SAME
    if by.approves_from is None or now < by.approves_from:
        return codes.APPROVAL_EARLY
    return None


def why_not_withdrawn(approval: Approval, now: datetime) -> Code | None:
    """Return why a request cannot be withdrawn; any operator may stop one."""
    if state_of(approval, now) is not ApprovalState.PENDING:
        return codes.APPROVAL_STATE
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a new operator comes in: at once, or when another one approves."""

    at_once: bool
    approves_from: datetime | None


def entry_of(*, ever: int, active: int, now: datetime) -> Entry:
    """Return how the next operator comes in.

    ``ever``: operators there have been; ``active``: those that may act now. The first
    two come in at once: nobody could approve them. Where fewer than two are left the
    next comes in alone and waits :data:`WAITING_ALONE`; else another one approves.
    """
    if ever < _PAIR:
        return Entry(at_once=True, approves_from=now)
    if active < _PAIR:
        return Entry(at_once=True, approves_from=now + WAITING_ALONE)
    return Entry(at_once=False, approves_from=None)


_PAIR = 2
