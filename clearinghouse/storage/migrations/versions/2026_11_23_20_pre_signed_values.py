"""Signed meter values: digests and standing in business, the texts sealed (8-separate).

Business puts sealed texts into the privacy schema through one function, a slot: it may
not read there, and both are written in one transaction.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_20_pre"
down_revision = "2026_11_23_19_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables and the slot between them."""
    op.execute("""
        CREATE TABLE clearing.signed_value (
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            session_no smallint NOT NULL,
            transaction_no smallint NOT NULL,
            value_no smallint NOT NULL,
            -- privacy.sealed_text by number only, as persons are.
            text_id uuid NOT NULL,
            format text NOT NULL CHECK (format IN ('OCMF', 'OTHER')),
            encoding text NOT NULL CHECK (encoding IN ('PLAIN', 'BASE64', 'HEX')),
            characters integer NOT NULL CHECK (characters BETWEEN 1 AND 8192),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            standing text NOT NULL CHECK (standing IN
                ('VERIFIED', 'INTACT', 'INVALID', 'UNCHECKED')),
            sent_key text CHECK (length(sent_key) <= 1024),
            used_key text CHECK (length(used_key) <= 1024),
            PRIMARY KEY (window_id, sdr_no, session_no, transaction_no, value_no)
        );
        GRANT SELECT, INSERT ON clearing.signed_value TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.signed_value');
    """)
    op.execute("""
        CREATE TABLE privacy.sealed_text (
            text_id uuid PRIMARY KEY,
            -- Whose key seals it; without one the text has a key of its own.
            subject_id bigint,
            lookup bytea CHECK (octet_length(lookup) = 32),
            key_sealed bytea,
            text_sealed bytea NOT NULL,
            kept_at timestamptz NOT NULL,
            CHECK ((subject_id IS NULL) = (key_sealed IS NOT NULL)),
            CHECK (subject_id IS NULL OR lookup IS NULL)
        );
        CREATE INDEX sealed_text_subject ON privacy.sealed_text (subject_id);
        CREATE INDEX sealed_text_lookup ON privacy.sealed_text (lookup);
        GRANT SELECT, DELETE ON privacy.sealed_text TO clearinghouse_privacy;
    """)
    op.execute("""
        CREATE FUNCTION clearing.keep_sealed_texts(
            ids uuid[], subjects bigint[], lookups bytea[], keys bytea[],
            texts bytea[], at timestamptz) RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
            INSERT INTO privacy.sealed_text
                (text_id, subject_id, lookup, key_sealed, text_sealed, kept_at)
            SELECT q.text_id, q.subject_id, q.lookup, q.key_sealed, q.text_sealed, at
            FROM unnest(ids, subjects, lookups, keys, texts)
                AS q (text_id, subject_id, lookup, key_sealed, text_sealed)
        $$;
        REVOKE ALL ON FUNCTION clearing.keep_sealed_texts(
            uuid[], bigint[], bytea[], bytea[], bytea[], timestamptz) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION clearing.keep_sealed_texts(
            uuid[], bigint[], bytea[], bytea[], bytea[], timestamptz)
            TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
