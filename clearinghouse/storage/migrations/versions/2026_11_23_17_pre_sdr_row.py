"""The canonical row of an SDR says what it corrects, its VAT, and its connectors."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_17_pre"
down_revision = "2026_11_23_16_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the function; no released version wrote rows of the form before."""
    op.execute("""
        CREATE OR REPLACE FUNCTION clearing.sdr_row(
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
                s.claimed_minor, s.net_minor, s.rule_codes, s.kind,
                coalesce(s.ref_window_id::text, ''), coalesce(s.ref_sdr_no::text, ''),
                s.vat_category, s.vat_rate_bp, s.vat_rule_id,
                coalesce(s.place_country::text, ''),
                coalesce(s.detail ->> 'connectors', ''),
                to_char(s.received_at AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                s.detail ->> 'sessions')
        $$;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
