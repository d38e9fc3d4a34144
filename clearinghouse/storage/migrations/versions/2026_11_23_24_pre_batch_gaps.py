"""A batch that was refused because one before it is missing leaves a note of that."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_24_pre"
down_revision = "2026_11_23_23_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the notes: one for each missing batch, however often one tries."""
    op.execute("""
        CREATE TABLE clearing.sdr_gap (
            submitter_id integer NOT NULL REFERENCES clearing.participant,
            expected bigint NOT NULL CHECK (expected >= 1),
            found bigint NOT NULL CHECK (found > expected),
            at timestamptz NOT NULL,
            PRIMARY KEY (submitter_id, expected)
        );
        GRANT SELECT, INSERT ON clearing.sdr_gap TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr_gap');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
