"""The parts of a list are known by their content (contract: Style, idempotent).

A part that comes again is the same part, or a fault of the sender's that must not pass
in silence; the entries themselves are gone once their list is in force. Parts that
came before this step have no row and count as the same.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_01_pre"
down_revision = "2026_11_22_09_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of parts."""
    op.execute("""
        CREATE TABLE clearing.credential_list_part (
            csp_id integer NOT NULL,
            list_id uuid NOT NULL,
            part integer NOT NULL CHECK (part >= 1),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            PRIMARY KEY (csp_id, list_id, part),
            FOREIGN KEY (csp_id, list_id) REFERENCES clearing.credential_list
                ON DELETE CASCADE
        );
        GRANT SELECT, INSERT, DELETE
            ON clearing.credential_list_part TO clearinghouse_app;
    """)
    op.execute("""
        CREATE TABLE clearing.evse_list_part (
            cso_id integer NOT NULL,
            list_id uuid NOT NULL,
            part integer NOT NULL CHECK (part >= 1),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            PRIMARY KEY (cso_id, list_id, part),
            FOREIGN KEY (cso_id, list_id) REFERENCES clearing.evse_list
                ON DELETE CASCADE
        );
        GRANT SELECT, INSERT, DELETE
            ON clearing.evse_list_part TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
