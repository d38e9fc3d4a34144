"""Billing profiles of participants and of the house, version by version."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_06_pre"
down_revision = "2026_11_23_05_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; a party id, since the house itself is no participant."""
    op.execute("""
        CREATE TABLE clearing.billing_profile (
            party_id text NOT NULL CHECK (party_id ~ '^[A-Z]{2}[A-Z0-9]{3}$'),
            version integer NOT NULL CHECK (version >= 1),
            valid_from date NOT NULL,
            legal_name text NOT NULL,
            street text NOT NULL,
            city text NOT NULL,
            postcode text NOT NULL,
            country char(2) NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
            contact_email text NOT NULL,
            vat_id text,
            tax_number text,
            is_taxable_dealer boolean NOT NULL,
            iban text,
            bic text,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (party_id, version),
            CHECK (vat_id IS NOT NULL OR NOT is_taxable_dealer)
        );
        GRANT SELECT, INSERT ON clearing.billing_profile TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.billing_profile');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
