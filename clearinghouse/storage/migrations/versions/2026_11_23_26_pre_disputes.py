"""Disputes: where each stands, and every step of it (settlement 2.7)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_26_pre"
down_revision = "2026_11_23_25_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create disputes and their steps, and the terms of agreements for them."""
    _terms()
    _disputes()
    _steps()


def _terms() -> None:
    op.execute("""
        ALTER TABLE clearing.agreement
            ADD dispute_days integer NOT NULL DEFAULT 60 CHECK (dispute_days >= 0),
            ADD dispute_answer_days integer NOT NULL DEFAULT 15,
            ADD dispute_evidence_days integer NOT NULL DEFAULT 10,
            ADD dispute_decision_days integer NOT NULL DEFAULT 10,
            ADD dispute_stop_days integer NOT NULL DEFAULT 120,
            ADD dispute_carried boolean NOT NULL DEFAULT false;
    """)


def _disputes() -> None:
    op.execute("""
        -- A state row: what was said is in the steps, which nobody changes.
        CREATE TABLE clearing.dispute (
            dispute_id uuid PRIMARY KEY,
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            csp_id integer NOT NULL REFERENCES clearing.participant,
            submitter_id integer NOT NULL REFERENCES clearing.participant,
            currency char(3) NOT NULL,
            net_minor bigint NOT NULL CHECK (net_minor >= 0),
            reason text NOT NULL,
            carried boolean NOT NULL,
            answer_days integer NOT NULL,
            evidence_days integer NOT NULL,
            decision_days integer NOT NULL,
            asked_minor bigint,
            offered_minor bigint,
            agreed_minor bigint CHECK (agreed_minor BETWEEN 0 AND net_minor),
            state text NOT NULL CHECK (state IN ('OPEN', 'OFFERED', 'ANSWERED',
                'EVIDENCE', 'ESCALATED', 'UPHELD_CSP', 'UPHELD_CSO', 'SPLIT',
                'WITHDRAWN', 'EXPIRED')),
            opened_at timestamptz NOT NULL,
            due_at timestamptz,
            hard_stop_at timestamptz NOT NULL,
            ended_at timestamptz,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            CHECK ((ended_at IS NULL) = (due_at IS NOT NULL)),
            CHECK ((ended_at IS NULL) = (agreed_minor IS NULL)),
            CHECK (csp_id <> submitter_id)
        );
        -- One version is disputed once at a time.
        CREATE UNIQUE INDEX dispute_open ON clearing.dispute (window_id, sdr_no)
            WHERE ended_at IS NULL;
        CREATE INDEX dispute_due ON clearing.dispute (due_at) WHERE ended_at IS NULL;
        CREATE INDEX dispute_csp_feed
            ON clearing.dispute (csp_id, changed_xid, change_id);
        CREATE INDEX dispute_submitter_feed
            ON clearing.dispute (submitter_id, changed_xid, change_id);
        GRANT SELECT, INSERT ON clearing.dispute TO clearinghouse_app;
        GRANT UPDATE (offered_minor, agreed_minor, state, due_at, ended_at,
                      changed_xid, change_id)
            ON clearing.dispute TO clearinghouse_app;
    """)


def _steps() -> None:
    op.execute("""
        CREATE TABLE clearing.dispute_step (
            step_row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            dispute_id uuid NOT NULL REFERENCES clearing.dispute,
            party text NOT NULL
                CHECK (party IN ('CSP', 'SUBMITTER', 'HOUSE', 'TIMER')),
            act text NOT NULL,
            state text NOT NULL,
            amount_minor bigint,
            words text,
            evidence jsonb NOT NULL,
            at timestamptz NOT NULL
        );
        CREATE INDEX dispute_step_dispute
            ON clearing.dispute_step (dispute_id, step_row);
        GRANT SELECT, INSERT ON clearing.dispute_step TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.dispute_step');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
