"""The settlement runs that took of a window, whole, and the runs that reversed these.

A run may take of several windows: its pairs of other windows are proved by the bundles
of these.
"""

from __future__ import annotations

from psycopg import sql

from clearinghouse.storage.bundle_files import file_of

_RUNS = sql.SQL("""
    COPY (
        SELECT r.run_id, r.currency, r.model, r.fees,
               coalesce(r.reverses_run_id::text, ''), s.state, r.gross_minor,
               r.moved_minor,
               to_char(r.proposed_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM clearing.settlement_run AS r
        JOIN clearing.run_standing AS s ON s.run_id = r.run_id AND s.owner = ''
        WHERE r.run_id IN ({runs}) ORDER BY r.run_id
    ) TO STDOUT
""")

_EXCLUSIONS = sql.SQL("""
    COPY (
        SELECT x.run_id, x.party_id FROM clearing.run_exclusion AS x
        WHERE x.run_id IN ({runs})
        ORDER BY x.run_id, x.party_id COLLATE "C"
    ) TO STDOUT
""")

_PAIRS = sql.SQL("""
    COPY (
        SELECT p.run_id, s.window_id, p.currency, debtor.party_id, creditor.party_id,
               q.sdr_count, p.amount_minor
        FROM clearing.run_pair AS p
        JOIN clearing.settlement AS s USING (settlement_id)
        JOIN clearing.settlement_pair AS q USING (settlement_id, debtor_id, creditor_id)
        JOIN clearing.participant AS debtor ON debtor.participant_id = p.debtor_id
        JOIN clearing.participant AS creditor
            ON creditor.participant_id = p.creditor_id
        WHERE p.run_id IN ({runs})
        ORDER BY p.run_id, s.window_id, p.currency, debtor.party_id COLLATE "C",
                 creditor.party_id COLLATE "C"
    ) TO STDOUT
""")

_CHOICES = sql.SQL("""
    COPY (
        SELECT c.choice_id, c.party, c.other, c.from_currency, c.to_currency,
               c.valid_from,
               to_char(c.created_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM clearing.settlement_choice AS c
        WHERE c.created_at <= ({horizon})
        ORDER BY c.choice_id
    ) TO STDOUT
""")

_RATES = sql.SQL("""
    COPY (
        SELECT r.currency, r.day, r.version, r.rate_u,
               to_char(r.created_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM clearing.fx_rate AS r
        WHERE r.created_at <= ({horizon})
          AND r.currency IN (
            SELECT u.currency FROM clearing.run_rate AS u
            WHERE u.run_id IN ({runs}))
        ORDER BY r.currency, r.day, r.version
    ) TO STDOUT
""")

_RUN_RATES = sql.SQL("""
    COPY (
        SELECT u.run_id, u.currency, u.day, u.version FROM clearing.run_rate AS u
        WHERE u.run_id IN ({runs})
        ORDER BY u.run_id, u.currency
    ) TO STDOUT
""")

_CONVERSIONS = sql.SQL("""
    COPY (
        SELECT c.run_id, c.currency, c.debtor, c.creditor, c.from_minor, c.to_minor
        FROM clearing.run_conversion AS c
        WHERE c.run_id IN ({runs})
        ORDER BY c.run_id, c.currency, c.debtor COLLATE "C", c.creditor COLLATE "C"
    ) TO STDOUT
""")

_PLANS = sql.SQL("""
    COPY (
        SELECT p.plan_id, p.party_id, p.currency, p.valid_from, p.side, p.tiers,
               p.share_ppm, p.minimum_minor, coalesce(p.maximum_minor::text, ''),
               to_char(p.created_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               p.payment_days
        FROM clearing.fee_plan AS p
        WHERE p.created_at <= ({horizon})
          AND EXISTS ({runs})
        ORDER BY p.plan_id
    ) TO STDOUT
""")

_FEES = sql.SQL("""
    COPY (
        SELECT f.run_id, f.party_id, f.plan_id, f.sdr_count, f.turnover_minor,
               f.sdr_minor, f.share_minor, f.net_minor, f.vat_category, f.vat_rate_bp,
               f.vat_rule_id, f.vat_minor
        FROM clearing.run_fee AS f
        WHERE f.run_id IN ({runs})
        ORDER BY f.run_id, f.party_id COLLATE "C"
    ) TO STDOUT
""")

