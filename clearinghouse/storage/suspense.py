"""Disputed amounts in suspense: which may end now, and which should not stand (2.9)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

#: Faults that one look names; the first show the pattern.
FAULTS_MAX = 100

_COUNTED = text("""
    SELECT dispute_id FROM clearing.dispute
    WHERE window_id = :window_id AND NOT carried AND ended_at IS NULL
    ORDER BY dispute_id
""")

# A hold stands as long as its dispute runs and no closed window counts its SDR. What
# should stand there for each dispute that was held, against what does.
_FAULTS = text("""
    WITH found AS (
        SELECT posting_key, debit_account, credit_account, currency, amount_minor,
               substr(split_part(posting_key, ':', 1), 2) AS dispute_id
        FROM clearing.posting
        WHERE code IN ('HOLD-ACCEPT', 'HOLD', 'HOLD-OWED',
                       'RELEASE-ACCEPT', 'RELEASE', 'RELEASE-OWED')
    ), held AS (
        SELECT d.dispute_id, d.currency, d.net_minor,
               'P:' || csp.party_id AS debtor, 'P:' || cso.party_id AS creditor,
               d.ended_at IS NOT NULL OR (NOT d.carried AND w.state = 'CLOSED')
                   AS is_over
        FROM clearing.dispute AS d
        JOIN clearing.settlement_window AS w USING (window_id)
        JOIN clearing.participant AS csp ON csp.participant_id = d.csp_id
        JOIN clearing.participant AS cso ON cso.participant_id = d.submitter_id
        WHERE d.dispute_id::text IN (SELECT dispute_id FROM found)
    ), leg AS (
        SELECT h.dispute_id, h.currency, h.net_minor, h.is_over, way.*
        FROM held AS h CROSS JOIN LATERAL (VALUES
            ('-ACCEPT', h.debtor || '\\:PAY', h.creditor || '\\:RECV'),
            ('', h.creditor || '\\:RECV', h.creditor || '\\:SUSP'),
            ('-OWED', h.debtor || '\\:SUSP', h.debtor || '\\:PAY')
        ) AS way (leg, debit, credit)
    ), wanted AS (
        SELECT 'D' || dispute_id || '\\:HOLD' || leg AS posting_key,
               debit, credit, currency, net_minor FROM leg
        UNION ALL
        SELECT 'D' || dispute_id || '\\:RELEASE' || leg,
               credit, debit, currency, net_minor FROM leg WHERE is_over
    )
    SELECT posting_key,
           concat_ws(' ', w.debit, w.credit, w.net_minor, w.currency) AS expected,
           concat_ws(' ', f.debit_account, f.credit_account, f.amount_minor,
                     f.currency) AS found
    FROM wanted AS w FULL JOIN found AS f USING (posting_key)
    WHERE (w.debit, w.credit, w.net_minor, w.currency) IS DISTINCT FROM
          (f.debit_account, f.credit_account, f.amount_minor, f.currency)
    ORDER BY posting_key COLLATE "C" LIMIT :limit
""")


def counted_in(tx: Connection, window_id: int) -> list[UUID]:
    """Return the running disputes about SDRs that a closing window counts."""
    return list(tx.execute(_COUNTED, {"window_id": window_id}).scalars())


def faults(tx: Connection) -> list[str]:
    """Return which disputes stand in suspense as they should not; empty proves it.

    At most :data:`FAULTS_MAX`.
    """
    return [
        f"{row.posting_key}: {row.found or 'nothing'}, expected "
        f"{row.expected or 'nothing'}"
        for row in tx.execute(_FAULTS, {"limit": FAULTS_MAX})
    ]
