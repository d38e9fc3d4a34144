"""Operators with names, and what needs two of them (settlement 2.7, 2.8)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_07_pre"
down_revision = "2026_11_23_06_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the operators and their approvals."""
    op.execute("""
        CREATE TABLE clearing.operator (
            name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9._@-]{1,64}$'),
            password_hash text NOT NULL,
            status text NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DISABLED')),
            approves_from timestamptz,
            created_at timestamptz NOT NULL
        );
        GRANT SELECT, INSERT ON clearing.operator TO clearinghouse_app;
        GRANT UPDATE (password_hash, status, approves_from)
            ON clearing.operator TO clearinghouse_app;
    """)
    op.execute("""
        CREATE TABLE clearing.approval (
            approval_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            action text NOT NULL,
            object text NOT NULL,
            payload text NOT NULL CHECK (octet_length(payload) <= 8192),
            payload_digest bytea NOT NULL CHECK (octet_length(payload_digest) = 32),
            requested_by text NOT NULL REFERENCES clearing.operator,
            requested_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL CHECK (expires_at > requested_at),
            approved_by text REFERENCES clearing.operator,
            approved_at timestamptz,
            withdrawn_by text REFERENCES clearing.operator,
            withdrawn_at timestamptz,
            outcome text,
            -- Four eyes, whatever a program does.
            CHECK (approved_by <> requested_by),
            CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
            CHECK ((approved_by IS NULL) = (outcome IS NULL)),
            CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL)),
            CHECK (approved_by IS NULL OR withdrawn_by IS NULL)
        );
        CREATE INDEX approval_pending ON clearing.approval (approval_id)
            WHERE approved_at IS NULL AND withdrawn_at IS NULL;
        GRANT SELECT, INSERT ON clearing.approval TO clearinghouse_app;
        GRANT UPDATE (approved_by, approved_at, withdrawn_by, withdrawn_at, outcome)
            ON clearing.approval TO clearinghouse_app;
    """)
    op.execute("""
        -- A word that was given stays given.
        CREATE FUNCTION clearing.keep_approval() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'UPDATE' OR OLD.approved_at IS NOT NULL
                    OR OLD.withdrawn_at IS NOT NULL THEN
                RAISE EXCEPTION 'clearing.approval: % refused', TG_OP
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END
        $$;
        CREATE TRIGGER keep_approval BEFORE UPDATE OR DELETE ON clearing.approval
            FOR EACH ROW EXECUTE FUNCTION clearing.keep_approval();
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
