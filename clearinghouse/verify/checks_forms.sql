-- As in checks.sql, for one file after the other: variables say which, and how its lines
-- are written. A line is looked into only when it is written otherwise.

-- every line has its fields, and every field its form
WITH bad AS MATERIALIZED (
    SELECT line_no, string_split(line, E'\t') AS f FROM lines_of(getvariable('file'))
    WHERE line_no > 1
      AND NOT coalesce(regexp_full_match(line, getvariable('pattern')), false)
), field AS (
    SELECT line_no, unnest(f) AS value, generate_subscripts(f, 1) AS place FROM bad
), own AS (
    SELECT * FROM field_form WHERE file = getvariable('file')
)
SELECT file, line_no, name, expected, found FROM (
    SELECT getvariable('file') AS file, line_no, 0 AS place, 'fields' AS name,
           (SELECT count(*) FROM own)::VARCHAR AS expected,
           coalesce(len(f), 0)::VARCHAR AS found
    FROM bad
    UNION ALL
    SELECT file, line_no, place, name, form, value FROM field JOIN own USING (place)
    WHERE NOT regexp_full_match(value, pattern))
WHERE expected <> found ORDER BY line_no, place;

-- every day is one of the calendar, and JSON can be read
SELECT h.file, t.line_no, h.name, h.form, t.value
FROM (SELECT line_no, unnest(f) AS value, generate_subscripts(f, 1) AS place
      FROM fields_of(getvariable('file'))
      -- Of these there are many: checks.sql has the instants of SDRs as they were read,
      -- and the others have none.
      WHERE getvariable('file') NOT IN ('sdrs.tsv', 'leaves.tsv', 'judgements.tsv')) AS t
JOIN field_form AS h ON h.file = getvariable('file') AND h.place = t.place
WHERE t.value <> '' AND CASE
    WHEN h.form LIKE 'an instant%' THEN TRY_CAST(t.value AS TIMESTAMPTZ) IS NULL
    WHEN h.form LIKE 'a day%' THEN TRY_CAST(t.value AS DATE) IS NULL
    WHEN h.form LIKE 'JSON%' THEN NOT json_valid(t.value)
    ELSE false END
  AND regexp_full_match(t.value, h.pattern)
ORDER BY t.line_no, h.place;
