-- Credits beside what they take back, of this window or proved to be of an earlier one.

CREATE TABLE credited AS
    WITH wanted AS (
        SELECT DISTINCT ref_sdr_no AS sdr_no FROM sdr
        WHERE kind = 'CREDIT' AND ref_window_id = window_id
    )
    SELECT 'sdrs.tsv' AS file, line_no, TRY_CAST(f[2] AS BIGINT) AS window_id,
           TRY_CAST(f[3] AS BIGINT) AS sdr_no, f
    FROM fields_of('sdrs.tsv')
    WHERE (SELECT count(*) FROM wanted) > 0
      AND TRY_CAST(f[3] AS BIGINT) IN (SELECT sdr_no FROM wanted)
    UNION ALL
    SELECT 'originals.tsv', line_no, window_id, sdr_no, s FROM original;

CREATE TABLE credit AS
    SELECT line_no, f[5] AS sdr_uid, TRY_CAST(f[3] AS BIGINT) AS sdr_no, f[10] AS status,
           TRY_CAST(f[28] AS BIGINT) AS ref_window_id,
           TRY_CAST(f[29] AS BIGINT) AS ref_sdr_no, f
    FROM fields_of('sdrs.tsv')
    WHERE (SELECT count(*) FROM sdr WHERE kind = 'CREDIT') > 0 AND f[27] = 'CREDIT';

-- What no tariff gives: an amount that was agreed in a dispute, and its credit.
CREATE TABLE agreed AS
    SELECT s.sdr_no FROM sdr AS s WHERE list_contains(s.rules, 'S-308')
    UNION
    SELECT c.sdr_no FROM credit AS c
    JOIN credited AS o ON o.window_id = c.ref_window_id AND o.sdr_no = c.ref_sdr_no
    WHERE list_contains(string_split(o.f[26], ' '), 'S-308');

-- What stands in the place of a credit because its dispute ended so.
CREATE TABLE ending AS
    SELECT line_no, f[5] AS sdr_uid, TRY_CAST(f[28] AS BIGINT) AS ref_window_id,
           TRY_CAST(f[29] AS BIGINT) AS ref_sdr_no, f
    FROM fields_of('sdrs.tsv')
    WHERE (SELECT count(*) FROM booked) > 0 AND f[27] = 'REPLACEMENT'
      AND TRY_CAST(f[3] AS BIGINT) IN (SELECT sdr_no FROM booked);
