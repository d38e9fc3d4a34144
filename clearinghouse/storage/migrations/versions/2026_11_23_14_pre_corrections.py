"""Corrections: credits and replacements of SDRs, one chain for each (settlement 2.7).

An SDR never changes. What corrects it is another SDR that names it, and the chain has
one row for each such step: no version can be corrected twice.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_14_pre"
down_revision = "2026_11_23_13_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the kind of an SDR, what it refers to, and the chain."""
    op.execute("""
        ALTER TABLE clearing.sdr
            ADD COLUMN kind text NOT NULL DEFAULT 'ORIGINAL'
                CHECK (kind IN ('ORIGINAL', 'CREDIT', 'REPLACEMENT')),
            ADD COLUMN ref_window_id integer,
            ADD COLUMN ref_sdr_no bigint,
            ADD CONSTRAINT sdr_reference CHECK (
                (ref_window_id IS NULL) = (ref_sdr_no IS NULL)
                AND (kind = 'ORIGINAL') = (ref_sdr_no IS NULL)),
            -- A credit counts against its debtor's debt, all else for it.
            ADD CONSTRAINT sdr_sign CHECK (
                CASE WHEN kind = 'CREDIT' THEN net_minor <= 0 ELSE net_minor >= 0 END)
            NOT VALID;
    """)
    op.execute("""
        -- Who stands behind a version: a credit behind what it cancels, a replacement
        -- behind the credit. One whose SDR was excluded makes room for the next turn.
        CREATE TABLE clearing.sdr_chain (
            ref_window_id integer NOT NULL,
            ref_sdr_no bigint NOT NULL,
            turn smallint NOT NULL CHECK (turn >= 0),
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            dispute_id text,
            at timestamptz NOT NULL,
            PRIMARY KEY (ref_window_id, ref_sdr_no, turn),
            UNIQUE (window_id, sdr_no)
        );
        GRANT SELECT, INSERT ON clearing.sdr_chain TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr_chain');
    """)
    op.execute("""
        -- Whether something stands for an SDR that counts itself.
        CREATE FUNCTION clearing.is_corrected(window_id integer, sdr_no bigint)
        RETURNS boolean LANGUAGE sql STABLE AS $$
            SELECT EXISTS (
                SELECT FROM clearing.sdr_chain AS c
                WHERE c.ref_window_id = is_corrected.window_id
                  AND c.ref_sdr_no = is_corrected.sdr_no
                  AND NOT EXISTS (
                    SELECT FROM clearing.sdr_exclusion AS e
                    WHERE e.window_id = c.window_id AND e.sdr_no = c.sdr_no))
        $$;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
