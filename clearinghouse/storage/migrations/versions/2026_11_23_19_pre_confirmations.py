"""An SDR of which its home CSP says nothing counts as confirmed after a time."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_19_pre"
down_revision = "2026_11_23_18_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let events say so."""
    op.execute("""
        ALTER TABLE clearing.sdr_event DROP CONSTRAINT sdr_event_status_check;
        ALTER TABLE clearing.sdr_event ADD CONSTRAINT sdr_event_status_check
            CHECK (status IN ('ACCEPTED', 'REFUSED', 'DELIVERED', 'CONFIRMED',
                'AUTO_CONFIRMED', 'REJECTED', 'SETTLED')) NOT VALID;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
