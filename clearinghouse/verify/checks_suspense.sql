-- As in checks.sql: each statement is a check; what it returns is wrong.

-- every dispute about an SDR of the window is about what stands there
SELECT 'disputes.tsv', d.line_no, u.name || ' of the dispute about ' || coalesce(s.sdr_uid,
           d.sdr_no::VARCHAR), u.expected, u.found
FROM dispute AS d LEFT JOIN sdr AS s USING (window_id, sdr_no)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'sdrNo', 'expected': 'an accepted SDR that is no credit', 'found':
        CASE WHEN s.status = 'ACCEPTED' AND s.kind <> 'CREDIT'
             THEN 'an accepted SDR that is no credit'
             ELSE coalesce(s.status || ' ' || s.kind, 'none') END},
    {'name': 'cspId', 'expected': s.csp, 'found': d.csp},
    {'name': 'submitterId', 'expected': s.submitter, 'found': d.submitter},
    {'name': 'currency', 'expected': s.currency, 'found': d.currency},
    {'name': 'netMinor', 'expected': s.net_minor::VARCHAR,
     'found': d.net_minor::VARCHAR}], recursive := true)) AS u
WHERE d.is_own AND u.expected IS DISTINCT FROM u.found;

-- no dispute is there twice, and of an SDR one at a time
SELECT 'disputes.tsv', max(line_no), 'dispute about SDR ' || sdr_no || ' of window '
           || window_id, 'one that runs', count(*)::VARCHAR
FROM dispute WHERE ended_at IS NULL GROUP BY window_id, sdr_no HAVING count(*) > 1
UNION ALL
SELECT 'disputes.tsv', max(line_no), dispute_id, 'once', count(*) || ' times'
FROM dispute GROUP BY dispute_id HAVING count(*) > 1;

-- what a dispute carries away does not count in its window
SELECT 'disputes.tsv', d.line_no, 'carried', 'an exclusion of SDR ' || d.sdr_no, 'none'
FROM dispute AS d
WHERE d.is_own AND d.is_carried
  AND NOT EXISTS (SELECT 1 FROM exclusion AS e WHERE e.sdr_no = d.sdr_no);

-- what is disputed before the cutover of its window is held in suspense
SELECT 'disputes.tsv', line_no, 'heldWindowId', CASE
           WHEN is_carried OR is_surely_before_cutover THEN getvariable('window_id')
           ELSE '' END, held_window_id::VARCHAR
FROM timed_dispute
WHERE is_own AND (
    net_minor > 0 AND held_window_id IS DISTINCT FROM window_id
        AND (is_carried OR is_surely_before_cutover)
    OR held_window_id IS NOT NULL
        AND (held_window_id <> window_id OR net_minor <= 0
             OR NOT is_carried AND is_surely_after_cutover))
UNION ALL
SELECT 'disputes.tsv', line_no, 'heldWindowId', window_id || ', that of its SDR',
       held_window_id::VARCHAR
FROM timed_dispute WHERE NOT is_own AND held_window_id <> window_id;

-- what was held is released when its dispute ends, or when a window counts it
SELECT 'disputes.tsv', line_no, 'releasedWindowId',
       CASE WHEN is_due THEN getvariable('window_id')
            WHEN is_running THEN '' ELSE 'another window' END,
       released_window_id::VARCHAR
FROM (
    SELECT *, held_window_id IS NOT NULL AND (
               is_surely_ended_in AND (is_own OR is_carried)
               OR is_own AND NOT is_carried AND ended_at IS NULL) AS is_due,
           ended_at IS NULL AND (is_carried OR NOT is_own) AS is_running,
           coalesce(released_window_id = getvariable('window_id')::BIGINT, false)
               AS is_released_here
    FROM timed_dispute)
WHERE is_due AND NOT is_released_here
   OR is_released_here AND (held_window_id IS NULL OR NOT (
        is_maybe_ended_in OR is_own AND NOT is_carried))
   OR released_window_id IS NOT NULL AND (released_window_id < held_window_id
        OR released_window_id > getvariable('window_id')::BIGINT
        OR held_window_id IS NULL);

-- postings in suspense are those of the disputes
FROM posting_differences('suspense.tsv', 'due_suspended', 'suspended');

-- no posting in suspense is there twice
FROM postings_given_twice('suspense.tsv', 'suspended');

-- the end of a dispute books what was agreed, against what counts
SELECT CASE WHEN d.line_no IS NULL THEN 'corrections.tsv' ELSE 'disputes.tsv' END,
       coalesce(d.line_no, 0), 'agreedMinor of dispute ' || dispute_id,
       CASE WHEN d.line_no IS NULL THEN 'a line of disputes.tsv'
            ELSE (coalesce(c.net_minor, 0) + CASE WHEN is_carried THEN 0
                  ELSE d.net_minor END)::VARCHAR END, d.agreed_minor::VARCHAR
FROM timed_dispute AS d FULL JOIN came_to AS c USING (dispute_id)
WHERE d.line_no IS NULL
   OR (c.dispute_id IS NOT NULL OR is_surely_ended_in)
      AND d.agreed_minor IS DISTINCT FROM coalesce(c.net_minor, 0)
          + CASE WHEN is_carried THEN 0 ELSE d.net_minor END;

-- the end of a dispute corrects the SDR that was disputed
WITH first_booked AS (
    SELECT b.dispute_id, b.ref_window_id, b.ref_sdr_no, s.csp, s.submitter, s.currency
    FROM booked AS b JOIN sdr AS s USING (sdr_no)
    QUALIFY row_number() OVER (PARTITION BY b.dispute_id ORDER BY b.sdr_no) = 1
)
SELECT 'disputes.tsv', d.line_no, u.name || ' of dispute ' || dispute_id, u.expected,
       u.found
FROM dispute AS d JOIN first_booked AS b USING (dispute_id)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'windowId', 'expected': b.ref_window_id::VARCHAR,
     'found': d.window_id::VARCHAR},
    {'name': 'sdrNo', 'expected': b.ref_sdr_no::VARCHAR, 'found': d.sdr_no::VARCHAR},
    {'name': 'cspId', 'expected': b.csp, 'found': d.csp},
    {'name': 'submitterId', 'expected': b.submitter, 'found': d.submitter},
    {'name': 'currency', 'expected': b.currency, 'found': d.currency}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;
