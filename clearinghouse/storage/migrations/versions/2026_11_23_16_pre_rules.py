"""Every threshold of the rule catalogue is a term of the agreement (2.4-thresholds).

An SDR keeps by which version of the agreement and of the catalogue it was judged, and
how its session was found. Rows from before have version 1 and know neither of the
other two. A version of the program from before writes the usual terms.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_16_pre"
down_revision = "2026_11_23_15_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the terms with their usual values, and what judged each SDR."""
    op.execute("""
        ALTER TABLE clearing.agreement
            ADD COLUMN offline_allowed boolean NOT NULL DEFAULT false,
            ADD COLUMN match_seconds integer NOT NULL DEFAULT 300
                CHECK (match_seconds >= 0),
            ADD COLUMN held_days integer NOT NULL DEFAULT 30 CHECK (held_days > 0),
            ADD COLUMN confirm_days integer NOT NULL DEFAULT 10
                CHECK (confirm_days > 0),
            ADD COLUMN registry_lag_hours integer NOT NULL DEFAULT 24
                CHECK (registry_lag_hours >= 0),
            ADD COLUMN ahead_seconds integer NOT NULL DEFAULT 300
                CHECK (ahead_seconds >= 0),
            ADD COLUMN meter_slack_wh integer NOT NULL DEFAULT 1
                CHECK (meter_slack_wh >= 0),
            ADD COLUMN elapsed_slack_seconds integer NOT NULL DEFAULT 60
                CHECK (elapsed_slack_seconds >= 0),
            ADD COLUMN near_duplicate_seconds integer NOT NULL DEFAULT 60
                CHECK (near_duplicate_seconds >= 0),
            ADD COLUMN near_duplicate_ppm integer NOT NULL DEFAULT 10000
                CHECK (near_duplicate_ppm >= 0),
            ADD COLUMN tiny_wh integer NOT NULL DEFAULT 100 CHECK (tiny_wh >= 0),
            ADD COLUMN zero_energy_seconds integer NOT NULL DEFAULT 120
                CHECK (zero_energy_seconds >= 0),
            ADD COLUMN late_notice_hours integer NOT NULL DEFAULT 24
                CHECK (late_notice_hours > 0),
            ADD COLUMN late_notice_days integer NOT NULL DEFAULT 7
                CHECK (late_notice_days > 0);
        ALTER TABLE clearing.sdr
            ADD COLUMN agreement_id integer,
            ADD COLUMN rule_version smallint NOT NULL DEFAULT 1,
            ADD COLUMN match_kind text;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
