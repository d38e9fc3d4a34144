"""A window opens at an instant of the application's clock, not of the database's."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_05_pre"
down_revision = "2026_11_23_04_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the caller say when; a version that does not say it goes on as before."""
    op.execute("""
        CREATE FUNCTION clearing.open_window(label text, opened_at timestamptz)
        RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
        DECLARE
            opened integer;
            partition_name text;
        BEGIN
            INSERT INTO clearing.settlement_window (label, state, opened_at)
            VALUES (open_window.label, 'OPEN', open_window.opened_at)
            RETURNING window_id INTO opened;
            partition_name := 'sdr_w' || lpad(opened::text, 6, '0');
            EXECUTE format(
                'CREATE TABLE clearing.%I (LIKE clearing.sdr INCLUDING DEFAULTS'
                ' INCLUDING CONSTRAINTS INCLUDING INDEXES,'
                ' CHECK (window_id = %s))', partition_name, opened);
            EXECUTE format(
                'ALTER TABLE clearing.sdr ATTACH PARTITION clearing.%I'
                ' FOR VALUES IN (%s)', partition_name, opened);
            EXECUTE format(
                'GRANT SELECT, INSERT ON clearing.%I TO clearinghouse_app',
                partition_name);
            PERFORM clearing.make_append_only(
                format('clearing.%I', partition_name)::regclass);
            RETURN opened;
        END
        $$;
        REVOKE ALL ON FUNCTION clearing.open_window(text, timestamptz) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION clearing.open_window(text, timestamptz)
            TO clearinghouse_app;
        CREATE OR REPLACE FUNCTION clearing.open_window(label text) RETURNS integer
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
            SELECT clearing.open_window(open_window.label, clock_timestamp())
        $$;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
