"""Invoices and credit notes, and gross amounts of pairs, settlements and statements.

What was closed before has no documents; its gross is its net.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_22_pre"
down_revision = "2026_11_23_21_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the documents, and let amounts have their VAT."""
    _documents()
    _parts()
    op.execute("""
        ALTER TABLE clearing.settlement
            ADD COLUMN vat_minor bigint NOT NULL DEFAULT 0,
            -- Number of documents; none known of a window that was closed before.
            ADD COLUMN documents integer CHECK (documents >= 0);
        ALTER TABLE clearing.settlement_pair
            ADD COLUMN vat_minor bigint NOT NULL DEFAULT 0;
        ALTER TABLE clearing.settlement_pair
            ADD COLUMN gross_minor bigint NOT NULL
                GENERATED ALWAYS AS (net_minor + vat_minor) STORED;
        ALTER TABLE clearing.statement ADD COLUMN gross_minor bigint;
        ALTER TABLE clearing.agreement
            ADD COLUMN payment_days integer NOT NULL DEFAULT 30
                CHECK (payment_days >= 0);
    """)


def _documents() -> None:
    op.execute("""
        -- Names are frozen here, and the versions of the billing profiles: what was
        -- invoiced reads the same for ever. Amounts are what the document shows, so
        -- that a credit note has positive ones.
        CREATE TABLE clearing.document (
            number text PRIMARY KEY CHECK
                (number ~ '^(IN|CN)-[A-Z]{2}[A-Z0-9]{3}-[0-9]{4}-[0-9]{6,7}$'),
            series text NOT NULL,
            kind text NOT NULL CHECK (kind IN ('380', '381')),
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            seller_id integer NOT NULL REFERENCES clearing.participant,
            seller_party text NOT NULL,
            seller_name text NOT NULL,
            seller_country char(2) NOT NULL,
            seller_version integer,
            buyer_id integer NOT NULL REFERENCES clearing.participant,
            buyer_party text NOT NULL,
            buyer_name text NOT NULL,
            buyer_country char(2) NOT NULL,
            buyer_version integer,
            currency char(3) NOT NULL,
            net_minor bigint NOT NULL CHECK (net_minor >= 0),
            vat_minor bigint NOT NULL CHECK (vat_minor >= 0),
            gross_minor bigint NOT NULL,
            issued_at timestamptz NOT NULL,
            due_on date NOT NULL,
            CHECK (gross_minor = net_minor + vat_minor),
            CHECK (seller_id <> buyer_id),
            CHECK (number LIKE series || '-%'),
            CHECK ((kind = '380') = (number LIKE 'IN-%')),
            FOREIGN KEY (seller_party, seller_version)
                REFERENCES clearing.billing_profile,
            FOREIGN KEY (buyer_party, buyer_version)
                REFERENCES clearing.billing_profile
        );
        CREATE INDEX document_window ON clearing.document (window_id);
        CREATE INDEX document_series_numbers ON clearing.document (series);
        CREATE INDEX document_buyer ON clearing.document (buyer_id);
        GRANT SELECT, INSERT ON clearing.document TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.document');
    """)


def _parts() -> None:
    op.execute("""
        CREATE TABLE clearing.document_line (
            number text NOT NULL REFERENCES clearing.document,
            line_no integer NOT NULL CHECK (line_no >= 1),
            category text NOT NULL,
            rate_bp integer NOT NULL,
            place_country text NOT NULL,
            rule_id integer NOT NULL,
            sdr_count bigint NOT NULL,
            energy_wh bigint NOT NULL,
            net_minor bigint NOT NULL,
            PRIMARY KEY (number, line_no)
        );
        GRANT SELECT, INSERT ON clearing.document_line TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.document_line');
        CREATE TABLE clearing.document_vat (
            number text NOT NULL REFERENCES clearing.document,
            category text NOT NULL
                CHECK (category IN ('S', 'AE', 'Z', 'E', 'O', 'K', 'G')),
            rate_bp integer NOT NULL CHECK ((category = 'S') = (rate_bp > 0)),
            rule_id integer NOT NULL,
            reason_code text NOT NULL,
            reason text NOT NULL,
            sdr_count bigint NOT NULL,
            energy_wh bigint NOT NULL,
            base_minor bigint NOT NULL CHECK (base_minor >= 0),
            vat_minor bigint NOT NULL CHECK (vat_minor >= 0),
            PRIMARY KEY (number, category, rate_bp)
        );
        GRANT SELECT, INSERT ON clearing.document_vat TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.document_vat');
        -- The invoices that a credit note corrects.
        CREATE TABLE clearing.document_reference (
            number text NOT NULL REFERENCES clearing.document,
            preceding text NOT NULL REFERENCES clearing.document,
            PRIMARY KEY (number, preceding)
        );
        GRANT SELECT, INSERT ON clearing.document_reference TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.document_reference');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
