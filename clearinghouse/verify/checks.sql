-- Each statement below is a check: what it returns is wrong. Its columns are file, line,
-- field, expected, found. The comment in front of it is what the auditor is told.

-- rows of SDRs are of this window, in a form and a state that there is
SELECT 'sdrs.tsv', line_no, name, expected, found FROM (
    SELECT line_no, unnest([
        {'name': 'row', 'expected': '1', 'found': form},
        {'name': 'windowId', 'expected': getvariable('window_id'),
         'found': window_id::VARCHAR},
        {'name': 'status', 'expected': 'ACCEPTED or HELD', 'found':
            CASE WHEN status IN ('ACCEPTED', 'HELD') THEN 'ACCEPTED or HELD'
                 ELSE status END},
        {'name': 'kind', 'expected': 'ORIGINAL, or a correction with its reference',
         'found': CASE WHEN kind = 'ORIGINAL' AND ref_sdr_no IS NULL
                         AND ref_window_id IS NULL
                         OR kind IN ('CREDIT', 'REPLACEMENT') AND ref_sdr_no IS NOT NULL
                         AND ref_window_id IS NOT NULL
                       THEN 'ORIGINAL, or a correction with its reference'
                       ELSE concat_ws(' ', kind, ref_window_id, ref_sdr_no) END},
        {'name': 'instants and intervals', 'expected': 'all readable', 'found':
            CASE WHEN started_at IS NULL OR ended_at IS NULL OR received_at IS NULL
                   OR NOT coalesce(json_valid(intervals), false)
                 THEN 'unreadable' ELSE 'all readable' END}], recursive := true)
    FROM sdr
) WHERE expected IS DISTINCT FROM found;

-- SDRs stand in the order of their numbers
SELECT 'sdrs.tsv', line_no, 'sdrNo', 'above ' || before, sdr_no FROM (
    SELECT line_no, sdr_no, lag(sdr_no) OVER (ORDER BY line_no) AS before FROM sdr
) WHERE sdr_no <= before;

-- every SDR is the one that intake committed to
SELECT 'sdrs.tsv', s.line_no, 'leaf of ' || s.sdr_uid, l.leaf, lower(hex(s.leaf))
FROM sdr AS s JOIN listed_leaf AS l USING (sdr_no)
WHERE l.leaf <> lower(hex(s.leaf));

-- no SDR is missing, none was added
SELECT CASE WHEN s.sdr_no IS NULL THEN 'sdrs.tsv' ELSE 'leaves.tsv' END,
       coalesce(s.line_no, l.line_no), 'sdrNo',
       CASE WHEN s.sdr_no IS NULL THEN 'SDR ' || l.sdr_no ELSE 'a leaf' END,
       CASE WHEN s.sdr_no IS NULL THEN '' ELSE 'none of SDR ' || s.sdr_no END
FROM sdr AS s FULL JOIN listed_leaf AS l USING (sdr_no)
WHERE s.line_no IS NULL OR l.line_no IS NULL;

-- every batch has the root of its receipt
SELECT 'batches.tsv', b.line_no, 'root of batch ' || b.sequence || ' of ' || b.submitter,
       b.root, coalesce(lower(hex(r.hash)), sha256(''))
FROM batch AS b LEFT JOIN root AS r ON r.kind = 'batch' AND r.a = b.batch_id
WHERE b.root <> '' AND b.root <> coalesce(lower(hex(r.hash)), sha256(''));

-- every batch has the SDRs that it counts
SELECT 'batches.tsv', line_no, name, expected::VARCHAR, found::VARCHAR FROM (
    SELECT b.line_no, unnest([
        {'name': 'accepted', 'expected': b.accepted,
         'found': count(*) FILTER (s.status = 'ACCEPTED')},
        {'name': 'held', 'expected': b.held,
         'found': count(*) FILTER (s.status = 'HELD')},
        {'name': 'energyWh', 'expected': b.energy_wh,
         'found': coalesce(sum(s.energy_wh), 0)::BIGINT}], recursive := true)
    FROM batch AS b LEFT JOIN of_batch AS s USING (batch_id)
    GROUP BY b.line_no, b.accepted, b.held, b.energy_wh
) WHERE expected IS DISTINCT FROM found;

