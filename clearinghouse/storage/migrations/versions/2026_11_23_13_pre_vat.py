"""The table of VAT with the rules it is shipped with, and VAT of each SDR.

What was submitted before has category O and rate 0: its net is what is owed. The rules
are a beginning, to be checked by a tax adviser; the operator ends and adds.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_13_pre"
down_revision = "2026_11_23_12_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, fill it, and let SDRs and totals have their VAT."""
    _rules()
    _rates()
    _standard_rates()
    _cross_border()
    _sdrs()


def _rules() -> None:
    op.execute("""
        CREATE TABLE clearing.vat_rule (
            rule_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            service text NOT NULL CHECK (service IN ('ENERGY', 'SERVICE', 'FEE')),
            seller text NOT NULL CHECK (seller ~ '^([A-Z]{2}|OTHER|[*])$'),
            buyer text NOT NULL CHECK (buyer ~ '^([A-Z]{2}|OTHER|[*])$'),
            place text NOT NULL CHECK (place ~ '^([A-Z]{2}|OTHER|[*])$'),
            dealer boolean,
            valid_from date NOT NULL,
            valid_until date,
            category text NOT NULL
                CHECK (category IN ('S', 'AE', 'Z', 'E', 'O', 'K', 'G')),
            rate_bp integer NOT NULL CHECK (rate_bp BETWEEN 0 AND 5000),
            reason_code text NOT NULL,
            reason text NOT NULL,
            priority integer NOT NULL CHECK (priority >= 0),
            created_at timestamptz NOT NULL,
            CHECK (valid_until > valid_from),
            CHECK ((category = 'S') = (rate_bp > 0)),
            CHECK ((category IN ('S', 'Z')) = (reason_code = '' AND reason = ''))
        );
        CREATE INDEX vat_rule_countries
            ON clearing.vat_rule (service, seller, buyer, place);
        GRANT SELECT, INSERT ON clearing.vat_rule TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.vat_rule');
        CREATE TABLE clearing.vat_rule_end (
            rule_id integer PRIMARY KEY REFERENCES clearing.vat_rule,
            valid_until date NOT NULL,
            created_at timestamptz NOT NULL
        );
        GRANT SELECT, INSERT ON clearing.vat_rule_end TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.vat_rule_end');
    """)


def _rates() -> None:
    op.execute("""
        CREATE TEMPORARY TABLE rate (
            country text, begins date, ends date, rate_bp integer
        ) ON COMMIT DROP;
        INSERT INTO rate VALUES
            ('AT', '2024-01-01', NULL, 2000),
            ('BE', '2024-01-01', NULL, 2100),
            ('BG', '2024-01-01', NULL, 2000),
            ('CH', '2024-01-01', NULL, 810),
            ('CY', '2024-01-01', NULL, 1900),
            ('CZ', '2024-01-01', NULL, 2100),
            ('DE', '2024-01-01', NULL, 1900),
            ('DK', '2024-01-01', NULL, 2500),
            ('EE', '2024-01-01', '2025-07-01', 2200),
            ('EE', '2025-07-01', NULL, 2400),
            ('ES', '2024-01-01', NULL, 2100),
            ('FI', '2024-01-01', '2024-09-01', 2400),
            ('FI', '2024-09-01', NULL, 2550),
            ('FR', '2024-01-01', NULL, 2000),
            ('GB', '2024-01-01', NULL, 2000),
            ('GR', '2024-01-01', NULL, 2400),
            ('HR', '2024-01-01', NULL, 2500),
            ('HU', '2024-01-01', NULL, 2700),
            ('IE', '2024-01-01', NULL, 2300),
            ('IS', '2024-01-01', NULL, 2400),
            ('IT', '2024-01-01', NULL, 2200),
            ('LI', '2024-01-01', NULL, 810),
            ('LT', '2024-01-01', NULL, 2100),
            ('LU', '2024-01-01', NULL, 1700),
            ('LV', '2024-01-01', NULL, 2100),
            ('MT', '2024-01-01', NULL, 1800),
            ('NL', '2024-01-01', NULL, 2100),
            ('NO', '2024-01-01', NULL, 2500),
            ('PL', '2024-01-01', NULL, 2300),
            ('PT', '2024-01-01', NULL, 2300),
            ('RO', '2024-01-01', '2025-08-01', 1900),
            ('RO', '2025-08-01', NULL, 2100),
            ('SE', '2024-01-01', NULL, 2500),
            ('SI', '2024-01-01', NULL, 2200),
            ('SK', '2024-01-01', '2025-01-01', 2000),
            ('SK', '2025-01-01', NULL, 2300);
        -- Where a taxable dealer owes the VAT on electricity of a seller of its own
        -- country as well.
        CREATE TEMPORARY TABLE reverse_charge (country text) ON COMMIT DROP;
        INSERT INTO reverse_charge VALUES
            ('AT'), ('CZ'), ('DE'), ('FR'), ('IT'), ('RO');
    """)


