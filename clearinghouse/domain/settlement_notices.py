"""What participants are told of the settlement without asking (4.3-I3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from clearinghouse.domain.disputes import DisputeState, Party


class News(StrEnum):
    """What happened."""

    WINDOW_CLOSED = "WINDOW_CLOSED"
    STATEMENT_READY = "STATEMENT_READY"
    INVOICE_READY = "INVOICE_READY"
    RUN_SETTLED = "RUN_SETTLED"
    DISPUTE_MOVED = "DISPUTE_MOVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What happened, and the names of what it happened to."""

    news: News
    occurred_at: datetime
    window_id: int | None = None
    window_label: str | None = None
    currency: str | None = None
    statement_id: str | None = None
    document_number: str | None = None
    run_id: int | None = None
    dispute_id: UUID | None = None
    sdr_id: str | None = None
    dispute_state: DisputeState | None = None
    turn_of: Party | None = None
    due_at: datetime | None = None
