"""Disputes of a window and what stands in suspense because of them (ADR 26).

A dispute is in the bundle of the window of its SDR, of those over which its amount
stood in suspense, and of the one that its outcome fell into; as it was when that
window closed.
"""

from __future__ import annotations

from psycopg import sql

from clearinghouse.storage.bundle_files import file_of

_DISPUTES = sql.SQL("""
    COPY (
        SELECT d.dispute_id, d.window_id, d.sdr_no, csp.party_id, submitter.party_id,
               d.currency, d.net_minor, d.carried::text,
               to_char(d.opened_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               CASE WHEN d.ended_at <= w.closed_at
                    THEN to_char(d.ended_at AT TIME ZONE 'UTC',
                                 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE '' END,
               CASE WHEN d.ended_at <= w.closed_at
                    THEN coalesce(d.agreed_minor::text, '') ELSE '' END,
               coalesce(h.window_id::text, ''),
               CASE WHEN r.window_id <= w.window_id
                    THEN r.window_id::text ELSE '' END
        FROM clearing.settlement_window AS w
        JOIN clearing.dispute AS d ON d.opened_at <= w.closed_at
        JOIN clearing.participant AS csp ON csp.participant_id = d.csp_id
        JOIN clearing.participant AS submitter
            ON submitter.participant_id = d.submitter_id
        LEFT JOIN clearing.posting AS h
            ON h.posting_key = 'D' || d.dispute_id || ':HOLD'
        LEFT JOIN clearing.posting AS r
            ON r.posting_key = 'D' || d.dispute_id || ':RELEASE'
        WHERE w.window_id = {window_id} AND (
            d.window_id = w.window_id
            OR h.window_id <= w.window_id
               AND coalesce(r.window_id, w.window_id) >= w.window_id
            OR d.dispute_id::text IN (
                SELECT c.dispute_id FROM clearing.sdr_chain AS c
                WHERE c.window_id = {window_id}))
        ORDER BY d.dispute_id
    ) TO STDOUT
""")

_POSTINGS = sql.SQL("""
    COPY (
        SELECT p.posting_key, p.debit_account, p.credit_account, p.currency,
               p.amount_minor, p.code
        FROM clearing.posting AS p WHERE p.window_id = {window_id}
          AND p.code IN ('HOLD-ACCEPT', 'HOLD', 'HOLD-OWED',
                         'RELEASE-ACCEPT', 'RELEASE', 'RELEASE-OWED')
        ORDER BY p.posting_key COLLATE "C"
    ) TO STDOUT
""")

#: The files of this kind in the order in which they stand in the bundle.
FILES = (
    file_of(
        "disputes.tsv",
        "disputeId windowId sdrNo cspId submitterId currency netMinor carried openedAt"
        " endedAt agreedMinor heldWindowId releasedWindowId",
        _DISPUTES,
    ),
    file_of(
        "suspense.tsv",
        "postingKey debitAccount creditAccount currency amountMinor code",
        _POSTINGS,
    ),
)