def _standard_rates() -> None:
    op.execute("""
        -- Electricity to who is no dealer: where it is used, whoever sells it.
        INSERT INTO clearing.vat_rule (service, seller, buyer, place, dealer,
            valid_from, valid_until, category, rate_bp, reason_code, reason, priority,
            created_at)
        SELECT 'ENERGY', '*', '*', country, false, begins, ends, 'S', rate_bp, '', '',
               0, TIMESTAMPTZ '2026-11-23 00:00:00+00'
        FROM rate ORDER BY country, begins;
        -- Electricity to a dealer of the same country, and fees and services.
        INSERT INTO clearing.vat_rule (service, seller, buyer, place, dealer,
            valid_from, valid_until, category, rate_bp, reason_code, reason, priority,
            created_at)
        SELECT service, country, country, '*', dealer, begins, ends, 'S', rate_bp, '',
               '', 0, TIMESTAMPTZ '2026-11-23 00:00:00+00'
        FROM rate CROSS JOIN (VALUES
            ('ENERGY', true), ('SERVICE', NULL), ('FEE', NULL)) AS k (service, dealer)
        WHERE service <> 'ENERGY'
           OR country NOT IN (SELECT country FROM reverse_charge)
        ORDER BY service, country, begins;
        -- Switzerland and Liechtenstein are one territory of VAT.
        INSERT INTO clearing.vat_rule (service, seller, buyer, place, dealer,
            valid_from, valid_until, category, rate_bp, reason_code, reason, priority,
            created_at)
        SELECT service, seller, buyer, '*', dealer, begins, ends, 'S', rate_bp, '', '',
               0, TIMESTAMPTZ '2026-11-23 00:00:00+00'
        FROM rate CROSS JOIN (VALUES
            ('ENERGY', true), ('SERVICE', NULL), ('FEE', NULL)) AS k (service, dealer)
        CROSS JOIN (VALUES ('CH', 'LI'), ('LI', 'CH')) AS union_of (seller, buyer)
        WHERE rate.country = 'CH'
        ORDER BY service, seller;
    """)


def _cross_border() -> None:
    op.execute("""
        INSERT INTO clearing.vat_rule (service, seller, buyer, place, dealer,
            valid_from, category, rate_bp, reason_code, reason, priority, created_at)
        SELECT 'ENERGY', country, country, '*', true, DATE '2024-01-01', 'AE', 0,
               'VATEX-EU-AE', 'Reverse charge', 0, TIMESTAMPTZ '2026-11-23 00:00:00+00'
        FROM reverse_charge ORDER BY country;
        INSERT INTO clearing.vat_rule (service, seller, buyer, place, dealer,
            valid_from, category, rate_bp, reason_code, reason, priority, created_at)
        SELECT service, seller, buyer, '*', dealer, DATE '2024-01-01', category, 0,
               code, reason, 0, TIMESTAMPTZ '2026-11-23 00:00:00+00'
        FROM (VALUES
            ('ENERGY', true), ('SERVICE', NULL), ('FEE', NULL)) AS k (service, dealer)
        CROSS JOIN (VALUES
            ('EU', 'EU', 'AE', 'VATEX-EU-AE', 'Reverse charge'),
            ('OTHER', 'EU', 'AE', 'VATEX-EU-AE', 'Reverse charge'),
            ('*', 'OTHER', 'O', 'VATEX-EU-O', 'Not subject to VAT')
        ) AS way (seller, buyer, category, code, reason)
        ORDER BY service, seller, buyer;
    """)


def _sdrs() -> None:
    op.execute("""
        ALTER TABLE clearing.sdr
            ADD COLUMN vat_category text NOT NULL DEFAULT 'O',
            ADD COLUMN vat_rate_bp integer NOT NULL DEFAULT 0,
            ADD COLUMN vat_rule_id integer NOT NULL DEFAULT 0,
            ADD COLUMN place_country text NOT NULL DEFAULT '';
        -- The kind of the document on which a total stands: 380 invoice, 381 credit
        -- note.
        ALTER TABLE clearing.batch_total
            ADD COLUMN kind text NOT NULL DEFAULT '380' CHECK (kind IN ('380', '381')),
            ADD COLUMN vat_category text NOT NULL DEFAULT 'O',
            ADD COLUMN vat_rate_bp integer NOT NULL DEFAULT 0,
            ADD COLUMN vat_rule_id integer NOT NULL DEFAULT 0,
            ADD COLUMN place_country text NOT NULL DEFAULT '';
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
