-- Disputes of the window, and what they put into suspense and take out of it, once more
-- from the disputes. A minute either way of an instant may have been before or after.

CREATE TABLE dispute AS
    SELECT line_no, f[1] AS dispute_id, TRY_CAST(f[2] AS BIGINT) AS window_id,
           TRY_CAST(f[3] AS BIGINT) AS sdr_no, f[4] AS csp, f[5] AS submitter,
           f[6] AS currency, TRY_CAST(f[7] AS BIGINT) AS net_minor,
           f[8] = 'true' AS is_carried, TRY_CAST(f[9] AS TIMESTAMPTZ) AS opened_at,
           TRY_CAST(nullif(f[10], '') AS TIMESTAMPTZ) AS ended_at,
           TRY_CAST(nullif(f[11], '') AS BIGINT) AS agreed_minor,
           TRY_CAST(nullif(f[12], '') AS BIGINT) AS held_window_id,
           TRY_CAST(nullif(f[13], '') AS BIGINT) AS released_window_id,
           TRY_CAST(f[2] AS BIGINT) = getvariable('window_id')::BIGINT AS is_own
    FROM fields_of('disputes.tsv');

CREATE TABLE suspended AS
    SELECT line_no, f[1] AS posting_key, f[2] AS debit, f[3] AS credit,
           f[4] AS currency, TRY_CAST(f[5] AS BIGINT) AS amount_minor, f[6] AS code
    FROM fields_of('suspense.tsv');

CREATE TABLE window_time AS
    SELECT TRY_CAST(getvariable('opened_at') AS TIMESTAMPTZ) AS opened_at,
           TRY_CAST(getvariable('cutover_at') AS TIMESTAMPTZ) AS cutover_at,
           TRY_CAST(getvariable('closed_at') AS TIMESTAMPTZ) AS closed_at;

-- Where a dispute stands by its instants: surely, or as far as can be told.
CREATE TABLE timed_dispute AS
    SELECT d.*, w.closed_at,
           d.opened_at < w.cutover_at - INTERVAL 1 MINUTE AS is_surely_before_cutover,
           d.opened_at > w.cutover_at + INTERVAL 1 MINUTE AS is_surely_after_cutover,
           coalesce(d.ended_at > w.opened_at + INTERVAL 1 MINUTE
               AND d.ended_at < w.cutover_at - INTERVAL 1 MINUTE, false)
               AS is_surely_ended_in,
           coalesce(d.ended_at BETWEEN w.opened_at - INTERVAL 1 MINUTE
               AND w.cutover_at + INTERVAL 1 MINUTE, false) AS is_maybe_ended_in
    FROM dispute AS d CROSS JOIN window_time AS w;

-- The legs of a hold and their mirrors: as accepted between the two, ahead of a window,
-- and moved aside.
CREATE TABLE due_suspended AS
    WITH leg AS (
        SELECT dispute_id, currency, net_minor, held_window_id, released_window_id,
               unnest([
            {'leg': '-ACCEPT', 'gives': 'P:' || csp || ':PAY',
             'takes': 'P:' || submitter || ':RECV'},
            {'leg': '', 'gives': 'P:' || submitter || ':RECV',
             'takes': 'P:' || submitter || ':SUSP'},
            {'leg': '-OWED', 'gives': 'P:' || csp || ':SUSP',
             'takes': 'P:' || csp || ':PAY'}], recursive := true)
        FROM dispute WHERE net_minor > 0
    )
    SELECT 'D' || dispute_id || ':HOLD' || leg AS posting_key, gives AS debit,
           takes AS credit, currency, net_minor AS amount_minor, 'HOLD' || leg AS code
    FROM leg WHERE held_window_id = getvariable('window_id')::BIGINT
    UNION ALL
    SELECT 'D' || dispute_id || ':RELEASE' || leg, takes, gives, currency, net_minor,
           'RELEASE' || leg
    FROM leg WHERE released_window_id = getvariable('window_id')::BIGINT;

-- What the end of each dispute booked in this window.
CREATE TABLE came_to AS
    SELECT d.dispute_id, sum(s.net_minor)::BIGINT AS net_minor, min(s.line_no) AS line_no
    FROM booked AS d JOIN sdr AS s USING (sdr_no) GROUP BY d.dispute_id;
