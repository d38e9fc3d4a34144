-- As in checks.sql: each statement is a check; what it returns is wrong.

-- every SDR was rated by rules that are known here
SELECT 'sdrs.tsv', line_no, 'engineVersion of ' || sdr_uid, '1 or 2',
       engine_version::VARCHAR
FROM sdr WHERE engine_version NOT IN (1, 2);

-- every SDR has the amount that its tariff gives
SELECT 'sdrs.tsv', s.line_no, 'netMinor of ' || s.sdr_uid,
       coalesce(r.net_minor::VARCHAR, 'a rating by tariff version '
           || s.tariff_version_id), s.net_minor::VARCHAR
FROM sdr AS s LEFT JOIN rerated AS r USING (sdr_no)
WHERE s.status = 'ACCEPTED' AND r.net_minor IS DISTINCT FROM s.net_minor
  AND s.sdr_no NOT IN (SELECT sdr_no FROM agreed)
ORDER BY s.line_no;

-- energy and time of every SDR are those of its charging transactions
SELECT 'sdrs.tsv', s.line_no, u.name || ' of ' || s.sdr_uid, u.expected::VARCHAR,
       u.found::VARCHAR
FROM sdr AS s
JOIN ratable AS r USING (sdr_no)
LEFT JOIN (SELECT sdr_no, sum(energy_wh)::BIGINT AS energy_wh,
                  sum(seconds)::BIGINT AS seconds
           FROM rating_interval GROUP BY sdr_no) AS i USING (sdr_no)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'energyWh', 'expected': CASE s.kind WHEN 'CREDIT' THEN -1 ELSE 1 END
        * coalesce(i.energy_wh, 0), 'found': s.energy_wh},
    {'name': 'chargeSeconds', 'expected': CASE s.kind WHEN 'CREDIT' THEN -1 ELSE 1 END
        * coalesce(i.seconds, 0), 'found': s.charge_seconds}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- every credit takes back an SDR that is there
SELECT 'sdrs.tsv', c.line_no, 'refSdrNo of ' || c.sdr_uid,
       'an accepted SDR of sdrs.tsv or originals.tsv',
       c.ref_sdr_no || ' of window ' || c.ref_window_id
FROM credit AS c
WHERE NOT EXISTS (
    SELECT 1 FROM credited AS o
    WHERE o.window_id = c.ref_window_id AND o.sdr_no = c.ref_sdr_no
      AND o.f[10] = 'ACCEPTED' AND o.f[27] <> 'CREDIT');

-- every credit is the exact mirror of what it takes back
SELECT 'sdrs.tsv', c.line_no, u.name || ' of credit ' || c.sdr_uid, u.expected, u.found
FROM credit AS c
JOIN credited AS o ON o.window_id = c.ref_window_id AND o.sdr_no = c.ref_sdr_no
CROSS JOIN LATERAL (
    SELECT h.name, CASE WHEN h.name IN ('energyWh', 'chargeSeconds', 'idleSeconds',
                            'parkingSeconds', 'claimedMinor', 'netMinor')
                        THEN (-TRY_CAST(o.f[h.place] AS BIGINT))::VARCHAR
                        ELSE o.f[h.place] END AS expected, c.f[h.place] AS found
    FROM sdr_field AS h
    WHERE h.name NOT IN ('row', 'windowId', 'sdrNo', 'sdrId', 'batchId', 'recordNo',
                         'status', 'rules', 'kind', 'refWindowId', 'refSdrNo',
                         'receivedAt')
) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- nothing is taken back twice
SELECT 'sdrs.tsv', max(line_no), 'refSdrNo', 'one credit of ' || ref_sdr_no
           || ' of window ' || ref_window_id, count(*)::VARCHAR
FROM credit WHERE status = 'ACCEPTED'
GROUP BY ref_window_id, ref_sdr_no HAVING count(*) > 1;

-- corrections are those of the SDRs
SELECT CASE WHEN c.line_no IS NULL THEN 'sdrs.tsv' ELSE 'corrections.tsv' END,
       coalesce(c.line_no, s.line_no), 'reference of ' || coalesce(s.sdr_uid, sdr_no::VARCHAR),
       s.ref_sdr_no || ' of window ' || s.ref_window_id,
       c.ref_sdr_no || ' of window ' || c.ref_window_id
FROM (SELECT * FROM counted WHERE kind IN ('CREDIT', 'REPLACEMENT')) AS s
FULL JOIN (SELECT c.* FROM correction AS c
           WHERE c.sdr_no NOT IN (SELECT x.sdr_no FROM exclusion AS x)) AS c
    USING (sdr_no)
WHERE s.ref_sdr_no IS DISTINCT FROM c.ref_sdr_no
   OR s.ref_window_id IS DISTINCT FROM c.ref_window_id;

-- an agreed amount is the end of a dispute, and less than what it corrects
SELECT 'sdrs.tsv', s.line_no, 'netMinor of ' || s.sdr_uid || ', agreed (S-308)',
       CASE WHEN d.sdr_no IS NULL THEN 'a dispute of corrections.tsv'
            ELSE 'above 0 and below ' || coalesce(abs(o.net_minor)::VARCHAR,
                'the amount before') END, s.net_minor::VARCHAR
