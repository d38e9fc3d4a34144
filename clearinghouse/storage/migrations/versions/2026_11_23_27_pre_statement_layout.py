"""Statements note the layout of their documents: old ones stay what they are."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_27_pre"
down_revision = "2026_11_23_26_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give every statement that was booked before the first layout."""
    op.execute("""
        ALTER TABLE clearing.statement
            ADD COLUMN layout smallint NOT NULL DEFAULT 1 CHECK (layout > 0);
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
