"""News of the settlement among the deliveries to partners (clause 4.3-I3)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_30_pre"
down_revision = "2026_11_23_29_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the outbox hold news of the settlement."""
    op.execute("""
        ALTER TABLE clearing.outbox DROP CONSTRAINT outbox_kind_check;
        ALTER TABLE clearing.outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN (
            'NOTIFY_SESSION', 'DELIVER_SDRS', 'NOTIFY_SDRS', 'NOTIFY_SETTLEMENT'));
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
