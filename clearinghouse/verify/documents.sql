-- Invoices and credit notes once more, from the SDRs that count: what stands on which, the
-- VAT on it, and the number that comes next in its series.

-- Charges are on the invoice, credits of earlier windows on the credit note. A category
-- and rate that comes to less than nothing goes to the credit note as a whole, and one
-- whose credits come to more than nothing to the invoice.
CREATE TABLE due_line AS
    WITH line AS (
        SELECT currency, submitter AS seller, csp AS buyer, vat_category AS category,
               vat_rate_bp AS rate_bp, place, vat_rule_id AS rule_id, is_late,
               count(*) AS sdr_count, sum(energy_wh) AS energy_wh,
               sum(net_minor) AS net_minor
        FROM counted GROUP BY ALL
    ), side AS (
        SELECT *, coalesce(sum(net_minor) FILTER (NOT is_late) OVER g, 0) AS charged,
               coalesce(sum(net_minor) FILTER (is_late) OVER g, 0) AS credited
        FROM line
        WINDOW g AS (PARTITION BY currency, seller, buyer, category, rate_bp)
    ), placed AS (
        SELECT *, CASE WHEN credited + least(charged, 0) > 0 THEN '380'
                       WHEN charged < 0 OR is_late THEN '381' ELSE '380' END AS kind
        FROM side
    )
    SELECT currency, seller, buyer, kind, category = 'O' AS is_outside, category,
           rate_bp, place, rule_id, sum(sdr_count)::BIGINT AS sdr_count,
           sum(energy_wh)::BIGINT AS energy_wh,
           (CASE kind WHEN '380' THEN 1 ELSE -1 END * sum(net_minor))::BIGINT
               AS net_minor
    FROM (SELECT *, bool_or(net_minor <> 0) OVER (PARTITION BY currency, seller, buyer,
                        kind, category, rate_bp) AS is_something FROM placed)
    WHERE is_something
    GROUP BY currency, seller, buyer, kind, category, rate_bp, place, rule_id;

-- VAT is rounded once per document, category and rate, half away from zero.
CREATE TABLE due_vat AS
    SELECT currency, seller, buyer, kind, is_outside, category, rate_bp,
           coalesce(min(nullif(rule_id, 0)), 0) AS rule_id,
           sum(sdr_count)::BIGINT AS sdr_count, sum(energy_wh)::BIGINT AS energy_wh,
           sum(net_minor)::BIGINT AS base_minor,
           half_away(sum(net_minor) * rate_bp, 10000)::BIGINT AS vat_minor
    FROM due_line
    GROUP BY currency, seller, buyer, kind, is_outside, category, rate_bp;

CREATE TABLE due_document AS
    WITH whole AS (
        SELECT currency, seller, buyer, kind, is_outside,
               string_agg(category, '' ORDER BY category, rate_bp) AS categories,
               sum(base_minor)::BIGINT AS net_minor, sum(vat_minor)::BIGINT AS vat_minor
        FROM due_vat GROUP BY ALL
    ), placed AS (
        SELECT *, CASE kind WHEN '380' THEN 'IN-' ELSE 'CN-' END || seller || '-'
                      || getvariable('window_year') AS series,
               row_number() OVER (PARTITION BY kind, seller
                                  ORDER BY currency, buyer, categories) AS place
        FROM whole
    )
    SELECT w.* EXCLUDE (categories, place),
           w.series || '-' || lpad(n.number, greatest(6, length(n.number))::INTEGER, '0')
               AS number
    FROM placed AS w CROSS JOIN LATERAL (
        SELECT (w.place + coalesce((SELECT max(numbers_before) FROM series AS s
                                    WHERE s.series = w.series), 0))::VARCHAR AS number
    ) AS n;