-- every SDR comes from a batch, or was held in an earlier one
SELECT 'sdrs.tsv', s.line_no, 'batchId', 'a batch of batches.tsv or a release',
       s.batch_id
FROM sdr AS s
WHERE NOT EXISTS (SELECT 1 FROM batch AS b WHERE b.batch_id = s.batch_id
                    AND b.submitter = s.submitter)
  AND NOT EXISTS (SELECT 1 FROM released AS r WHERE r.sdr_no = s.sdr_no)
  AND NOT EXISTS (SELECT 1 FROM booked AS d WHERE d.sdr_no = s.sdr_no);

-- no record of a batch is there twice
SELECT 'sdrs.tsv', max(line_no), 'recordNo', 'once', count(*) || ' times'
FROM of_batch GROUP BY batch_id, record_no HAVING count(*) > 1;

-- releases name SDRs of this window
SELECT 'releases.tsv', r.line_no, 'sdrNo', 'an SDR of the window', r.sdr_no::VARCHAR
FROM released AS r WHERE NOT EXISTS (SELECT 1 FROM sdr AS s WHERE s.sdr_no = r.sdr_no);

-- exclusions name SDRs of this window
SELECT 'exclusions.tsv', e.line_no, 'sdrNo', 'an SDR of the window', e.sdr_no::VARCHAR
FROM exclusion AS e WHERE NOT EXISTS (SELECT 1 FROM sdr AS s WHERE s.sdr_no = e.sdr_no);

-- no SDR counts twice
SELECT 'sdrs.tsv', max(line_no), 'sdrId', 'once', submitter || ' ' || max(sdr_uid)
FROM counted GROUP BY submitter, upper(sdr_uid) HAVING count(*) > 1;

-- every pair adds up and has the root over its SDRs
SELECT CASE WHEN p.line_no IS NULL THEN 'sdrs.tsv' ELSE 'pairs.tsv' END, p.line_no,
       currency || ' ' || csp || ' ' || submitter || ' ' || u.name, u.expected, u.found
FROM (
    SELECT s.currency, s.csp, s.submitter, count(*) AS sdr_count,
           sum(s.energy_wh)::BIGINT AS energy_wh, sum(s.net_minor)::BIGINT AS net_minor
    FROM counted AS s GROUP BY ALL
) AS s
FULL JOIN pair AS p USING (currency, csp, submitter)
LEFT JOIN root AS r
  ON r.kind = 'pair' AND r.a = currency AND r.b = csp AND r.c = submitter
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'sdrCount', 'expected': s.sdr_count::VARCHAR,
     'found': p.sdr_count::VARCHAR},
    {'name': 'energyWh', 'expected': s.energy_wh::VARCHAR,
     'found': p.energy_wh::VARCHAR},
    {'name': 'netMinor', 'expected': s.net_minor::VARCHAR,
     'found': p.net_minor::VARCHAR},
    {'name': 'windowId', 'expected': getvariable('window_id'),
     'found': p.window_id::VARCHAR},
    {'name': 'root', 'expected': lower(hex(r.hash)), 'found': p.root}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- pairs stand in order
SELECT 'pairs.tsv', line_no, 'order', 'above ' || before, name FROM (
    SELECT line_no, currency || csp || submitter AS name,
           lag(currency || csp || submitter) OVER (ORDER BY line_no) AS before FROM pair
) WHERE name <= before;

-- the window has the root over its pairs
SELECT 'chain.tsv', 0, 'root of window ' || getvariable('window_id'),
       coalesce((SELECT lower(hex(hash)) FROM root WHERE kind = 'window'), sha256('')),
       getvariable('window_root')
WHERE coalesce((SELECT lower(hex(hash)) FROM root WHERE kind = 'window'), sha256(''))
    IS DISTINCT FROM getvariable('window_root');

-- the block counts the SDRs and pairs of the window
SELECT 'chain.tsv', 0, name, expected::VARCHAR, found FROM (
    SELECT unnest([
        {'name': 'first', 'expected': coalesce(min(sdr_no), 0),
         'found': getvariable('block_first')},
        {'name': 'last', 'expected': coalesce(max(sdr_no), 0),
         'found': getvariable('block_last')},
        {'name': 'sdrs', 'expected': count(*), 'found': getvariable('block_sdrs')},
        {'name': 'pairs', 'expected': (SELECT count(*) FROM pair),
         'found': getvariable('block_pairs')}], recursive := true)
    FROM counted
) WHERE expected::VARCHAR IS DISTINCT FROM found;

