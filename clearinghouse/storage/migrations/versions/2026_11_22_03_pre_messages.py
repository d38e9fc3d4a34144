"""Messages in (idempotency), deliveries out (outbox), the audit trail."""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_03_pre"
down_revision = "2026_11_22_02_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create message, outbox and audit tables."""
    _messages()
    _outbox()
    _audit()


def _messages() -> None:
    op.execute("""
        CREATE TABLE clearing.message (
            participant_id integer NOT NULL REFERENCES clearing.participant,
            message_id uuid NOT NULL,
            operation text NOT NULL,
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            answer bytea,
            received_at timestamptz NOT NULL,
            answered_at timestamptz,
            PRIMARY KEY (participant_id, message_id),
            CHECK ((answer IS NULL) = (answered_at IS NULL))
        );
        GRANT SELECT, INSERT ON clearing.message TO clearinghouse_app;
        GRANT UPDATE (answer, answered_at) ON clearing.message TO clearinghouse_app;
    """)
    op.execute("""
        -- What a partner was once told stays told.
        CREATE FUNCTION clearing.keep_answer() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'clearing.message: an answer never changes'
                USING ERRCODE = 'restrict_violation';
        END
        $$;
        CREATE TRIGGER keep_answer BEFORE UPDATE ON clearing.message
            FOR EACH ROW WHEN (OLD.answer IS NOT NULL)
            EXECUTE FUNCTION clearing.keep_answer();
    """)


def _outbox() -> None:
    op.execute("""
        CREATE TABLE clearing.outbox (
            delivery_id uuid PRIMARY KEY,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            kind text NOT NULL
                CHECK (kind IN ('NOTIFY_SESSION', 'DELIVER_SDRS', 'NOTIFY_SDRS')),
            subject_key text NOT NULL,
            -- References only: personal data is read and rendered when it is sent.
            payload jsonb NOT NULL,
            state text NOT NULL DEFAULT 'READY'
                CHECK (state IN ('READY', 'RUNNING', 'DONE', 'DEAD')),
            attempts integer NOT NULL DEFAULT 0,
            run_at timestamptz NOT NULL,
            lease_until timestamptz,
            lease_no bigint NOT NULL DEFAULT 0,
            dedupe_key text UNIQUE,
            last_error_code integer,
            created_at timestamptz NOT NULL,
            done_at timestamptz,
            CHECK ((state = 'RUNNING') = (lease_until IS NOT NULL)),
            CHECK ((state = 'DONE') = (done_at IS NOT NULL))
        ) WITH (fillfactor = 80);
        -- Partial indexes: finished rows cost the claim nothing.
        CREATE INDEX outbox_ready ON clearing.outbox (participant_id, run_at)
            WHERE state = 'READY';
        CREATE INDEX outbox_running ON clearing.outbox (participant_id, lease_until)
            WHERE state = 'RUNNING';
        CREATE INDEX outbox_dead ON clearing.outbox (participant_id, created_at)
            WHERE state = 'DEAD';
        CREATE INDEX outbox_done ON clearing.outbox (done_at) WHERE state = 'DONE';
        GRANT SELECT, INSERT, DELETE ON clearing.outbox TO clearinghouse_app;
        -- Id, receiver, kind and content of a delivery never change.
        GRANT UPDATE (state, attempts, run_at, lease_until, lease_no,
                      last_error_code, done_at)
            ON clearing.outbox TO clearinghouse_app;
    """)


def _audit() -> None:
    op.execute("""
        CREATE TABLE audit.entry (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL,
            actor text NOT NULL,
            action text NOT NULL,
            object text NOT NULL,
            outcome text NOT NULL,
            correlation_id uuid
        );
        CREATE INDEX entry_correlation ON audit.entry (correlation_id);
        GRANT SELECT, INSERT ON audit.entry TO clearinghouse_app;
        SELECT clearing.make_append_only('audit.entry');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
