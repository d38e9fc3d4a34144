-- The files of settlement runs as tables, like those of load.sql.

CREATE TABLE run AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS currency, f[3] AS model,
           f[4] AS fees, TRY_CAST(nullif(f[5], '') AS BIGINT) AS reverses,
           f[6] AS state, TRY_CAST(f[7] AS BIGINT) AS gross_minor,
           TRY_CAST(f[8] AS BIGINT) AS moved_minor,
           TRY_CAST(f[9] AS TIMESTAMPTZ) AS proposed_at
    FROM fields_of('runs.tsv');

CREATE TABLE run_excluded AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS party_id
    FROM fields_of('runexclusions.tsv');

CREATE TABLE run_pair AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id,
           TRY_CAST(f[2] AS BIGINT) AS window_id, f[3] AS currency, f[4] AS debtor,
           f[5] AS creditor, TRY_CAST(f[6] AS BIGINT) AS sdr_count,
           TRY_CAST(f[7] AS BIGINT) AS amount_minor
    FROM fields_of('runpairs.tsv');

CREATE TABLE choice AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS choice_id, f[2] AS party,
           coalesce(f[3], '') AS other, f[4] AS from_currency, f[5] AS to_currency,
           TRY_CAST(f[6] AS DATE) AS valid_from,
           TRY_CAST(f[7] AS TIMESTAMPTZ) AS created_at
    FROM fields_of('choices.tsv');

CREATE TABLE rate AS
    SELECT line_no, f[1] AS currency, TRY_CAST(f[2] AS DATE) AS day,
           TRY_CAST(f[3] AS BIGINT) AS version, TRY_CAST(f[4] AS BIGINT) AS rate_u,
           TRY_CAST(f[5] AS TIMESTAMPTZ) AS created_at
    FROM fields_of('rates.tsv');

CREATE TABLE run_rate AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS currency,
           TRY_CAST(f[3] AS DATE) AS day, TRY_CAST(f[4] AS BIGINT) AS version
    FROM fields_of('runrates.tsv');

CREATE TABLE conversion AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS currency, f[3] AS debtor,
           f[4] AS creditor, TRY_CAST(f[5] AS BIGINT) AS from_minor,
           TRY_CAST(f[6] AS BIGINT) AS to_minor
    FROM fields_of('conversions.tsv');

CREATE TABLE fee_plan AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS plan_id, f[2] AS party_id,
           f[3] AS currency, TRY_CAST(f[4] AS DATE) AS valid_from, f[5] AS side,
           f[6] AS tiers, TRY_CAST(f[7] AS BIGINT) AS share_ppm,
           TRY_CAST(f[8] AS BIGINT) AS minimum_minor,
           TRY_CAST(nullif(f[9], '') AS BIGINT) AS maximum_minor,
           TRY_CAST(f[10] AS TIMESTAMPTZ) AS created_at,
           TRY_CAST(f[11] AS INTEGER) AS payment_days
    FROM fields_of('feeplans.tsv');

CREATE TABLE run_fee AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS party_id,
           TRY_CAST(f[3] AS BIGINT) AS plan_id, TRY_CAST(f[4] AS BIGINT) AS sdr_count,
           TRY_CAST(f[5] AS BIGINT) AS turnover_minor,
           TRY_CAST(f[6] AS BIGINT) AS sdr_minor, TRY_CAST(f[7] AS BIGINT) AS share_minor,
           TRY_CAST(f[8] AS BIGINT) AS net_minor, f[9] AS vat_category,
           TRY_CAST(f[10] AS BIGINT) AS vat_rate_bp,
           TRY_CAST(f[11] AS BIGINT) AS vat_rule_id,
           TRY_CAST(f[12] AS BIGINT) AS vat_minor
    FROM fields_of('runfees.tsv');

CREATE TABLE fee_document AS
    SELECT line_no, f[1] AS number, f[2] AS kind, TRY_CAST(f[3] AS BIGINT) AS run_id,
           f[4] AS party_id, f[5] AS currency, TRY_CAST(f[6] AS BIGINT) AS net_minor,
           TRY_CAST(f[7] AS BIGINT) AS vat_minor, f[8] AS refers_to,
           TRY_CAST(f[9] AS TIMESTAMPTZ) AS issued_at, TRY_CAST(f[10] AS DATE) AS due_on
    FROM fields_of('feedocuments.tsv');

CREATE TABLE run_debt AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS debtor, f[3] AS creditor,
           f[4] AS kind, TRY_CAST(f[5] AS BIGINT) AS amount_minor
    FROM fields_of('rundebts.tsv');

CREATE TABLE run_account AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS owner,
           TRY_CAST(f[3] AS BIGINT) AS receivable_minor,
           TRY_CAST(f[4] AS BIGINT) AS payable_minor,
           TRY_CAST(f[5] AS BIGINT) AS fee_minor, TRY_CAST(f[6] AS BIGINT) AS net_minor
    FROM fields_of('runaccounts.tsv');

CREATE TABLE transfer AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, TRY_CAST(f[2] AS BIGINT) AS place,
           f[3] AS end_to_end_id, f[4] AS kind, f[5] AS payer, f[6] AS payee,
           TRY_CAST(f[7] AS BIGINT) AS amount_minor
    FROM fields_of('runtransfers.tsv');

-- Before form 3 all returns were posted by the first rule, and nothing said so.
CREATE TABLE confirmation AS
    SELECT line_no, f[1] AS end_to_end_id, TRY_CAST(f[2] AS BIGINT) AS number,
           TRY_CAST(f[3] AS BIGINT) AS amount_minor,
           TRY_CAST(f[4] AS BIGINT) AS posted_minor, f[5] AS outcome,
           CASE WHEN getvariable('form') < 3 THEN '1' ELSE f[6] END AS return_rule
    FROM fields_of('confirmations.tsv');

CREATE TABLE run_posting AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS run_id, f[2] AS posting_key, f[3] AS debit,
           f[4] AS credit, f[5] AS currency, TRY_CAST(f[6] AS BIGINT) AS amount_minor,
           f[7] AS code
    FROM fields_of('runpostings.tsv');
