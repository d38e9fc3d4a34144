"""Settlements, the ledger and statements (clause 4.3-I3, settlement).

Every table here is append-only by grant and by trigger. The two counters that
must move (window state, document series) are the only updates of a closing.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_08_pre"
down_revision = "2026_11_22_07_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create settlement, ledger and statement tables."""
    _settlements()
    _zero_sum()
    _postings()
    _statements()
    _renderings()
    _numbers()


def _settlements() -> None:
    op.execute("""
        CREATE TABLE clearing.settlement (
            settlement_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            currency char(3) NOT NULL,
            gross_minor bigint NOT NULL,
            bilateral_minor bigint NOT NULL CHECK (bilateral_minor >= 0),
            multilateral_minor bigint NOT NULL CHECK (multilateral_minor >= 0),
            sdr_count bigint NOT NULL CHECK (sdr_count >= 0),
            energy_wh bigint NOT NULL,
            UNIQUE (window_id, currency)
        );
        GRANT SELECT, INSERT ON clearing.settlement TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.settlement');
    """)
    op.execute("""
        CREATE TABLE clearing.settlement_pair (
            settlement_id integer NOT NULL REFERENCES clearing.settlement,
            debtor_id integer NOT NULL REFERENCES clearing.participant,
            creditor_id integer NOT NULL REFERENCES clearing.participant,
            sdr_count bigint NOT NULL CHECK (sdr_count >= 0),
            energy_wh bigint NOT NULL,
            net_minor bigint NOT NULL,
            PRIMARY KEY (settlement_id, debtor_id, creditor_id),
            CHECK (debtor_id <> creditor_id)
        );
        GRANT SELECT, INSERT ON clearing.settlement_pair TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.settlement_pair');
    """)
    op.execute("""
        CREATE TABLE clearing.settlement_position (
            settlement_id integer NOT NULL REFERENCES clearing.settlement,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            receivable_minor bigint NOT NULL CHECK (receivable_minor >= 0),
            payable_minor bigint NOT NULL CHECK (payable_minor >= 0),
            net_minor bigint NOT NULL,
            PRIMARY KEY (settlement_id, participant_id),
            CHECK (net_minor = receivable_minor - payable_minor)
        );
        GRANT SELECT, INSERT ON clearing.settlement_position TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.settlement_position');
    """)


def _zero_sum() -> None:
    op.execute("""
        -- What one participant receives another pays: checked once more by the
        -- database when the closing transaction commits.
        CREATE FUNCTION clearing.check_zero_sum() RETURNS trigger
        LANGUAGE plpgsql AS $$
        DECLARE total numeric;
        BEGIN
            SELECT sum(net_minor) INTO total FROM clearing.settlement_position
            WHERE settlement_id = NEW.settlement_id;
            IF total <> 0 THEN
                RAISE EXCEPTION 'settlement %: positions sum to %, not to zero',
                    NEW.settlement_id, total USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END
        $$;
        CREATE CONSTRAINT TRIGGER zero_sum
            AFTER INSERT ON clearing.settlement_position
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION clearing.check_zero_sum();
    """)


def _postings() -> None:
    op.execute("""
        -- One row is both legs, so debits equal credits by construction.
        CREATE TABLE clearing.posting (
            posting_key text PRIMARY KEY,
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            debit_account text NOT NULL CHECK (debit_account ~
                '^(P:[A-Z]{2}[A-Z0-9]{3}:(RECV|PAY|POS)|CH:[A-Z]+)$'),
            credit_account text NOT NULL CHECK (credit_account ~
                '^(P:[A-Z]{2}[A-Z0-9]{3}:(RECV|PAY|POS)|CH:[A-Z]+)$'),
            currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
            amount_minor bigint NOT NULL CHECK (amount_minor > 0),
            code text NOT NULL,
            posted_at timestamptz NOT NULL,
            CHECK (debit_account <> credit_account)
        );
        CREATE INDEX posting_window ON clearing.posting (window_id);
        CREATE INDEX posting_debit ON clearing.posting (debit_account, currency);
        CREATE INDEX posting_credit ON clearing.posting (credit_account, currency);
        GRANT SELECT, INSERT ON clearing.posting TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.posting');
    """)


def _statements() -> None:
    op.execute("""
        -- Names are frozen here: a statement reads the same after a change of name.
        CREATE TABLE clearing.statement (
            statement_id text PRIMARY KEY
                CHECK (statement_id ~ '^ST-[0-9]{4}-[0-9]{6,}$'),
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            participant_name text NOT NULL,
            participant_country char(2) NOT NULL,
            issuer_party_id text NOT NULL,
            issuer_name text NOT NULL,
            currency char(3) NOT NULL,
            net_minor bigint NOT NULL,
            line_count bigint NOT NULL CHECK (line_count >= 0),
            created_at timestamptz NOT NULL,
            UNIQUE (window_id, participant_id, currency)
        );
        CREATE INDEX statement_participant ON clearing.statement (participant_id);
        GRANT SELECT, INSERT ON clearing.statement TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.statement');
    """)


def _renderings() -> None:
    op.execute("""
        -- The documents as issued. A statement is listed from its rendering on, so
        -- the feed is here; parts are compressed (zlib) and never rendered again:
        -- what a partner was handed stays what it was under a later version.
        CREATE TABLE clearing.statement_rendering (
            statement_id text NOT NULL REFERENCES clearing.statement,
            format text NOT NULL CHECK (format IN ('XML', 'CSV')),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            bytes bigint NOT NULL,
            parts integer NOT NULL CHECK (parts >= 1),
            rendered_at timestamptz NOT NULL,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            PRIMARY KEY (statement_id, format)
        );
        CREATE INDEX statement_rendering_feed ON clearing.statement_rendering
            (participant_id, changed_xid, change_id) WHERE format = 'XML';
        GRANT SELECT, INSERT ON clearing.statement_rendering TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.statement_rendering');
        CREATE TABLE clearing.statement_part (
            statement_id text NOT NULL,
            format text NOT NULL,
            part integer NOT NULL CHECK (part >= 1),
            content bytea NOT NULL,
            PRIMARY KEY (statement_id, format, part),
            FOREIGN KEY (statement_id, format) REFERENCES clearing.statement_rendering
                DEFERRABLE INITIALLY DEFERRED
        );
        ALTER TABLE clearing.statement_part
            ALTER COLUMN content SET STORAGE EXTERNAL;
        GRANT SELECT, INSERT ON clearing.statement_part TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.statement_part');
    """)


def _numbers() -> None:
    op.execute("""
        -- A counter row, not a sequence: numbers must have no gap (a rolled-back
        -- closing gives its numbers back).
        CREATE TABLE clearing.document_series (
            series text PRIMARY KEY,
            last bigint NOT NULL CHECK (last >= 0)
        );
        GRANT SELECT, INSERT ON clearing.document_series TO clearinghouse_app;
        GRANT UPDATE (last) ON clearing.document_series TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