-- every SDR has a tariff of its submitter that was in force when it began
SELECT 'sdrs.tsv', s.line_no, 'tariffVersionId of ' || s.sdr_uid,
       CASE WHEN t.line_no IS NULL THEN 'a version of tariffs.tsv'
            ELSE t.publisher || ' ' || t.currency || ' from ' || t.valid_from END,
       s.tariff_version_id || ' ' || s.submitter || ' ' || s.currency || ' '
           || s.started_at
FROM sdr AS s LEFT JOIN tariff AS t USING (tariff_version_id)
WHERE s.status = 'ACCEPTED' AND (t.line_no IS NULL OR t.publisher <> s.submitter
    OR t.currency <> s.currency OR s.started_at < t.valid_from
    OR s.started_at >= t.valid_until);

-- the matrix is the sum of the SDRs with the VAT of their documents
WITH charged AS (
    SELECT currency, csp, submitter, count(*) AS sdr_count, sum(energy_wh) AS energy_wh,
           sum(net_minor) AS net
    FROM counted GROUP BY currency, csp, submitter
), taxed AS (
    SELECT currency, buyer AS csp, seller AS submitter,
           sum(CASE kind WHEN '380' THEN vat_minor ELSE -vat_minor END) AS vat
    FROM due_vat GROUP BY ALL
), owed AS (
    SELECT c.*, coalesce(t.vat, 0) AS vat
    FROM charged AS c LEFT JOIN taxed AS t USING (currency, csp, submitter)
), expected AS (
    -- A gross below nothing is turned round.
    SELECT currency, CASE WHEN net + vat < 0 THEN submitter ELSE csp END AS debtor,
           CASE WHEN net + vat < 0 THEN csp ELSE submitter END AS creditor,
           sum(sdr_count)::BIGINT AS sdr_count, sum(energy_wh)::BIGINT AS energy_wh,
           sum(CASE WHEN net + vat < 0 THEN -net ELSE net END)::BIGINT AS net_minor,
           sum(CASE WHEN net + vat < 0 THEN -vat ELSE vat END)::BIGINT AS vat_minor
    FROM owed GROUP BY ALL
)
SELECT 'matrix.tsv', m.line_no,
       currency || ' ' || debtor || ' owes ' || creditor || ' ' || u.name,
       u.expected::VARCHAR, u.found::VARCHAR
FROM expected AS e FULL JOIN matrix AS m USING (currency, debtor, creditor)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'sdrCount', 'expected': e.sdr_count, 'found': m.sdr_count},
    {'name': 'energyWh', 'expected': e.energy_wh, 'found': m.energy_wh},
    {'name': 'netMinor', 'expected': e.net_minor, 'found': m.net_minor},
    {'name': 'vatMinor', 'expected': e.vat_minor, 'found': m.vat_minor}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- every position is the net of the matrix, with VAT
WITH side AS (
    SELECT currency, creditor AS party_id, gross_minor AS gets, 0 AS owes FROM matrix
    UNION ALL SELECT currency, debtor, 0, gross_minor FROM matrix
), expected AS (
    SELECT currency, party_id, sum(gets)::BIGINT AS gets, sum(owes)::BIGINT AS owes
    FROM side GROUP BY ALL
)
SELECT 'positions.tsv', p.line_no, party_id || ' ' || currency || ' ' || u.name,
       u.expected::VARCHAR, u.found::VARCHAR
FROM expected AS e FULL JOIN position AS p USING (currency, party_id)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'receivableMinor', 'expected': e.gets, 'found': p.receivable_minor},
    {'name': 'payableMinor', 'expected': e.owes, 'found': p.payable_minor},
    {'name': 'netMinor', 'expected': e.gets - e.owes, 'found': p.net_minor}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- positions sum to zero in each currency
SELECT 'positions.tsv', 0, 'sum of ' || currency, '0', sum(net_minor)::VARCHAR
FROM position GROUP BY currency HAVING sum(net_minor) <> 0;

