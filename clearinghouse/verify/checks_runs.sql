-- As in checks.sql: each statement is a check; what it returns is wrong.

-- what a run took of this window is in the matrix
SELECT 'runpairs.tsv', p.line_no, 'run ' || p.run_id || ' ' || p.debtor || ' owes '
           || p.creditor || ' ' || p.currency || ' ' || u.name,
       u.expected::VARCHAR, u.found::VARCHAR
FROM run_pair AS p
LEFT JOIN matrix AS m USING (currency, debtor, creditor)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'amountMinor', 'expected': m.gross_minor, 'found': p.amount_minor},
    {'name': 'sdrCount', 'expected': m.sdr_count, 'found': p.sdr_count}],
    recursive := true)) AS u
WHERE p.window_id = getvariable('window_id')::BIGINT
  AND u.expected IS DISTINCT FROM u.found;

-- no pair is in two runs that stand
SELECT 'runpairs.tsv', max(p.line_no), p.debtor || ' owes ' || p.creditor || ' '
           || p.currency, 'in one run', count(*) || ' runs'
FROM run_pair AS p JOIN run AS r USING (run_id)
WHERE r.state <> 'ABORTED' AND NOT EXISTS (
    SELECT 1 FROM run AS v WHERE v.reverses = r.run_id AND v.state = 'SETTLED')
GROUP BY p.window_id, p.currency, p.debtor, p.creditor HAVING count(*) > 1;

-- who was left out of a run is in none of its pairs
SELECT 'runpairs.tsv', p.line_no, 'run ' || p.run_id, 'nothing of ' || x.party_id,
       p.debtor || ' owes ' || p.creditor
FROM run_pair AS p JOIN run_excluded AS x
  ON x.run_id = p.run_id AND x.party_id IN (p.debtor, p.creditor);

-- nothing is settled in another currency than agreed
SELECT 'runpairs.tsv', p.line_no, 'currency in which ' || p.debtor || ' and '
           || p.creditor || ' settle ' || p.currency, d.to_currency, r.currency
FROM run_pair AS p JOIN due_currency AS d USING (run_id, debtor, creditor, currency)
JOIN run AS r ON r.run_id = p.run_id
WHERE d.to_currency <> r.currency;

-- a run takes the last rate of its day
SELECT 'runrates.tsv', f.line_no, 'run ' || run_id || ' rate of ' || currency,
       e.day || ' version ' || e.version, f.day || ' version ' || f.version
FROM due_rate AS e FULL JOIN run_rate AS f USING (run_id, currency)
WHERE e.day IS DISTINCT FROM f.day OR e.version IS DISTINCT FROM f.version;

-- what is left between two is converted once, by this rate
SELECT 'conversions.tsv', f.line_no, 'run ' || run_id || ' ' || debtor || ' owes '
           || creditor || ' ' || currency || ' ' || u.name,
       u.expected::VARCHAR, u.found::VARCHAR
FROM due_conversion AS e
FULL JOIN conversion AS f USING (run_id, currency, debtor, creditor)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'fromMinor', 'expected': e.from_minor, 'found': f.from_minor},
    {'name': 'toMinor', 'expected': e.to_minor, 'found': f.to_minor}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- every fee is what the plan of the day charges
SELECT 'runfees.tsv', f.line_no, 'run ' || run_id || ' fee of ' || party_id || ' '
           || u.name, u.expected::VARCHAR, u.found::VARCHAR
FROM due_fee AS e FULL JOIN run_fee AS f USING (run_id, party_id)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'planId', 'expected': e.plan_id, 'found': f.plan_id},
    {'name': 'sdrCount', 'expected': e.sdr_count, 'found': f.sdr_count},
    {'name': 'turnoverMinor', 'expected': e.turnover_minor, 'found': f.turnover_minor},
    {'name': 'sdrMinor', 'expected': e.sdr_minor, 'found': f.sdr_minor},
    {'name': 'shareMinor', 'expected': e.share_minor, 'found': f.share_minor},
    {'name': 'netMinor', 'expected': e.net_minor, 'found': f.net_minor},
    {'name': 'vatMinor', 'expected': half_away(e.net_minor * f.vat_rate_bp,
        10000)::BIGINT, 'found': f.vat_minor}], recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- every fee has the VAT of the table
