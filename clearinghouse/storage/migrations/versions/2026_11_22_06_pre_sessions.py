"""Service sessions, the partners' own ids for them, their events (3.12)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_06_pre"
down_revision = "2026_11_22_05_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create session tables."""
    _sessions()
    _events()


def _sessions() -> None:
    op.execute("""
        CREATE TABLE clearing.session (
            session_id uuid PRIMARY KEY,
            state text NOT NULL CHECK (state IN ('REQUESTED', 'REFUSED', 'RESERVED',
                'AUTHORIZED', 'STARTING', 'START_UNKNOWN', 'START_FAILED', 'ACTIVE',
                'SUSPENDED', 'STOPPING', 'ENDED', 'EXPIRED', 'CANCELLED',
                'SDR_RECEIVED')),
            visited_id integer NOT NULL REFERENCES clearing.participant,
            home_id integer REFERENCES clearing.participant,
            agreement_id integer REFERENCES clearing.agreement,
            evse_key text NOT NULL,
            subject_id bigint,
            origin text NOT NULL CHECK (origin IN ('LOCAL', 'REMOTE')),
            decision_source text,
            list_version integer,
            refusal_code integer,
            authorized_at timestamptz,
            valid_until timestamptz,
            started_at timestamptz,
            ended_at timestamptz,
            energy_wh bigint,
            last_event_at timestamptz,
            created_at timestamptz NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq')
        ) WITH (fillfactor = 80);
        -- An SDR without our session id is matched by EVSE, credential and time.
        CREATE INDEX session_match ON clearing.session (evse_key, created_at);
        -- What a timer must end next: nothing else is in this index.
        CREATE INDEX session_timer ON clearing.session (valid_until)
            WHERE state IN ('RESERVED', 'AUTHORIZED', 'STARTING', 'START_UNKNOWN');
        -- The operator's list of a partner's newest sessions.
        CREATE INDEX session_visited ON clearing.session (visited_id, created_at);
        CREATE INDEX session_home ON clearing.session (home_id, created_at);
        GRANT SELECT, INSERT ON clearing.session TO clearinghouse_app;
        -- Who, where and when it was asked never change.
        GRANT UPDATE (state, home_id, agreement_id, subject_id,
                      decision_source, list_version, refusal_code, authorized_at,
                      valid_until, started_at, ended_at, energy_wh, last_event_at,
                      changed_xid, change_id)
            ON clearing.session TO clearinghouse_app;
    """)


def _events() -> None:
    op.execute("""
        CREATE TABLE clearing.session_partner_id (
            participant_id integer NOT NULL REFERENCES clearing.participant,
            value text NOT NULL,
            session_id uuid NOT NULL REFERENCES clearing.session,
            PRIMARY KEY (participant_id, value)
        );
        CREATE INDEX session_partner_id_session
            ON clearing.session_partner_id (session_id);
        GRANT SELECT, INSERT ON clearing.session_partner_id TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.session_partner_id');
    """)
    op.execute("""
        CREATE TABLE clearing.session_event (
            event_row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            session_id uuid NOT NULL REFERENCES clearing.session,
            event_id uuid NOT NULL,
            event text NOT NULL,
            occurred_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            reported_by integer NOT NULL REFERENCES clearing.participant,
            energy_wh bigint,
            reason text,
            state_before text NOT NULL,
            state_after text NOT NULL,
            UNIQUE (session_id, event_id)
        );
        GRANT SELECT, INSERT ON clearing.session_event TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.session_event');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
