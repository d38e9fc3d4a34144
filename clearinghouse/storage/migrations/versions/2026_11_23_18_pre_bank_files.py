"""What banks said in their statements, and mandates to collect (4.3-I3)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_18_pre"
down_revision = "2026_11_23_17_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of bank statements and of mandates."""
    op.execute("""
        CREATE TABLE clearing.bank_statement (
            account text NOT NULL,
            statement_id text NOT NULL CHECK (length(statement_id) BETWEEN 1 AND 35),
            created_at timestamptz NOT NULL,
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            taken_at timestamptz NOT NULL,
            PRIMARY KEY (account, statement_id)
        );
        GRANT SELECT, INSERT ON clearing.bank_statement TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.bank_statement');
        CREATE TABLE clearing.bank_entry (
            account text NOT NULL,
            statement_id text NOT NULL,
            reference text NOT NULL,
            end_to_end_id text NOT NULL,
            currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
            amount_minor bigint NOT NULL CHECK (amount_minor > 0),
            is_credit boolean NOT NULL,
            is_return boolean NOT NULL,
            booked_at timestamptz NOT NULL,
            PRIMARY KEY (account, statement_id, reference),
            FOREIGN KEY (account, statement_id) REFERENCES clearing.bank_statement
        );
        CREATE INDEX bank_entry_payment ON clearing.bank_entry (end_to_end_id);
        GRANT SELECT, INSERT ON clearing.bank_entry TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.bank_entry');
    """)
    op.execute("""
        -- The newest row of a party counts; one without a mandate id takes it back.
        CREATE TABLE clearing.payment_mandate (
            party_id text NOT NULL REFERENCES clearing.participant (party_id),
            version integer NOT NULL CHECK (version >= 1),
            mandate_id text NOT NULL,
            signed_on date NOT NULL,
            creditor_id text NOT NULL,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (party_id, version)
        );
        GRANT SELECT, INSERT ON clearing.payment_mandate TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.payment_mandate');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