# What was booked before the day was kept is due by what every plan gave then.
_FEE_DOCUMENTS = sql.SQL("""
    COPY (
        SELECT f.number, f.kind, f.run_id, f.party_id, f.currency, f.net_minor,
               f.vat_minor, coalesce(f.refers_to, ''),
               to_char(f.issued_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               coalesce(f.due_on, (f.issued_at AT TIME ZONE 'UTC')::date + 30)
        FROM clearing.fee_document AS f
        WHERE f.run_id IN ({runs})
        ORDER BY f.number COLLATE "C"
    ) TO STDOUT
""")

_DEBTS = sql.SQL("""
    COPY (
        SELECT d.run_id, d.debtor, d.creditor, d.kind, d.amount_minor
        FROM clearing.run_debt AS d
        WHERE d.run_id IN ({runs})
        ORDER BY d.run_id, d.debtor COLLATE "C", d.creditor COLLATE "C", d.kind
    ) TO STDOUT
""")

_ACCOUNTS = sql.SQL("""
    COPY (
        SELECT a.run_id, a.owner, a.receivable_minor, a.payable_minor, a.fee_minor,
               a.net_minor
        FROM clearing.run_account AS a
        WHERE a.run_id IN ({runs})
        ORDER BY a.run_id, a.owner COLLATE "C"
    ) TO STDOUT
""")

_TRANSFERS = sql.SQL("""
    COPY (
        SELECT t.run_id, t.place, t.end_to_end_id, t.kind, t.payer, t.payee,
               t.amount_minor
        FROM clearing.run_transfer AS t
        WHERE t.run_id IN ({runs})
        ORDER BY t.run_id, t.place
    ) TO STDOUT
""")

_CONFIRMATIONS = sql.SQL("""
    COPY (
        SELECT c.end_to_end_id, c.number, c.amount_minor, c.posted_minor, c.outcome,
               c.return_rule
        FROM clearing.transfer_confirmation AS c
        JOIN clearing.run_transfer AS t USING (end_to_end_id)
        WHERE t.run_id IN ({runs})
        ORDER BY t.run_id, t.place, c.number
    ) TO STDOUT
""")

_POSTINGS = sql.SQL("""
    COPY (
        SELECT p.run_id, p.posting_key, p.debit_account, p.credit_account, p.currency,
               p.amount_minor, p.code
        FROM clearing.posting AS p
        WHERE p.run_id IN ({runs})
        ORDER BY p.run_id, p.posting_key COLLATE "C"
    ) TO STDOUT
""")

#: The files of this kind in the order in which they stand in the bundle.
FILES = (
    file_of(
        "runs.tsv",
        "runId currency model fees reversesRunId state grossMinor movedMinor"
        " proposedAt",
        _RUNS,
    ),
    file_of("runexclusions.tsv", "runId partyId", _EXCLUSIONS),
    file_of(
        "runpairs.tsv",
        "runId windowId currency debtorId creditorId sdrCount amountMinor",
        _PAIRS,
    ),
    file_of(
        "choices.tsv",
        "choiceId party other fromCurrency toCurrency validFrom createdAt",
        _CHOICES,
    ),
    file_of("rates.tsv", "currency day version rateMicro createdAt", _RATES),
    file_of("runrates.tsv", "runId currency day version", _RUN_RATES),
    file_of(
        "conversions.tsv",
        "runId currency debtor creditor fromMinor toMinor",
        _CONVERSIONS,
    ),
    file_of(
        "feeplans.tsv",
        "planId partyId currency validFrom side tiers sharePpm minimumMinor"
        " maximumMinor createdAt paymentDays",
        _PLANS,
    ),
    file_of(
        "runfees.tsv",
        "runId partyId planId sdrCount turnoverMinor sdrMinor shareMinor netMinor"
        " vatCategory vatRateBp vatRuleId vatMinor",
        _FEES,
    ),
    file_of(
        "feedocuments.tsv",
        "number kind runId partyId currency netMinor vatMinor refersTo issuedAt dueOn",
        _FEE_DOCUMENTS,
    ),
    file_of("rundebts.tsv", "runId debtor creditor kind amountMinor", _DEBTS),
    file_of(
        "runaccounts.tsv",
        "runId owner receivableMinor payableMinor feeMinor netMinor",
        _ACCOUNTS,
    ),
    file_of(
        "runtransfers.tsv",
        "runId place endToEndId kind payer payee amountMinor",
        _TRANSFERS,
    ),
    file_of(
        "confirmations.tsv",
        "endToEndId number amountMinor postedMinor outcome returnRule",
        _CONFIRMATIONS,
    ),
    file_of(
        "runpostings.tsv",
        "runId postingKey debitAccount creditAccount currency amountMinor code",
        _POSTINGS,
    ),
)
