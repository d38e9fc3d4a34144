"""A CSP submits SDRs for a CSO only where the two agreed so (clause 4.2-visited)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_02_pre"
down_revision = "2026_11_23_01_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the term to agreements; nobody collects until the operator says so."""
    op.execute("""
        ALTER TABLE clearing.agreement ADD collects boolean NOT NULL DEFAULT false;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
