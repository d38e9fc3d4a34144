"""Invoices of the house for its fees: rendered and listed as other invoices are."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_29_pre"
down_revision = "2026_11_23_28_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Freeze whom fee documents name, and let them be issued."""
    op.execute("""
        -- Unknown of what was booked before: then the profiles of the issue stand.
        ALTER TABLE clearing.fee_document
            ADD COLUMN seller_version integer,
            ADD COLUMN buyer_version integer,
            ADD COLUMN due_on date;
    """)
    op.execute("""
        -- A number stands either with the documents of partners or with those of the
        -- house; both are append-only, so that what was found once stays.
        CREATE FUNCTION clearing.require_document() RETURNS trigger
            LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM clearing.document WHERE number = NEW.number)
               AND NOT EXISTS (
                   SELECT FROM clearing.fee_document WHERE number = NEW.number)
            THEN
                RAISE foreign_key_violation USING MESSAGE = 'no such document';
            END IF;
            RETURN NEW;
        END $$;
        ALTER TABLE clearing.document_rendering
            DROP CONSTRAINT document_rendering_number_fkey;
        CREATE TRIGGER document_is_known BEFORE INSERT ON clearing.document_rendering
            FOR EACH ROW EXECUTE FUNCTION clearing.require_document();
        ALTER TABLE clearing.document_issue
            DROP CONSTRAINT document_issue_number_fkey;
        CREATE TRIGGER document_is_known BEFORE INSERT ON clearing.document_issue
            FOR EACH ROW EXECUTE FUNCTION clearing.require_document();
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
