"""The terms that stand behind a window: profiles, the table of VAT, agreements.

Only what was known when the window closed, or when a run that took of it was proposed:
what came later changes no bundle that is written again. The table of VAT that the house
began with was always known.
"""

from __future__ import annotations

from psycopg import sql

from clearinghouse.storage.bundle_files import file_of

_PROFILES = sql.SQL("""
    COPY (
        SELECT b.party_id, b.version, b.valid_from, b.country, coalesce(b.vat_id, ''),
               b.is_taxable_dealer::text,
               to_char(b.created_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM clearing.billing_profile AS b
        WHERE b.created_at <= ({horizon})
          AND (b.party_id = {house} OR b.party_id IN (
            SELECT p.party_id FROM clearing.participant AS p
            WHERE p.participant_id IN (
                SELECT t.participant_id FROM clearing.statement AS t
                WHERE t.window_id = {window_id})))
        ORDER BY b.party_id COLLATE "C", b.version
    ) TO STDOUT
""")

_VAT_RULES = sql.SQL("""
    COPY (
        SELECT r.rule_id, r.service, r.seller, r.buyer, r.place,
               coalesce(r.dealer::text, ''), r.valid_from,
               coalesce(r.valid_until::text, ''),
               coalesce(e.valid_until::text, ''),
               coalesce(to_char(e.created_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''),
               r.category, r.rate_bp, r.reason_code, r.priority,
               to_char(r.created_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM clearing.vat_rule AS r
        LEFT JOIN clearing.vat_rule_end AS e
            ON e.rule_id = r.rule_id
           AND e.created_at <= ({horizon})
        WHERE r.created_at <= ({horizon})
           OR r.created_at = (SELECT min(f.created_at) FROM clearing.vat_rule AS f)
        ORDER BY r.rule_id
    ) TO STDOUT
""")

_AGREEMENTS = sql.SQL("""
    COPY (
        SELECT a.agreement_id, visited.party_id, home.party_id, a.currency,
               to_char(a.valid_from AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               a.tolerance_minor, a.tolerance_ppm, a.energy_wh_max,
               a.duration_seconds_max, a.elapsed_slack_seconds,
               coalesce(a.net_ceiling_minor::text, '')
        FROM clearing.agreement AS a
        JOIN clearing.participant AS visited ON visited.participant_id = a.visited_id
        JOIN clearing.participant AS home ON home.participant_id = a.home_id
        WHERE a.agreement_id IN (
            SELECT s.agreement_id FROM clearing.sdr AS s
            WHERE s.window_id = {window_id})
        ORDER BY a.agreement_id
    ) TO STDOUT
""")

_JUDGEMENTS = sql.SQL("""
    COPY (
        SELECT s.sdr_no, s.agreement_id, s.rule_version, coalesce(s.match_kind, '')
        FROM clearing.sdr AS s
        WHERE s.window_id = {window_id} AND s.agreement_id IS NOT NULL
        ORDER BY s.sdr_no
    ) TO STDOUT
""")

_CORRECTIONS = sql.SQL("""
    COPY (
        SELECT c.sdr_no, c.ref_window_id, c.ref_sdr_no, coalesce(c.dispute_id, '')
        FROM clearing.sdr_chain AS c WHERE c.window_id = {window_id}
        ORDER BY c.sdr_no
    ) TO STDOUT
""")

#: The files of this kind in the order in which they stand in the bundle.
FILES = (
    file_of(
        "profiles.tsv",
        "partyId version validFrom country vatId isTaxableDealer createdAt",
        _PROFILES,
    ),
    file_of(
        "vatrules.tsv",
        "ruleId service seller buyer place dealer validFrom validUntil endsOn endedAt"
        " category rateBp reasonCode priority createdAt",
        _VAT_RULES,
    ),
    file_of(
        "agreements.tsv",
        "agreementId visitedId homeId currency validFrom toleranceMinor tolerancePpm"
        " energyWhMax durationSecondsMax elapsedSlackSeconds netCeilingMinor",
        _AGREEMENTS,
    ),
    file_of("judgements.tsv", "sdrNo agreementId ruleVersion matchKind", _JUDGEMENTS),
    file_of("corrections.tsv", "sdrNo refWindowId refSdrNo disputeId", _CORRECTIONS),
)
