"""Net debit caps, and what is needed to look up quickly what a CSP owes (S-211)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_28_pre"
down_revision = "2026_11_23_27_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of caps and the function that knows what a cap holds."""
    op.execute("""
        -- Without a limit: lifted.
        CREATE TABLE clearing.debit_cap (
            cap_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            party_id text NOT NULL REFERENCES clearing.participant (party_id),
            currency char(3) NOT NULL,
            limit_minor bigint CHECK (limit_minor >= 0),
            valid_from timestamptz NOT NULL,
            created_at timestamptz NOT NULL
        );
        CREATE INDEX debit_cap_party
            ON clearing.debit_cap (party_id, currency, valid_from, cap_id);
        GRANT SELECT, INSERT ON clearing.debit_cap TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.debit_cap');
        CREATE INDEX batch_total_csp ON clearing.batch_total (csp_id, window_id);
        CREATE INDEX settlement_pair_debtor
            ON clearing.settlement_pair (debtor_id, settlement_id);
    """)
    op.execute("""
        -- Whether nothing but a cap holds an SDR: its home CSP is told of it then.
        CREATE FUNCTION clearing.is_capped(integer, bigint) RETURNS boolean
        LANGUAGE sql STABLE PARALLEL SAFE
        AS $$
            SELECT coalesce(bool_and(rule = 'S-211'), false)
            FROM clearing.rule_hit
            WHERE window_id = $1 AND sdr_no = $2 AND severity = 'H'
        $$;
        GRANT EXECUTE ON FUNCTION clearing.is_capped(integer, bigint)
            TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
