"""Tariffs say more: a discount, prices with VAT, whose beginning chooses a price."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_12_pre"
down_revision = "2026_11_23_11_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the terms; what was published before has none of them."""
    op.execute("""
        ALTER TABLE clearing.tariff
            ADD COLUMN discount_ppm integer NOT NULL DEFAULT 0
                CHECK (discount_ppm BETWEEN 0 AND 1000000),
            ADD COLUMN vat_included boolean NOT NULL DEFAULT false,
            ADD COLUMN priced_by text NOT NULL DEFAULT 'INTERVAL'
                CHECK (priced_by IN ('INTERVAL', 'START'));
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