SELECT 'runfees.tsv', f.line_no,
       'run ' || f.run_id || ' category, rate and rule of VAT of ' || f.party_id,
       (SELECT max(t.category || ' ' || t.rate_bp || ' ' || t.rule_id)
        FROM treatment AS t WHERE t.service = 'FEE' AND t.buyer_party = c.party_id
          AND t.on_day = c.on_day AND t.epoch = c.high),
       f.vat_category || ' ' || f.vat_rate_bp || ' ' || f.vat_rule_id
FROM run_fee AS f JOIN charged_fee AS c USING (run_id, party_id)
WHERE NOT EXISTS (
    SELECT 1 FROM treatment AS t
    WHERE t.service = 'FEE' AND t.buyer_party = c.party_id AND t.on_day = c.on_day
      AND t.epoch BETWEEN c.low AND c.high AND t.category = f.vat_category
      AND t.rate_bp = f.vat_rate_bp AND t.rule_id = f.vat_rule_id);

-- every debt of a run is what it took, converted and charged
SELECT 'rundebts.tsv', f.line_no, 'run ' || run_id || ' ' || kind || ' ' || debtor
           || ' owes ' || creditor || ' amountMinor', e.amount_minor::VARCHAR,
       f.amount_minor::VARCHAR
FROM due_debt AS e FULL JOIN run_debt AS f USING (run_id, debtor, creditor, kind)
WHERE e.amount_minor IS DISTINCT FROM f.amount_minor;

-- every account of a run is the sum of its debts
SELECT 'runaccounts.tsv', f.line_no, 'run ' || run_id || ' ' || owner || ' ' || u.name,
       u.expected::VARCHAR, u.found::VARCHAR
FROM due_account AS e FULL JOIN run_account AS f USING (run_id, owner)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'receivableMinor', 'expected': e.receivable_minor,
     'found': f.receivable_minor},
    {'name': 'payableMinor', 'expected': e.payable_minor, 'found': f.payable_minor},
    {'name': 'feeMinor', 'expected': e.fee_minor, 'found': f.fee_minor},
    {'name': 'netMinor', 'expected': e.net_minor, 'found': f.net_minor}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- the payments of a run empty its accounts
SELECT 'runtransfers.tsv', f.line_no, 'run ' || run_id || ' payment ' || place || ' '
           || u.name, u.expected, u.found
FROM due_transfer AS e FULL JOIN transfer AS f USING (run_id, place)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'endToEndId', 'expected': e.end_to_end_id, 'found': f.end_to_end_id},
    {'name': 'kind', 'expected': e.kind, 'found': f.kind},
    {'name': 'payer', 'expected': e.payer, 'found': f.payer},
    {'name': 'payee', 'expected': e.payee, 'found': f.payee},
    {'name': 'amountMinor', 'expected': e.amount_minor::VARCHAR,
     'found': f.amount_minor::VARCHAR}], recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- a run says what its debts and payments come to
SELECT 'runs.tsv', r.line_no, 'run ' || r.run_id || ' ' || u.name, u.expected::VARCHAR,
       u.found::VARCHAR
FROM run AS r CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'grossMinor', 'expected': (
        SELECT coalesce(sum(d.amount_minor), 0)::BIGINT FROM due_debt AS d
        WHERE d.run_id = r.run_id), 'found': r.gross_minor},
    {'name': 'movedMinor', 'expected': (
        SELECT coalesce(sum(t.amount_minor), 0)::BIGINT FROM due_transfer AS t
        WHERE t.run_id = r.run_id AND t.kind <> 'COLLECT'), 'found': r.moved_minor}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- what the bank confirmed is posted as far as it was open; what was more goes back first
