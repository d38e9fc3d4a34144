"""Schemas, the change sequence of all feeds, the guard of append-only tables.

Three schemas keep three kinds of data apart (clause 8-separate): ``clearing``
for business, ``privacy`` for personal data, ``audit`` for the trail.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_01_pre"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create schemas, shared sequence and guard functions."""
    op.execute("""
        DO $$
        DECLARE missing text;
        BEGIN
            SELECT string_agg(wanted, ', ') INTO missing
            FROM unnest(ARRAY['clearinghouse_app', 'clearinghouse_privacy']) AS wanted
            WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
            IF missing IS NOT NULL THEN
                RAISE EXCEPTION 'database role missing: %', missing
                    USING HINT = 'create the roles first, see deploy/postgres';
            END IF;
        END
        $$
    """)
    op.execute("""
        CREATE SCHEMA IF NOT EXISTS clearing;
        CREATE SCHEMA IF NOT EXISTS privacy;
        CREATE SCHEMA IF NOT EXISTS audit;
        REVOKE ALL ON SCHEMA clearing, privacy, audit FROM PUBLIC;
        GRANT USAGE ON SCHEMA clearing, audit TO clearinghouse_app;
        GRANT USAGE ON SCHEMA privacy TO clearinghouse_privacy;
        -- Equality of plain columns inside exclusion constraints (agreements).
        CREATE EXTENSION IF NOT EXISTS btree_gist;
    """)
    op.execute("""
        -- Breaks ties between changes of one transaction in every feed.
        CREATE SEQUENCE clearing.change_seq AS bigint;
        GRANT USAGE ON SEQUENCE clearing.change_seq TO clearinghouse_app;
    """)
    op.execute("""
        CREATE FUNCTION clearing.refuse_change() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused',
                TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'restrict_violation';
        END
        $$
    """)
    op.execute("""
        -- Grants bind the application; this trigger also stops an owner's slip.
        CREATE FUNCTION clearing.make_append_only(guarded regclass) RETURNS void
        LANGUAGE plpgsql AS $$
        BEGIN
            EXECUTE format(
                'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE'
                ' ON %s FOR EACH STATEMENT EXECUTE FUNCTION clearing.refuse_change()',
                guarded);
        END
        $$;
        REVOKE ALL ON FUNCTION clearing.make_append_only(regclass) FROM PUBLIC;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
