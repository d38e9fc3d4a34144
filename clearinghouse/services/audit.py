"""The audit trail as the operator reads it (clause 7.1-protect)."""

from __future__ import annotations

from clearinghouse.services.environment import Environment
from clearinghouse.storage import audit
from clearinghouse.storage.audit import AuditEntry


def entries(
    env: Environment, *, before: int | None, limit: int
) -> tuple[AuditEntry, ...]:
    """Return the newest entries below a number, or of all, newest first."""
    with env.database.begin_read_only() as tx:
        return audit.entries_before(tx, before, limit=limit)
