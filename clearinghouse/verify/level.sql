-- One level of all trees: neighbours are joined.
CREATE OR REPLACE TABLE node AS
    SELECT a.tree_id, a.place // 2 AS place,
           CASE WHEN b.hash IS NULL THEN a.hash ELSE node(a.hash, b.hash) END AS hash
    FROM node AS a
    LEFT JOIN node AS b ON b.tree_id = a.tree_id AND b.place = a.place + 1
    WHERE a.place % 2 = 0;
