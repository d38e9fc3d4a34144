"""Hits of severity N: notes for the home CSP, not the submitter (8-separate)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_04_pre"
down_revision = "2026_11_23_03_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a hit be a note."""
    op.execute("""
        ALTER TABLE clearing.rule_hit DROP CONSTRAINT rule_hit_severity_check,
            ADD CONSTRAINT rule_hit_severity_check
                CHECK (severity IN ('F', 'R', 'H', 'W', 'N'));
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
