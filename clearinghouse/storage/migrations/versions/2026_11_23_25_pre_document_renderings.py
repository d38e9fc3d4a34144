"""Invoices and credit notes as issued: rendered once, kept for ever (4.3-I3)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_25_pre"
down_revision = "2026_11_23_24_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of issued documents."""
    op.execute("""
        CREATE TABLE clearing.document_rendering (
            number text NOT NULL REFERENCES clearing.document,
            format text NOT NULL CHECK (format IN ('UBL', 'CII', 'PDF')),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            bytes bigint NOT NULL CHECK (bytes > 0),
            content bytea NOT NULL,
            PRIMARY KEY (number, format)
        );
        ALTER TABLE clearing.document_rendering
            ALTER COLUMN content SET STORAGE EXTERNAL;
        GRANT SELECT, INSERT ON clearing.document_rendering TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.document_rendering');
        -- A document is listed from its issue on, once for the seller and once for
        -- the buyer: the feed that each pulls.
        CREATE TABLE clearing.document_issue (
            number text NOT NULL REFERENCES clearing.document,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            issued_at timestamptz NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            PRIMARY KEY (number, participant_id)
        );
        CREATE INDEX document_issue_feed ON clearing.document_issue
            (participant_id, changed_xid, change_id);
        GRANT SELECT, INSERT ON clearing.document_issue TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.document_issue');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
