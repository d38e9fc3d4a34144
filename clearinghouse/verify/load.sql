-- The files of a bundle as tables. Every field comes as text and is cast where it is a
-- number; what is none becomes null, and checks.sql names it. Line 1 is the heading.

CREATE MACRO lines_of(name) AS TABLE
    SELECT row_number() OVER () AS line_no, line
    FROM read_csv(
        getvariable('folder') || '/' || name,
        columns = {'line': 'VARCHAR'}, header = false, auto_detect = false,
        delim = E'\x01', quote = '', escape = '', max_line_size = 8388608,
        buffer_size = 33554432, new_line = '\n', strict_mode = false);

CREATE MACRO fields_of(name) AS TABLE
    SELECT line_no, line, string_split(line, E'\t') AS f
    FROM lines_of(name) WHERE line_no > 1;

CREATE MACRO leaf(line) AS unhex(sha256('\x00'::BLOB || encode(line)));
CREATE MACRO node(a, b) AS unhex(sha256('\x01'::BLOB || a || b));
-- Texts in COPY's form; a backslash stands for itself last.
CREATE MACRO plain(t) AS replace(replace(replace(replace(
    replace(t, '\\', E'\x02'), '\t', E'\t'), '\n', E'\n'), '\r', E'\r'), E'\x02', '\');

CREATE TABLE sdr AS
    SELECT line_no, f[1] AS form,
           TRY_CAST(f[2] AS BIGINT) AS window_id, TRY_CAST(f[3] AS BIGINT) AS sdr_no,
           f[4] AS submitter, f[5] AS sdr_uid, f[6] AS csp, f[7] AS cso,
           f[8] AS batch_id, TRY_CAST(f[9] AS BIGINT) AS record_no, f[10] AS status,
           f[13] AS zone, TRY_CAST(f[14] AS TIMESTAMPTZ) AS started_at,
           TRY_CAST(f[15] AS TIMESTAMPTZ) AS ended_at,
           TRY_CAST(f[17] AS BIGINT) AS energy_wh,
           TRY_CAST(f[18] AS BIGINT) AS charge_seconds,
           TRY_CAST(f[19] AS BIGINT) AS idle_seconds,
           TRY_CAST(f[20] AS BIGINT) AS parking_seconds,
           TRY_CAST(f[21] AS BIGINT) AS tariff_version_id,
           TRY_CAST(f[22] AS BIGINT) AS engine_version, f[23] AS currency,
           TRY_CAST(f[24] AS BIGINT) AS claimed_minor,
           TRY_CAST(f[25] AS BIGINT) AS net_minor,
           string_split(f[26], ' ') AS rules, f[27] AS kind,
           TRY_CAST(nullif(f[28], '') AS BIGINT) AS ref_window_id,
           TRY_CAST(nullif(f[29], '') AS BIGINT) AS ref_sdr_no,
           f[27] = 'CREDIT' AND f[28] <> f[2] AS is_late, f[30] AS vat_category,
           TRY_CAST(f[31] AS BIGINT) AS vat_rate_bp,
           TRY_CAST(f[32] AS BIGINT) AS vat_rule_id, f[33] AS place, f[34] AS connectors,
           TRY_CAST(f[35] AS TIMESTAMPTZ) AS received_at, f[36] AS intervals,
           leaf(line) AS leaf
    FROM fields_of('sdrs.tsv');

CREATE TABLE listed_leaf AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS sdr_no, lower(f[2]) AS leaf
    FROM fields_of('leaves.tsv');

CREATE TABLE exclusion AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS sdr_no,
           TRY_CAST(f[2] AS BIGINT) AS successor_window_id,
           TRY_CAST(f[3] AS BIGINT) AS successor_sdr_no
    FROM fields_of('exclusions.tsv');

CREATE TABLE released AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS sdr_no,
           TRY_CAST(f[2] AS BIGINT) AS from_window_id,
           TRY_CAST(f[3] AS BIGINT) AS from_sdr_no
    FROM fields_of('releases.tsv');

CREATE TABLE batch AS
    SELECT line_no, f[1] AS batch_id, f[2] AS submitter,
           TRY_CAST(f[3] AS BIGINT) AS sequence, TRY_CAST(f[5] AS BIGINT) AS accepted,
           TRY_CAST(f[6] AS BIGINT) AS held, TRY_CAST(f[9] AS BIGINT) AS energy_wh,
           lower(f[11]) AS root
    FROM fields_of('batches.tsv');

CREATE TABLE tariff AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS tariff_version_id, f[2] AS publisher,
           f[3] AS tariff_id, f[5] AS currency,
           TRY_CAST(f[6] AS TIMESTAMPTZ) AS valid_from,
           TRY_CAST(nullif(f[7], '') AS TIMESTAMPTZ) AS valid_until,
           TRY_CAST(nullif(f[8], '') AS BIGINT) AS minimum_u,
           TRY_CAST(nullif(f[9], '') AS BIGINT) AS maximum_u,
           TRY_CAST(f[10] AS BIGINT) AS discount_ppm, f[11] AS vat_included,
           f[12] AS priced_by, plain(f[13]) AS components
    FROM fields_of('tariffs.tsv');

CREATE TABLE pair AS
    SELECT line_no, f[1] AS form, TRY_CAST(f[2] AS BIGINT) AS window_id,
           f[3] AS currency, f[4] AS csp, f[5] AS submitter,
           TRY_CAST(f[6] AS BIGINT) AS sdr_count, TRY_CAST(f[7] AS BIGINT) AS energy_wh,
           TRY_CAST(f[8] AS BIGINT) AS net_minor, lower(f[9]) AS root, leaf(line) AS leaf
    FROM fields_of('pairs.tsv');

CREATE TABLE settlement AS
    SELECT line_no, f[1] AS currency, TRY_CAST(f[2] AS BIGINT) AS gross_minor,
           TRY_CAST(f[3] AS BIGINT) AS bilateral_minor,
           TRY_CAST(f[4] AS BIGINT) AS multilateral_minor,
           TRY_CAST(f[5] AS BIGINT) AS sdr_count, TRY_CAST(f[6] AS BIGINT) AS energy_wh
    FROM fields_of('settlements.tsv');

CREATE TABLE matrix AS
    SELECT line_no, f[1] AS currency, f[2] AS debtor, f[3] AS creditor,
           TRY_CAST(f[4] AS BIGINT) AS sdr_count, TRY_CAST(f[5] AS BIGINT) AS energy_wh,
           TRY_CAST(f[6] AS BIGINT) AS net_minor, TRY_CAST(f[7] AS BIGINT) AS vat_minor,
           TRY_CAST(f[6] AS BIGINT) + TRY_CAST(f[7] AS BIGINT) AS gross_minor
    FROM fields_of('matrix.tsv');

CREATE TABLE position AS
    SELECT line_no, f[1] AS currency, f[2] AS party_id,
           TRY_CAST(f[3] AS BIGINT) AS receivable_minor,
           TRY_CAST(f[4] AS BIGINT) AS payable_minor,
           TRY_CAST(f[5] AS BIGINT) AS net_minor
    FROM fields_of('positions.tsv');

CREATE TABLE posting AS
    SELECT line_no, f[1] AS posting_key, f[2] AS debit, f[3] AS credit,
           f[4] AS currency, TRY_CAST(f[5] AS BIGINT) AS amount_minor, f[6] AS code
    FROM fields_of('postings.tsv');

CREATE TABLE statement AS
    SELECT line_no, f[1] AS statement_id, f[2] AS currency, f[3] AS party_id,
           TRY_CAST(f[4] AS BIGINT) AS net_minor, TRY_CAST(f[5] AS BIGINT) AS line_count,
           f[6] AS xml_digest, f[7] AS csv_digest,
           TRY_CAST(f[8] AS BIGINT) AS gross_minor
    FROM fields_of('statements.tsv');

CREATE TABLE series AS
    SELECT line_no, f[1] AS series, TRY_CAST(f[2] AS BIGINT) AS numbers_before
    FROM fields_of('series.tsv');

CREATE TABLE chain AS
    SELECT line_no, f[1] AS seq, coalesce(f[2], '') AS window_id,
           coalesce(plain(f[3]), '') AS label, coalesce(f[4], '') AS key_id,
           coalesce(f[5], '') AS signature, coalesce(plain(f[6]), '') AS text
    FROM fields_of('chain.tsv');

CREATE TABLE house_key AS
    SELECT line_no, f[1] AS key_id, coalesce(f[3], '') AS public_key
    FROM fields_of('keys.tsv');

CREATE TABLE participant AS
    SELECT line_no, f[1] AS party_id, f[2] AS country FROM fields_of('participants.tsv');

-- What counts: accepted, and not taken out again.
CREATE TABLE counted AS
    SELECT * FROM sdr
    WHERE status = 'ACCEPTED'
      AND NOT EXISTS (SELECT 1 FROM exclusion AS e WHERE e.sdr_no = sdr.sdr_no);

CREATE TABLE correction AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS sdr_no,
           TRY_CAST(f[2] AS BIGINT) AS ref_window_id,
           TRY_CAST(f[3] AS BIGINT) AS ref_sdr_no, f[4] AS dispute_id
    FROM fields_of('corrections.tsv');

-- What was booked because a dispute ended: it names the batch of what it corrects.
CREATE TABLE booked AS
    SELECT c.* FROM correction AS c WHERE c.dispute_id <> '';

-- What intake put into a batch: the first row of each record; a later row of the same
-- record is a held SDR that was taken in afterwards, or the end of a dispute.
CREATE TABLE of_batch AS
    SELECT s.* FROM sdr AS s JOIN batch AS b USING (batch_id)
    WHERE NOT EXISTS (SELECT 1 FROM released AS r WHERE r.sdr_no = s.sdr_no)
      AND NOT EXISTS (SELECT 1 FROM booked AS d WHERE d.sdr_no = s.sdr_no);

CREATE TABLE profile AS
    SELECT line_no, f[1] AS party_id, TRY_CAST(f[2] AS BIGINT) AS version,
           TRY_CAST(f[3] AS DATE) AS valid_from, f[4] AS country,
           nullif(f[5], '') AS vat_id, f[6] = 'true' AS is_dealer,
           TRY_CAST(f[7] AS TIMESTAMPTZ) AS created_at
    FROM fields_of('profiles.tsv');

CREATE TABLE vat_rule AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS rule_id, f[2] AS service, f[3] AS seller,
           f[4] AS buyer, f[5] AS place, nullif(f[6], '') = 'true' AS dealer,
           TRY_CAST(f[7] AS DATE) AS valid_from,
           TRY_CAST(nullif(f[8], '') AS DATE) AS valid_until,
           TRY_CAST(nullif(f[9], '') AS DATE) AS ends_on,
           TRY_CAST(nullif(f[10], '') AS TIMESTAMPTZ) AS ended_at, f[11] AS category,
           TRY_CAST(f[12] AS BIGINT) AS rate_bp, f[13] AS reason_code,
           TRY_CAST(f[14] AS BIGINT) AS priority,
           TRY_CAST(f[15] AS TIMESTAMPTZ) AS created_at
    FROM fields_of('vatrules.tsv');

CREATE TABLE agreement AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS agreement_id, f[2] AS visited,
           f[3] AS home, f[4] AS currency, TRY_CAST(f[5] AS TIMESTAMPTZ) AS valid_from,
           TRY_CAST(f[6] AS BIGINT) AS tolerance_minor,
           TRY_CAST(f[7] AS BIGINT) AS tolerance_ppm,
           TRY_CAST(f[8] AS BIGINT) AS energy_wh_max,
           TRY_CAST(f[9] AS BIGINT) AS duration_seconds_max,
           TRY_CAST(f[10] AS BIGINT) AS slack_seconds,
           TRY_CAST(nullif(f[11], '') AS BIGINT) AS ceiling_minor
    FROM fields_of('agreements.tsv');

CREATE TABLE judgement AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS sdr_no,
           TRY_CAST(f[2] AS BIGINT) AS agreement_id
    FROM fields_of('judgements.tsv');

CREATE TABLE document AS
    SELECT line_no, f[1] AS number, f[2] AS kind, f[3] AS seller, f[4] AS buyer,
           f[5] AS currency, f[6] = 'true' AS is_outside,
           TRY_CAST(f[7] AS BIGINT) AS net_minor, TRY_CAST(f[8] AS BIGINT) AS vat_minor,
           TRY_CAST(f[9] AS BIGINT) AS gross_minor, f[10] AS issued_at,
           TRY_CAST(f[11] AS DATE) AS due_on
    FROM fields_of('documents.tsv');

CREATE TABLE document_line AS
    SELECT line_no, f[1] AS number, f[2] AS category, TRY_CAST(f[3] AS BIGINT) AS rate_bp,
           f[4] AS place, TRY_CAST(f[5] AS BIGINT) AS rule_id,
           TRY_CAST(f[6] AS BIGINT) AS sdr_count, TRY_CAST(f[7] AS BIGINT) AS energy_wh,
           TRY_CAST(f[8] AS BIGINT) AS net_minor
    FROM fields_of('documentlines.tsv');

CREATE TABLE document_vat AS
    SELECT line_no, f[1] AS number, f[2] AS category, TRY_CAST(f[3] AS BIGINT) AS rate_bp,
           TRY_CAST(f[4] AS BIGINT) AS rule_id, f[5] AS reason_code,
           TRY_CAST(f[6] AS BIGINT) AS sdr_count, TRY_CAST(f[7] AS BIGINT) AS energy_wh,
           TRY_CAST(f[8] AS BIGINT) AS base_minor, TRY_CAST(f[9] AS BIGINT) AS vat_minor
    FROM fields_of('documentvat.tsv');

CREATE TABLE rendering AS
    SELECT line_no, f[1] AS number, f[2] AS format, f[3] AS digest
    FROM fields_of('renderings.tsv');

CREATE TABLE payment_term AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS version, f[2] AS seller, f[3] AS buyer,
           f[4] AS currency, TRY_CAST(f[5] AS TIMESTAMPTZ) AS valid_from,
           TRY_CAST(f[6] AS INTEGER) AS payment_days,
           coalesce(TRY_CAST(nullif(f[7], '') AS TIMESTAMPTZ),
                    TIMESTAMPTZ '0001-01-01 00:00:00+00') AS concluded_at
    FROM fields_of('paymentterms.tsv');

CREATE TABLE reference AS
    SELECT line_no, f[1] AS number, f[2] AS preceding FROM fields_of('references.tsv');

CREATE TABLE earlier_invoice AS
    SELECT line_no, f[1] AS number, TRY_CAST(f[2] AS BIGINT) AS window_id, f[3] AS seller,
           f[4] AS buyer, f[5] AS currency, f[6] AS category,
           TRY_CAST(f[7] AS BIGINT) AS rate_bp
    FROM fields_of('earlierinvoices.tsv');

-- What credits take back of earlier windows; the fields are those of sdrs.tsv.
CREATE TABLE original AS
    SELECT line_no, TRY_CAST(f[1] AS BIGINT) AS window_id,
           TRY_CAST(f[2] AS BIGINT) AS sdr_no, plain(f[3]) AS row_text,
           TRY_CAST(f[4] AS BIGINT) AS pair_index, TRY_CAST(f[5] AS BIGINT) AS pair_size,
           f[6] AS pair_path, plain(f[7]) AS pair_row,
           TRY_CAST(f[8] AS BIGINT) AS window_index,
           TRY_CAST(f[9] AS BIGINT) AS window_size, coalesce(f[10], '') AS window_path,
           string_split(plain(f[3]), E'\t') AS s
    FROM fields_of('originals.tsv');
