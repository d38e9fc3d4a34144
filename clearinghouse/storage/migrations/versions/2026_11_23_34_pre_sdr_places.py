"""The id of the SDR at a place: a question of its own, planned for one window."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_34_pre"
down_revision = "2026_11_23_33_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the function; in SQL each statement that names it would plan it anew."""
    op.execute("""
        -- The id of the SDR at a place; nothing for no place. A window is a partition:
        -- a join by what another row says has to be planned for all that there are.
        CREATE FUNCTION clearing.sdr_uid_at(window_id integer, sdr_no bigint)
        RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
        BEGIN
            RETURN (SELECT s.sdr_uid FROM clearing.sdr AS s
                    WHERE s.window_id = sdr_uid_at.window_id
                      AND s.sdr_no = sdr_uid_at.sdr_no);
        END
        $$;
        GRANT EXECUTE ON FUNCTION clearing.sdr_uid_at(integer, bigint)
            TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: migrations only go forward."""
    raise NotImplementedError
