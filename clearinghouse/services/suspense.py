"""Disputed amounts put aside and given back, with the step that does so (2.7, 2.9).

Only what no closed window counts is held: a claim in the window that is open, or one
that was carried out of it. What a window counts is paid under reserve, and a credit
brings it back.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain import suspense as rules
from clearinghouse.domain.suspense import Held
from clearinghouse.storage import ledger, settlement, suspense


def hold(tx: Connection, held: Held, *, at: datetime) -> None:
    """Put a disputed amount aside; the caller lets no window end meanwhile."""
    ledger.append(tx, rules.hold_postings(held), at=at)


def release(
    tx: Connection, disputes: Collection[UUID], window_id: int, *, at: datetime
) -> None:
    """Give back what stands for disputes, in a window.

    What was given back before, or never held, is left alone.
    """
    keys = [rules.key_of(one, code) for one in disputes for code in rules.MIRRORS]
    holds = ledger.postings_with(tx, keys)
    ledger.append_new(tx, rules.release_postings(holds, window_id), at=at)


def release_ended(
    tx: Connection, dispute_id: UUID, window_id: int, *, at: datetime
) -> None:
    """Give back what stands for a dispute that ended: in the open window, if any.

    ``window_id``: that of its SDR, which takes it where none is open.
    """
    current = settlement.open_window(tx)
    taken_by = window_id if current is None else current.window_id
    release(tx, [dispute_id], taken_by, at=at)


def release_counted(tx: Connection, window_id: int, *, at: datetime) -> None:
    """Give back what a closing window counts: it is paid under reserve."""
    release(tx, suspense.counted_in(tx, window_id), window_id, at=at)
