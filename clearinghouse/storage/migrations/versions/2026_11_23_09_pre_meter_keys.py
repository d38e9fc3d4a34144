"""Meters sign: their keys in the registry, and relations that require it (S-111)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_09_pre"
down_revision = "2026_11_23_08_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the key to EVSEs and the term to agreements; nobody has either yet."""
    op.execute("""
        ALTER TABLE clearing.evse ADD meter_public_key text
            CHECK (length(meter_public_key) BETWEEN 2 AND 1024);
        ALTER TABLE clearing.evse_list_entry ADD meter_public_key text
            CHECK (length(meter_public_key) BETWEEN 2 AND 1024);
        ALTER TABLE clearing.agreement
            ADD signed_meter_required boolean NOT NULL DEFAULT false;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
