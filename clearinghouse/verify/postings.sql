-- Postings of the closing once more, and how postings of any kind are compared.

CREATE MACRO posting_differences(file, due, found) AS TABLE
    SELECT file, p.line_no, posting_key || ' ' || u.name, u.expected, u.found
    FROM query_table(due) AS w FULL JOIN query_table(found) AS p USING (posting_key)
    CROSS JOIN LATERAL (SELECT unnest([
        {'name': 'debitAccount', 'expected': w.debit, 'found': p.debit},
        {'name': 'creditAccount', 'expected': w.credit, 'found': p.credit},
        {'name': 'currency', 'expected': w.currency, 'found': p.currency},
        {'name': 'amountMinor', 'expected': w.amount_minor::VARCHAR,
         'found': p.amount_minor::VARCHAR},
        {'name': 'code', 'expected': w.code, 'found': p.code}], recursive := true)) AS u
    WHERE u.expected IS DISTINCT FROM u.found;

CREATE MACRO postings_given_twice(file, found) AS TABLE
    SELECT file, max(line_no), posting_key, 'once', count(*) || ' times'
    FROM query_table(found) GROUP BY posting_key HAVING count(*) > 1;

-- A pair is accepted, net and VAT apart, and closed into positions; what is below nothing
-- goes the other way.
CREATE TABLE due_pair_posting AS
    WITH leg AS (
        SELECT currency, debtor, creditor, unnest([
            {'code': 'ACCEPT', 'pays': 'P:' || debtor || ':PAY',
             'gets': 'P:' || creditor || ':RECV', 'amount': net_minor},
            {'code': 'ACCEPT-VAT', 'pays': 'P:' || debtor || ':PAY',
             'gets': 'P:' || creditor || ':RECV', 'amount': vat_minor},
            {'code': 'CLOSE-RECV', 'pays': 'P:' || creditor || ':RECV',
             'gets': 'P:' || creditor || ':POS', 'amount': gross_minor},
            {'code': 'CLOSE-PAY', 'pays': 'P:' || debtor || ':POS',
             'gets': 'P:' || debtor || ':PAY', 'amount': gross_minor}],
            recursive := true)
        FROM matrix
    )
    SELECT 'W' || getvariable('window_id') || ':' || currency || '-' || debtor || '-'
               || creditor || ':' || code AS posting_key,
           CASE WHEN amount > 0 THEN pays ELSE gets END AS debit,
           CASE WHEN amount > 0 THEN gets ELSE pays END AS credit,
           currency, abs(amount) AS amount_minor, code
    FROM leg WHERE amount <> 0;