FROM sdr AS s
LEFT JOIN booked AS d USING (sdr_no)
LEFT JOIN sdr AS o ON o.sdr_no = s.ref_sdr_no AND o.window_id = s.ref_window_id
WHERE list_contains(s.rules, 'S-308') AND s.kind <> 'CREDIT'
  AND (d.sdr_no IS NULL OR s.net_minor <= 0 OR s.net_minor >= abs(o.net_minor));

-- the end of a dispute is what it corrects, but for the amount that was agreed
SELECT 'sdrs.tsv', e.line_no, u.name || ' of ' || e.sdr_uid, u.expected, u.found
FROM ending AS e
JOIN credit AS c ON e.ref_window_id = getvariable('window_id')::BIGINT
    AND c.sdr_no = e.ref_sdr_no
CROSS JOIN LATERAL (
    SELECT h.name, CASE WHEN h.name IN ('energyWh', 'chargeSeconds', 'idleSeconds',
                            'parkingSeconds', 'claimedMinor')
                        THEN (-TRY_CAST(c.f[h.place] AS BIGINT))::VARCHAR
                        ELSE c.f[h.place] END AS expected, e.f[h.place] AS found
    FROM sdr_field AS h
    WHERE h.name NOT IN ('row', 'windowId', 'sdrNo', 'sdrId', 'status', 'netMinor',
                         'rules', 'kind', 'refWindowId', 'refSdrNo', 'receivedAt')
) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- the terms that judged an SDR are those of its two sides
SELECT 'judgements.tsv', j.line_no, 'agreementId of ' || s.sdr_uid,
       'an agreement of ' || s.csp || ' with ' || s.submitter || ' since '
           || s.started_at, coalesce(a.visited || ' ' || a.home || ' ' || a.currency
               || ' ' || a.valid_from, j.agreement_id::VARCHAR)
FROM judgement AS j
LEFT JOIN sdr AS s USING (sdr_no) LEFT JOIN agreement AS a USING (agreement_id)
WHERE s.sdr_no IS NULL OR a.line_no IS NULL OR a.home <> s.csp
   OR a.visited NOT IN (s.submitter, s.cso) OR a.valid_from > s.started_at;

-- our rating stands: a claim beyond both tolerances is held, one within is remarked
WITH judged AS (
    SELECT s.*, a.* EXCLUDE (line_no, currency, valid_from, agreement_id),
           abs(s.claimed_minor - s.net_minor) > a.tolerance_minor
               AND abs(s.claimed_minor - s.net_minor)::HUGEINT * 1000000
                   > a.tolerance_ppm::HUGEINT * s.net_minor AS is_beyond
    FROM sdr AS s JOIN judgement USING (sdr_no) JOIN agreement AS a USING (agreement_id)
    WHERE s.kind <> 'CREDIT' AND s.status = 'ACCEPTED'
      AND NOT EXISTS (SELECT 1 FROM booked AS d WHERE d.sdr_no = s.sdr_no)
)
SELECT 'sdrs.tsv', line_no, 'rules of ' || sdr_uid || ', ' || u.rule,
       CASE WHEN u.expected THEN u.rule || ' for a claim of ' || claimed_minor
            || ' and a rating of ' || net_minor ELSE 'no ' || u.rule END,
       array_to_string(rules, ' ')
FROM judged
CROSS JOIN LATERAL (SELECT unnest([
    {'rule': 'S-301', 'expected': claimed_minor <> net_minor AND NOT is_beyond},
    {'rule': 'S-208', 'expected': is_beyond}], recursive := true)) AS u
WHERE u.expected <> list_contains(rules, u.rule);

-- what passes a threshold of the agreement is held
SELECT 'sdrs.tsv', s.line_no, 'rules of ' || s.sdr_uid || ', ' || u.rule, u.rule,
       array_to_string(s.rules, ' ')
FROM sdr AS s JOIN judgement USING (sdr_no) JOIN agreement AS a USING (agreement_id)
CROSS JOIN LATERAL (SELECT unnest([
    {'rule': 'S-203', 'is_met': s.energy_wh > a.energy_wh_max},
    {'rule': 'S-204', 'is_met': (epoch_us(s.ended_at) - epoch_us(s.started_at))
        // 1000000 > a.duration_seconds_max OR s.charge_seconds + s.idle_seconds
        > (epoch_us(s.ended_at) - epoch_us(s.started_at)) // 1000000
          + a.slack_seconds},
    {'rule': 'S-209', 'is_met': s.net_minor > a.ceiling_minor}],
    recursive := true)) AS u
WHERE u.is_met AND NOT list_contains(s.rules, u.rule) AND s.kind <> 'CREDIT'
  AND NOT EXISTS (SELECT 1 FROM booked AS d WHERE d.sdr_no = s.sdr_no);

-- what met a rule that holds was taken in by a decision, or is held still
SELECT 'sdrs.tsv', s.line_no, 'status of ' || s.sdr_uid,
       'HELD, or a line of releases.tsv', s.status || ' ' || array_to_string(s.rules, ' ')
FROM sdr AS s
WHERE s.status = 'ACCEPTED' AND contains(array_to_string(s.rules, ' '), 'S-2')
  AND NOT EXISTS (SELECT 1 FROM released AS x WHERE x.sdr_no = s.sdr_no)
  AND NOT EXISTS (SELECT 1 FROM booked AS d WHERE d.sdr_no = s.sdr_no);
