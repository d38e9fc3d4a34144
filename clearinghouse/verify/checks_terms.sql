-- As in checks.sql: each statement is a check; what it returns is wrong.

-- every document is due by the agreement of its two sides
WITH newest AS (
    SELECT d.number, m.later, arg_max(t.payment_days, t.version) AS payment_days
    FROM document AS d CROSS JOIN (SELECT unnest([-1, 0, 1]) AS later) AS m
    CROSS JOIN window_time AS w
    JOIN payment_term AS t ON t.seller = d.seller AND t.buyer = d.buyer
        AND t.currency = d.currency AND t.valid_from <= w.closed_at
        AND t.concluded_at <= w.closed_at + to_minutes(m.later)
    GROUP BY d.number, m.later
), due AS (
    SELECT d.line_no, d.number, d.due_on,
           day_of(w.closed_at) + coalesce(n.payment_days, 30)::INTEGER AS due_day
    FROM document AS d CROSS JOIN window_time AS w
    LEFT JOIN newest AS n USING (number)
)
SELECT 'documents.tsv', line_no, 'dueOn of ' || number,
       string_agg(DISTINCT due_day::VARCHAR, ' or '), any_value(due_on)::VARCHAR
FROM due GROUP BY line_no, number
HAVING NOT coalesce(bool_or(due_day = due_on), false);

-- a credit note names the invoices on which what it takes back stood
WITH due AS (
    SELECT DISTINCT d.number, e.number AS preceding
    FROM counted AS s
    JOIN earlier_invoice AS e ON e.window_id = s.ref_window_id
        AND e.seller = s.submitter AND e.buyer = s.csp AND e.currency = s.currency
        AND e.category = s.vat_category AND e.rate_bp = s.vat_rate_bp
    JOIN due_document AS d ON d.kind = '381' AND d.seller = s.submitter
        AND d.buyer = s.csp AND d.currency = s.currency
        AND d.is_outside = (s.vat_category = 'O')
    WHERE s.is_late
)
SELECT 'references.tsv', f.line_no, 'preceding invoices of ' || number,
       coalesce(e.preceding, 'none more'), f.preceding
FROM due AS e FULL JOIN reference AS f USING (number, preceding)
WHERE e.preceding IS NULL OR f.line_no IS NULL;

-- earlier invoices are of windows before, in a series of their seller
SELECT 'earlierinvoices.tsv', line_no, 'number', 'IN-' || seller || ' of a window before '
           || getvariable('window_id'), number || ' of ' || window_id
FROM earlier_invoice
WHERE window_id IS NULL OR window_id >= getvariable('window_id')::BIGINT
   OR NOT starts_with(number, 'IN-' || seller || '-');

-- every invoice for a fee is due by the plan of the fee, and a credit note like it
SELECT 'feedocuments.tsv', d.line_no, 'dueOn of ' || d.number,
       (day_of(d.issued_at) + p.payment_days)::VARCHAR, d.due_on::VARCHAR
FROM fee_document AS d JOIN run AS r USING (run_id)
LEFT JOIN due_fee AS f ON f.run_id = coalesce(r.reverses, r.run_id)
    AND f.party_id = d.party_id
LEFT JOIN fee_plan AS p ON p.plan_id = f.plan_id
WHERE d.due_on IS DISTINCT FROM day_of(d.issued_at) + p.payment_days;
