"""Fees and foreign exchange of settlement runs (settlement 2.6 and 2.9)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_21_pre"
down_revision = "2026_11_23_20_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of fees, rates and choices."""
    _fees()
    _rates()
    _conversions()


def _fees() -> None:
    op.execute("""
        -- Tiers as JSON: [[up to or null, micro-units], ...].
        CREATE TABLE clearing.fee_plan (
            plan_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            party_id text NOT NULL REFERENCES clearing.participant (party_id),
            currency char(3) NOT NULL,
            valid_from date NOT NULL,
            side text NOT NULL CHECK (side IN ('RECEIVED', 'SUBMITTED', 'BOTH')),
            tiers text NOT NULL,
            share_ppm integer NOT NULL CHECK (share_ppm >= 0),
            minimum_minor bigint NOT NULL CHECK (minimum_minor >= 0),
            maximum_minor bigint CHECK (maximum_minor >= minimum_minor),
            created_at timestamptz NOT NULL
        );
        CREATE INDEX fee_plan_party ON clearing.fee_plan (party_id, currency);
        GRANT SELECT, INSERT ON clearing.fee_plan TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.fee_plan');
        CREATE TABLE clearing.run_fee (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            party_id text NOT NULL REFERENCES clearing.participant (party_id),
            plan_id integer NOT NULL REFERENCES clearing.fee_plan,
            sdr_count bigint NOT NULL CHECK (sdr_count >= 0),
            turnover_minor bigint NOT NULL,
            sdr_minor bigint NOT NULL,
            share_minor bigint NOT NULL,
            net_minor bigint NOT NULL CHECK (net_minor > 0),
            vat_category text NOT NULL,
            vat_rate_bp integer NOT NULL CHECK (vat_rate_bp >= 0),
            vat_rule_id integer NOT NULL,
            vat_minor bigint NOT NULL CHECK (vat_minor >= 0),
            PRIMARY KEY (run_id, party_id)
        );
        GRANT SELECT, INSERT ON clearing.run_fee TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_fee');
        -- The house's own invoices (380), and credit notes (381) of reversed runs.
        CREATE TABLE clearing.fee_document (
            number text PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('380', '381')),
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            party_id text NOT NULL REFERENCES clearing.participant (party_id),
            currency char(3) NOT NULL,
            net_minor bigint NOT NULL CHECK (net_minor > 0),
            vat_minor bigint NOT NULL CHECK (vat_minor >= 0),
            refers_to text UNIQUE REFERENCES clearing.fee_document,
            issued_at timestamptz NOT NULL,
            UNIQUE (run_id, party_id),
            CHECK ((kind = '381') = (refers_to IS NOT NULL))
        );
        GRANT SELECT, INSERT ON clearing.fee_document TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.fee_document');
    """)


def _rates() -> None:
    op.execute("""
        -- Units of a currency for one euro, in micro-units.
        CREATE TABLE clearing.fx_rate (
            currency char(3) NOT NULL
                CHECK (currency ~ '^[A-Z]{3}$' AND currency <> 'EUR'),
            day date NOT NULL,
            version integer NOT NULL CHECK (version >= 1),
            rate_u bigint NOT NULL CHECK (rate_u > 0),
            created_at timestamptz NOT NULL,
            PRIMARY KEY (currency, day, version)
        );
        GRANT SELECT, INSERT ON clearing.fx_rate TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.fx_rate');
        CREATE TABLE clearing.settlement_choice (
            choice_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            party text NOT NULL REFERENCES clearing.participant (party_id),
            other text NOT NULL CHECK (other = '' OR other > party COLLATE "C"),
            from_currency char(3) NOT NULL,
            to_currency char(3) NOT NULL,
            valid_from date NOT NULL,
            created_at timestamptz NOT NULL
        );
        GRANT SELECT, INSERT ON clearing.settlement_choice TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.settlement_choice');
    """)


def _conversions() -> None:
    op.execute("""
        CREATE TABLE clearing.run_rate (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            currency char(3) NOT NULL,
            day date NOT NULL,
            version integer NOT NULL,
            PRIMARY KEY (run_id, currency),
            FOREIGN KEY (currency, day, version) REFERENCES clearing.fx_rate
        );
        GRANT SELECT, INSERT ON clearing.run_rate TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_rate');
        CREATE TABLE clearing.run_conversion (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            currency char(3) NOT NULL,
            debtor text NOT NULL,
            creditor text NOT NULL CHECK (creditor <> debtor),
            from_minor bigint NOT NULL CHECK (from_minor > 0),
            to_minor bigint NOT NULL CHECK (to_minor >= 0),
            PRIMARY KEY (run_id, currency, debtor, creditor)
        );
        GRANT SELECT, INSERT ON clearing.run_conversion TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_conversion');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
