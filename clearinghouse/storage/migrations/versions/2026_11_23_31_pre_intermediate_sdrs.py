"""Intermediate SDRs of running sessions; append-only."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_31_pre"
down_revision = "2026_11_23_30_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute("""
        CREATE TABLE clearing.intermediate_sdr (
            session_id uuid NOT NULL REFERENCES clearing.session,
            sequence_no integer NOT NULL CHECK (sequence_no > 0),
            event_id uuid NOT NULL,
            occurred_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            energy_wh bigint NOT NULL CHECK (energy_wh >= 0),
            meter_wh bigint CHECK (meter_wh >= 0),
            claimed_currency char(3),
            claimed_minor bigint CHECK (claimed_minor >= 0),
            tariff_id text,
            tariff_version_id bigint REFERENCES clearing.tariff,
            estimated_currency char(3),
            estimated_minor bigint,
            PRIMARY KEY (session_id, sequence_no),
            UNIQUE (session_id, event_id),
            CHECK ((claimed_currency IS NULL) = (claimed_minor IS NULL)),
            CHECK ((estimated_currency IS NULL) = (estimated_minor IS NULL))
        );
        GRANT SELECT, INSERT ON clearing.intermediate_sdr TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.intermediate_sdr');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
