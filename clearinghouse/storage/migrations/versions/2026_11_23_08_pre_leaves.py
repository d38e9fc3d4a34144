"""The Merkle leaf of each SDR and the root of each batch (settlement, proof)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_08_pre"
down_revision = "2026_11_23_07_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and the second computation of a row and its leaf."""
    op.execute("""
        -- SDRs of before this version have no leaf: sealing makes it from the row.
        ALTER TABLE clearing.sdr
            ADD COLUMN leaf bytea CHECK (octet_length(leaf) = 32);
        ALTER TABLE clearing.sdr_batch
            ADD COLUMN root bytea CHECK (octet_length(root) = 32);
    """)
    op.execute("""
        -- The canonical row of an SDR: the same line as clearinghouse/domain/sdr_rows
        -- writes at intake. It names no person.
        CREATE FUNCTION clearing.sdr_row(
            s clearing.sdr, submitter text, csp text, cso text)
        RETURNS text LANGUAGE sql STABLE AS $$
            SELECT concat_ws(E'\\t', 1, s.window_id, s.sdr_no, submitter, s.sdr_uid,
                csp, cso, s.batch_id, s.record_no, s.status,
                coalesce(s.session_id::text, ''), s.evse_key,
                coalesce(s.detail ->> 'zone', ''),
                to_char(s.started_at AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                to_char(s.ended_at AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                s.start_offset_minutes, s.energy_wh, s.charge_seconds, s.idle_seconds,
                s.parking_seconds, s.tariff_version_id, s.engine_version, s.currency,
                s.claimed_minor, s.net_minor, s.rule_codes,
                to_char(s.received_at AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                s.detail ->> 'sessions')
        $$;
        CREATE FUNCTION clearing.leaf(line text) RETURNS bytea
        LANGUAGE sql IMMUTABLE AS $$
            SELECT sha256('\\x00'::bytea || convert_to(line, 'UTF8'))
        $$;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