-- settlements are the sums of matrix and positions
WITH gross AS (
    SELECT currency, sum(gross_minor)::BIGINT AS gross, sum(sdr_count)::BIGINT AS sdrs,
           sum(energy_wh)::BIGINT AS wh
    FROM matrix GROUP BY currency
), bilateral AS (
    SELECT a.currency,
           sum(greatest(a.gross_minor - coalesce(b.gross_minor, 0), 0))::BIGINT AS left_over
    FROM matrix AS a LEFT JOIN matrix AS b ON b.currency = a.currency
        AND b.debtor = a.creditor AND b.creditor = a.debtor
    GROUP BY a.currency
), multilateral AS (
    SELECT currency, sum(greatest(net_minor, 0))::BIGINT AS moved
    FROM position GROUP BY currency
)
SELECT 'settlements.tsv', s.line_no, currency || ' ' || u.name, u.expected::VARCHAR,
       u.found::VARCHAR
FROM gross AS g LEFT JOIN bilateral USING (currency) LEFT JOIN multilateral USING
    (currency) FULL JOIN settlement AS s USING (currency)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'grossMinor', 'expected': g.gross, 'found': s.gross_minor},
    {'name': 'bilateralMinor', 'expected': left_over, 'found': s.bilateral_minor},
    {'name': 'multilateralMinor', 'expected': moved, 'found': s.multilateral_minor},
    {'name': 'sdrCount', 'expected': g.sdrs, 'found': s.sdr_count},
    {'name': 'energyWh', 'expected': g.wh, 'found': s.energy_wh}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- postings are those of the matrix, net and VAT apart
FROM posting_differences('postings.tsv', 'due_pair_posting', 'posting');

-- no posting is there twice
FROM postings_given_twice('postings.tsv', 'posting');

-- every position has its statement, with as many lines as SDRs
WITH line AS (
    SELECT currency, csp AS party_id FROM counted
    UNION ALL SELECT currency, submitter FROM counted
), side AS (
    SELECT currency, creditor AS party_id, net_minor AS net FROM matrix
    UNION ALL SELECT currency, debtor, -net_minor FROM matrix
), net AS (
    SELECT currency, party_id, sum(net)::BIGINT AS net_minor FROM side GROUP BY ALL
), expected AS (
    SELECT currency, party_id, net.net_minor, p.net_minor AS gross_minor,
           count(*) AS line_count
    FROM position AS p JOIN net USING (currency, party_id)
    JOIN line USING (currency, party_id)
    GROUP BY ALL
)
SELECT 'statements.tsv', t.line_no, party_id || ' ' || currency || ' ' || u.name,
       u.expected, u.found
FROM expected AS e FULL JOIN statement AS t USING (currency, party_id)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'netMinor', 'expected': e.net_minor::VARCHAR,
     'found': t.net_minor::VARCHAR},
    {'name': 'grossMinor', 'expected': e.gross_minor::VARCHAR,
     'found': t.gross_minor::VARCHAR},
    {'name': 'lineCount', 'expected': e.line_count::VARCHAR,
     'found': t.line_count::VARCHAR},
    {'name': 'digests', 'expected': 'two of SHA-256', 'found':
        CASE WHEN regexp_full_match(t.xml_digest || t.csv_digest, '[0-9a-f]{128}')
             THEN 'two of SHA-256' END}], recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- statements are numbered without gap, in the order of currency and participant
SELECT 'statements.tsv', line_no, 'statementId', expected, statement_id FROM (
    SELECT line_no, statement_id,
           'ST-' || getvariable('window_year') || '-' || lpad(number, greatest(6,
               length(number))::INTEGER, '0') AS expected
    FROM (
        SELECT line_no, statement_id, (row_number() OVER (ORDER BY currency, party_id)
            + coalesce((SELECT max(numbers_before) FROM series
                WHERE series = 'ST-' || getvariable('window_year')), 0))::VARCHAR AS number
        FROM statement)
) WHERE statement_id IS DISTINCT FROM expected;

-- every participant of a statement is described
SELECT 'participants.tsv', 0, 'partyId', t.party_id, ''
FROM statement AS t
WHERE NOT EXISTS (SELECT 1 FROM participant AS p WHERE p.party_id = t.party_id);