WITH before AS (
    SELECT c.*, t.amount_minor AS whole_minor,
           coalesce(sum(c.posted_minor) OVER (
               PARTITION BY c.end_to_end_id ORDER BY c.number
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS paid_minor,
           greatest(0, coalesce(sum(c.amount_minor - c.posted_minor) OVER (
               PARTITION BY c.end_to_end_id ORDER BY c.number
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))::BIGINT AS more_minor
    FROM confirmation AS c LEFT JOIN transfer AS t USING (end_to_end_id)
), expected AS (
    SELECT *, CASE WHEN outcome = 'AFTERWARDS' THEN 'AFTERWARDS'
                   WHEN amount_minor < 0 THEN 'RETURNED'
                   WHEN amount_minor < whole_minor - paid_minor THEN 'PARTIAL'
                   WHEN amount_minor > whole_minor - paid_minor THEN 'OVER'
                   ELSE 'EXACT' END AS due_outcome,
           CASE WHEN outcome = 'AFTERWARDS' THEN 0
                WHEN amount_minor < 0 THEN
                     -least(greatest(0, -amount_minor - more_minor), paid_minor)
                ELSE least(amount_minor, whole_minor - paid_minor) END AS due_minor,
           -- As it was posted by the first rule, whatever came beyond the payment.
           CASE WHEN return_rule = '1' AND outcome <> 'AFTERWARDS' AND amount_minor < 0
                THEN -least(-amount_minor, paid_minor) END AS once_due_minor
    FROM before
)
SELECT 'confirmations.tsv', line_no, end_to_end_id || ' ' || number,
       due_outcome || ' ' || due_minor, outcome || ' ' || posted_minor
FROM expected
WHERE whole_minor IS NULL OR outcome <> due_outcome
   OR posted_minor <> due_minor AND posted_minor IS DISTINCT FROM once_due_minor;

-- what the bank confirmed says by which rule a return is posted
SELECT 'confirmations.tsv', line_no, end_to_end_id || ' ' || number || ' returnRule',
       '1 or 2', return_rule
FROM confirmation WHERE coalesce(return_rule NOT IN ('1', '2'), true);

-- a run that is settled was paid to the end
SELECT 'runs.tsv', r.line_no, 'run ' || r.run_id || ' state', 'not SETTLED: '
           || p.end_to_end_id || ' is open', r.state
FROM run AS r JOIN paid AS p USING (run_id)
WHERE r.state = 'SETTLED' AND p.paid_minor <> p.amount_minor
  AND NOT EXISTS (SELECT 1 FROM run AS v WHERE v.reverses = r.run_id);

-- postings of runs are those of fees, conversions and payments
FROM posting_differences('runpostings.tsv', 'due_posting', 'run_posting');

-- postings of runs name their run
SELECT 'runpostings.tsv', p.line_no, posting_key || ' runId', w.run_id::VARCHAR,
       p.run_id::VARCHAR
FROM due_posting AS w JOIN run_posting AS p USING (posting_key)
WHERE w.run_id IS DISTINCT FROM p.run_id;

-- no posting of a run is there twice
FROM postings_given_twice('runpostings.tsv', 'run_posting');

-- every fee of a recorded run has its invoice, and a reversed one its credit note
WITH expected AS (
    SELECT f.run_id, f.party_id, '380' AS kind, r.currency, f.net_minor, f.vat_minor
    FROM taxed_fee AS f JOIN recorded AS r USING (run_id)
    UNION ALL
    SELECT v.run_id, f.party_id, '381', v.currency, f.net_minor, f.vat_minor
    FROM run AS v JOIN taxed_fee AS f ON f.run_id = v.reverses
)
SELECT 'feedocuments.tsv', f.line_no, 'run ' || run_id || ' of ' || party_id || ' '
           || u.name, u.expected, u.found
FROM expected AS e FULL JOIN fee_document AS f USING (run_id, party_id, kind)
LEFT JOIN run AS r USING (run_id)
LEFT JOIN fee_document AS o ON o.run_id = r.reverses AND o.party_id = f.party_id
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'currency', 'expected': e.currency, 'found': f.currency},
    {'name': 'netMinor', 'expected': e.net_minor::VARCHAR,
     'found': f.net_minor::VARCHAR},
    {'name': 'vatMinor', 'expected': e.vat_minor::VARCHAR,
     'found': f.vat_minor::VARCHAR},
    {'name': 'refersTo', 'expected': coalesce(o.number, ''), 'found': f.refers_to}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- invoices for the fees of a run are numbered without gap, in the order of the parties
SELECT 'feedocuments.tsv', line_no, 'number after ' || before,
       left(before, length(before) - 6) || lpad((place_before + 1)::VARCHAR, 6, '0'),
       number
FROM (
    SELECT line_no, number, TRY_CAST(right(number, 6) AS BIGINT) AS place,
           lag(number) OVER s AS before,
           lag(TRY_CAST(right(number, 6) AS BIGINT)) OVER s AS place_before
    FROM fee_document
    WINDOW s AS (PARTITION BY run_id, kind ORDER BY party_id)
) WHERE place IS NULL OR place <> place_before + 1
     OR left(number, length(number) - 6) <> left(before, length(before) - 6);

-- no number of a fee is given twice
SELECT 'feedocuments.tsv', max(line_no), number, 'once', count(*) || ' times'
FROM fee_document GROUP BY number HAVING count(*) > 1;
