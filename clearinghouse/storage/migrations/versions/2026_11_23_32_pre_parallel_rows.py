"""Rows and leaves of SDRs may be made by several processes at once."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_32_pre"
down_revision = "2026_11_23_31_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say of two functions what is true of them: they only read their arguments."""
    op.execute("""
        ALTER FUNCTION clearing.sdr_row(clearing.sdr, text, text, text) PARALLEL SAFE;
        ALTER FUNCTION clearing.leaf(text) PARALLEL SAFE;
    """)


def downgrade() -> None:
    """Refuse: migrations only go forward."""
    raise NotImplementedError
