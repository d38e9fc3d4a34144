-- As in checks.sql: each statement is a check; what it returns is wrong.

-- every SDR has the VAT of the table
SELECT 'sdrs.tsv', s.line_no, 'category, rate and rule of VAT of ' || s.sdr_uid,
       e.category || ' ' || e.rate_bp || ' ' || e.rule_id,
       s.vat_category || ' ' || s.vat_rate_bp || ' ' || s.vat_rule_id
FROM taxable AS s
LEFT JOIN treatment AS e ON e.service = 'ENERGY' AND e.seller_party = s.submitter
    AND e.buyer_party = s.csp AND e.place = s.place AND e.on_day = s.on_day
    AND e.epoch = s.high
WHERE NOT EXISTS (
    SELECT 1 FROM treatment AS t
    WHERE t.service = 'ENERGY' AND t.seller_party = s.submitter
      AND t.buyer_party = s.csp AND t.place = s.place AND t.on_day = s.on_day
      AND t.epoch BETWEEN s.low AND s.high AND t.category = s.vat_category
      AND t.rate_bp = s.vat_rate_bp AND t.rule_id = s.vat_rule_id)
ORDER BY s.line_no;

-- every document is there with its number, its net and its VAT
SELECT 'documents.tsv',
       d.line_no,
       u.name || ' of the ' || CASE kind WHEN '380' THEN 'invoice' WHEN '381'
           THEN 'credit note' ELSE 'document' END || ' of ' || seller || ' to ' || buyer
           || ' in ' || currency,
       u.expected, u.found
FROM due_document AS e
FULL JOIN document AS d USING (kind, seller, buyer, currency, is_outside)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'number', 'expected': e.number, 'found': d.number},
    {'name': 'netMinor', 'expected': e.net_minor::VARCHAR,
     'found': d.net_minor::VARCHAR},
    {'name': 'vatMinor', 'expected': e.vat_minor::VARCHAR,
     'found': d.vat_minor::VARCHAR},
    {'name': 'grossMinor', 'expected': (e.net_minor + e.vat_minor)::VARCHAR,
     'found': d.gross_minor::VARCHAR}], recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- no number is given twice
SELECT 'documents.tsv', max(line_no), number, 'once', count(*) || ' times'
FROM document GROUP BY number HAVING count(*) > 1;

-- numbers of a series follow each other without gap
SELECT 'documents.tsv', line_no, 'number after ' || before, 'the next of its series',
       number
FROM (
    SELECT line_no, number, left(number, 13) AS series,
           TRY_CAST(substr(number, 15) AS BIGINT) AS place,
           lag(number) OVER s AS before,
           lag(TRY_CAST(substr(number, 15) AS BIGINT)) OVER s AS place_before
    FROM document
    WINDOW s AS (PARTITION BY left(number, 13)
                 ORDER BY TRY_CAST(substr(number, 15) AS BIGINT), line_no)
) WHERE place IS NULL OR place <> place_before + 1;

-- every document was issued when the window closed
SELECT 'documents.tsv', line_no, 'issuedAt of ' || number, getvariable('closed_at'),
       issued_at
FROM document WHERE issued_at IS DISTINCT FROM getvariable('closed_at');

-- every line of a document is the sum of its SDRs
WITH expected AS (
    SELECT d.number, l.category, l.rate_bp, l.place, l.rule_id, l.sdr_count, l.energy_wh,
           l.net_minor
    FROM due_line AS l
    JOIN due_document AS d USING (kind, seller, buyer, currency, is_outside)
), found AS (
    SELECT number, category, rate_bp, place, rule_id, min(line_no) AS line_no,
           sum(sdr_count)::BIGINT AS sdr_count, sum(energy_wh)::BIGINT AS energy_wh,
           sum(net_minor)::BIGINT AS net_minor
    FROM document_line GROUP BY number, category, rate_bp, place, rule_id
)
SELECT 'documentlines.tsv', f.line_no,
       number || ' ' || category || ' ' || rate_bp || ' ' || place || ' ' || u.name,
       u.expected::VARCHAR, u.found::VARCHAR
FROM expected AS e FULL JOIN found AS f USING (number, category, rate_bp, place, rule_id)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'sdrCount', 'expected': e.sdr_count, 'found': f.sdr_count},
    {'name': 'energyWh', 'expected': e.energy_wh, 'found': f.energy_wh},
    {'name': 'netMinor', 'expected': e.net_minor, 'found': f.net_minor}],
    recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- VAT of a document is rounded once for each category and rate
WITH expected AS (
    SELECT d.number, v.category, v.rate_bp, v.rule_id, v.sdr_count, v.energy_wh,
           v.base_minor, v.vat_minor,
           CASE WHEN v.category IN ('S', 'Z') THEN ''
                WHEN v.rule_id = 0 THEN 'VATEX-EU-O'
                ELSE (SELECT max(r.reason_code) FROM vat_rule AS r
                      WHERE r.rule_id = v.rule_id) END AS reason_code
    FROM due_vat AS v
    JOIN due_document AS d USING (kind, seller, buyer, currency, is_outside)
)
SELECT 'documentvat.tsv', f.line_no,
       number || ' ' || category || ' ' || rate_bp || ' ' || u.name, u.expected, u.found
FROM expected AS e FULL JOIN document_vat AS f USING (number, category, rate_bp)
CROSS JOIN LATERAL (SELECT unnest([
    {'name': 'ruleId', 'expected': e.rule_id::VARCHAR, 'found': f.rule_id::VARCHAR},
    {'name': 'reasonCode', 'expected': e.reason_code, 'found': f.reason_code},
    {'name': 'sdrCount', 'expected': e.sdr_count::VARCHAR,
     'found': f.sdr_count::VARCHAR},
    {'name': 'energyWh', 'expected': e.energy_wh::VARCHAR,
     'found': f.energy_wh::VARCHAR},
    {'name': 'baseMinor', 'expected': e.base_minor::VARCHAR,
     'found': f.base_minor::VARCHAR},
    {'name': 'vatMinor', 'expected': e.vat_minor::VARCHAR,
     'found': f.vat_minor::VARCHAR}], recursive := true)) AS u
WHERE u.expected IS DISTINCT FROM u.found;

-- renderings are those of documents
SELECT 'renderings.tsv', line_no, 'number', 'a document of documents.tsv or '
           || 'feedocuments.tsv', number
FROM rendering AS r
WHERE NOT EXISTS (SELECT 1 FROM document AS d WHERE d.number = r.number)
  AND NOT EXISTS (SELECT 1 FROM fee_document AS d WHERE d.number = r.number)
   OR NOT regexp_full_match(digest, '[0-9a-f]{64}');

-- what is issued is issued in all of its forms, once in each
WITH due AS (
    SELECT number, CASE WHEN decimals_of(any_value(currency)) > 2 THEN 'PDF'
                        ELSE 'CII PDF UBL' END AS formats
    FROM (SELECT number, currency FROM document
          UNION ALL SELECT number, currency FROM fee_document)
    GROUP BY number
)
SELECT 'renderings.tsv', min(r.line_no), 'formats of ' || number, d.formats,
       string_agg(r.format, ' ' ORDER BY r.format)
FROM rendering AS r JOIN due AS d USING (number)
GROUP BY number, d.formats
HAVING string_agg(r.format, ' ' ORDER BY r.format) <> d.formats;
