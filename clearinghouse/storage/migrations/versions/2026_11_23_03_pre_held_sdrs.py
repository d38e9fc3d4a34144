"""Held SDRs are decided: taken into the open window, or put away (2.2 life cycle).

A stored SDR never changes. One that is taken in after all is written anew into the
window that is open then; the exclusion of the held row names its successor.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_03_pre"
down_revision = "2026_11_23_02_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let an exclusion name the SDR that stands for the excluded one."""
    op.execute("""
        ALTER TABLE clearing.sdr_exclusion
            ADD COLUMN successor_window_id integer,
            ADD COLUMN successor_sdr_no bigint,
            ADD CONSTRAINT sdr_exclusion_successor CHECK (
                (successor_window_id IS NULL) = (successor_sdr_no IS NULL));
        -- What waits for the operator: few of many, and asked for by age.
        CREATE INDEX sdr_held ON clearing.sdr (received_at, sdr_no)
            WHERE status = 'HELD';
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
