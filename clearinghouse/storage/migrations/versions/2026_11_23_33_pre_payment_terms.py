"""When agreements were concluded, when a fee is due, how early returns are posted."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_33_pre"
down_revision = "2026_11_23_32_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep what the days of payment hang on, and by which rule money went back."""
    op.execute("""
        -- Unknown of what was concluded before: it counts as known from the beginning.
        ALTER TABLE clearing.agreement ADD COLUMN concluded_at timestamptz;
        ALTER TABLE clearing.fee_plan
            ADD COLUMN payment_days integer NOT NULL DEFAULT 30
                CHECK (payment_days BETWEEN 0 AND 365);
    """)
    op.execute("""
        -- 1: a return may have been posted against what was paid, though money beyond
        -- it was there; 2: that money goes back first.
        ALTER TABLE clearing.transfer_confirmation
            ADD COLUMN return_rule integer NOT NULL DEFAULT 1
                CHECK (return_rule IN (1, 2));
        ALTER TABLE clearing.transfer_confirmation
            ALTER COLUMN return_rule SET DEFAULT 2;
    """)


def downgrade() -> None:
    """Refuse: migrations only go forward."""
    raise NotImplementedError
