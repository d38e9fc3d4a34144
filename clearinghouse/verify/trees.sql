-- Merkle trees of pairs and batches (RFC 6962), all of them level by level at once.
-- An odd node goes up as it is, which gives the same tree as splitting does.

CREATE OR REPLACE TABLE tree AS
    SELECT row_number() OVER (ORDER BY kind, a, b, c) AS tree_id, kind, a, b, c, leaves
    FROM (
        SELECT 'pair' AS kind, currency AS a, csp AS b, submitter AS c,
               count(*) AS leaves
        FROM counted GROUP BY ALL
        UNION ALL
        SELECT 'batch', batch_id, '', '', count(*) FROM of_batch GROUP BY ALL
        UNION ALL
        SELECT 'window', '', '', '', count(*) FROM pair HAVING count(*) > 0
    );

CREATE OR REPLACE TABLE node AS
    SELECT t.tree_id, row_number() OVER (PARTITION BY t.tree_id ORDER BY s.sdr_no) - 1
               AS place, s.leaf AS hash
    FROM counted AS s JOIN tree AS t
      ON t.kind = 'pair' AND t.a = s.currency AND t.b = s.csp AND t.c = s.submitter
    UNION ALL
    SELECT t.tree_id, row_number() OVER (PARTITION BY t.tree_id ORDER BY s.sdr_no) - 1,
           s.leaf
    FROM of_batch AS s JOIN tree AS t ON t.kind = 'batch' AND t.a = s.batch_id
    UNION ALL
    SELECT t.tree_id, row_number() OVER (ORDER BY p.line_no) - 1, p.leaf
    FROM pair AS p JOIN tree AS t ON t.kind = 'window';
