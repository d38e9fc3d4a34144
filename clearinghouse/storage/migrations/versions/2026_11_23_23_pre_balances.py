"""Balances as derived figures: blocks of postings with what they moved (2.9)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_23_pre"
down_revision = "2026_11_23_22_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give postings the transaction they came with, and create the snapshots."""
    op.execute("""
        ALTER TABLE clearing.posting ADD COLUMN posted_xid xid8 NOT NULL
            DEFAULT pg_current_xact_id();
        CREATE INDEX posting_xid ON clearing.posting (posted_xid);
        -- A block holds what transactions from one up to another posted; it is made
        -- when all of them are over, so that nothing comes into it later.
        CREATE TABLE clearing.balance_block (
            block_no integer PRIMARY KEY CHECK (block_no >= 1),
            from_xid xid8 NOT NULL,
            until_xid xid8 NOT NULL CHECK (until_xid > from_xid),
            postings bigint NOT NULL CHECK (postings > 0),
            made_at timestamptz NOT NULL
        );
        GRANT SELECT, INSERT ON clearing.balance_block TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.balance_block');
        CREATE TABLE clearing.balance_snapshot (
            block_no integer NOT NULL REFERENCES clearing.balance_block,
            account text NOT NULL,
            currency char(3) NOT NULL,
            moved_minor bigint NOT NULL,
            balance_minor bigint NOT NULL,
            PRIMARY KEY (block_no, account, currency)
        );
        CREATE INDEX balance_snapshot_account ON clearing.balance_snapshot
            (account, currency, block_no);
        GRANT SELECT, INSERT ON clearing.balance_snapshot TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.balance_snapshot');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
