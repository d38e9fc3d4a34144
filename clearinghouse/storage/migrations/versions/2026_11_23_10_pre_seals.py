"""Public keys of the house, sealed pairs, and the chain of blocks (settlement)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_10_pre"
down_revision = "2026_11_23_09_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; all of them are append-only."""
    op.execute("""
        -- Public parts only. A key is in use until the next one begins.
        CREATE TABLE clearing.signing_key (
            key_id text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{32}$'),
            public_key bytea NOT NULL,
            valid_from timestamptz NOT NULL
        );
        GRANT SELECT, INSERT ON clearing.signing_key TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.signing_key');
    """)
    op.execute("""
        CREATE TABLE clearing.audit_pair (
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            place integer NOT NULL CHECK (place >= 0),
            currency char(3) NOT NULL,
            csp_id integer NOT NULL REFERENCES clearing.participant,
            submitter_id integer NOT NULL REFERENCES clearing.participant,
            sdr_count bigint NOT NULL CHECK (sdr_count > 0),
            energy_wh bigint NOT NULL,
            net_minor bigint NOT NULL,
            root bytea NOT NULL CHECK (octet_length(root) = 32),
            -- The very text whose leaf is in the window's tree.
            line text NOT NULL,
            PRIMARY KEY (window_id, place),
            UNIQUE (window_id, currency, csp_id, submitter_id)
        );
        GRANT SELECT, INSERT ON clearing.audit_pair TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.audit_pair');
    """)
    op.execute("""
        CREATE TABLE clearing.audit_block (
            seq integer PRIMARY KEY CHECK (seq >= 1),
            window_id integer NOT NULL UNIQUE REFERENCES clearing.settlement_window,
            previous bytea NOT NULL CHECK (octet_length(previous) = 32),
            root bytea NOT NULL CHECK (octet_length(root) = 32),
            hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
            signed_text text NOT NULL,
            key_id text NOT NULL REFERENCES clearing.signing_key,
            signature bytea NOT NULL,
            sealed_at timestamptz NOT NULL,
            CHECK (hash = sha256(convert_to(signed_text, 'UTF8')))
        );
        GRANT SELECT, INSERT ON clearing.audit_block TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.audit_block');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
