"""Statements as PDF and HTML (clause 4.3-I3, settlement)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_11_pre"
down_revision = "2026_11_23_10_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a statement be rendered for people too."""
    op.execute("""
        ALTER TABLE clearing.statement_rendering
            DROP CONSTRAINT statement_rendering_format_check,
            ADD CONSTRAINT statement_rendering_format_check
                CHECK (format IN ('XML', 'CSV', 'PDF', 'HTML'));
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
