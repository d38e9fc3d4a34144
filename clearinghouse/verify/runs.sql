-- Settlement runs once more: what they convert, charge, net, pay and post, from the pairs
-- that they took, the rates and plans of the day, and what the bank confirmed.

CREATE MACRO minor_per_unit(currency) AS
    CASE decimals_of(currency) WHEN 0 THEN 1 WHEN 2 THEN 100 WHEN 3 THEN 1000
         ELSE 10000 END;
CREATE MACRO day_of(instant) AS timezone('UTC', instant)::DATE;
CREATE MACRO position_of(owner) AS
    CASE owner WHEN 'HUB' THEN 'HUB:POS' ELSE 'P:' || owner || ':POS' END;

-- The last rate told up to the day, of those that were told by then; 1 for the euro.
CREATE TABLE due_rate AS
    SELECT r.run_id, r.currency, arg_max(t.day, (t.day, t.version)) AS day,
           arg_max(t.version, (t.day, t.version)) AS version,
           arg_max(t.rate_u, (t.day, t.version)) AS rate_u
    FROM (SELECT p.run_id, p.currency, r.proposed_at FROM run_pair AS p
          JOIN run AS r USING (run_id) WHERE p.currency <> r.currency
          UNION
          SELECT p.run_id, r.currency, r.proposed_at FROM run_pair AS p
          JOIN run AS r USING (run_id) WHERE p.currency <> r.currency) AS r
    JOIN rate AS t ON t.currency = r.currency AND t.day <= day_of(r.proposed_at)
        AND t.created_at <= r.proposed_at
    WHERE r.currency <> 'EUR' GROUP BY r.run_id, r.currency;

CREATE TABLE unit_rate AS
    SELECT run_id, currency, rate_u FROM due_rate
    UNION ALL SELECT run_id, 'EUR', 1000000 FROM run;

-- In which currency two settle: their own choice, else that of each where both agree.
CREATE TABLE due_currency AS
    WITH asked AS (
        SELECT DISTINCT p.run_id, p.debtor, p.creditor, p.currency, r.proposed_at
        FROM run_pair AS p JOIN run AS r USING (run_id)
    ), newest AS (
        SELECT a.run_id, a.debtor, a.creditor, a.currency, c.party, c.other,
               arg_max(c.to_currency, (c.valid_from, c.choice_id)) AS to_currency
        FROM asked AS a JOIN choice AS c
          ON c.from_currency = a.currency AND c.valid_from <= day_of(a.proposed_at)
         AND c.created_at <= a.proposed_at
        GROUP BY ALL
    )
    SELECT a.run_id, a.debtor, a.creditor, a.currency,
           CASE WHEN own.to_currency IS NOT NULL THEN own.to_currency
                WHEN coalesce(one.to_currency, a.currency)
                   = coalesce(two.to_currency, a.currency)
                THEN coalesce(one.to_currency, a.currency)
                ELSE a.currency END AS to_currency
    FROM asked AS a
    LEFT JOIN newest AS own ON own.run_id = a.run_id AND own.debtor = a.debtor
        AND own.creditor = a.creditor AND own.currency = a.currency
        AND own.party = least(a.debtor, a.creditor)
        AND own.other = greatest(a.debtor, a.creditor)
    LEFT JOIN newest AS one ON one.run_id = a.run_id AND one.debtor = a.debtor
        AND one.creditor = a.creditor AND one.currency = a.currency
        AND one.party = a.debtor AND one.other = ''
    LEFT JOIN newest AS two ON two.run_id = a.run_id AND two.debtor = a.debtor
        AND two.creditor = a.creditor AND two.currency = a.currency
        AND two.party = a.creditor AND two.other = '';

-- What is left between two in another currency is converted once.
CREATE TABLE due_conversion AS
    WITH between_two AS (
        SELECT p.run_id, p.currency, least(p.debtor, p.creditor) AS one,
               greatest(p.debtor, p.creditor) AS two, r.currency AS into_currency,
               sum(CASE WHEN p.debtor < p.creditor THEN p.amount_minor
                        ELSE -p.amount_minor END) AS left_minor
        FROM run_pair AS p JOIN run AS r USING (run_id)
        WHERE p.currency <> r.currency
        GROUP BY p.run_id, p.currency, one, two, into_currency
    )
    SELECT b.run_id, b.currency, CASE WHEN left_minor > 0 THEN one ELSE two END AS debtor,
           CASE WHEN left_minor > 0 THEN two ELSE one END AS creditor,
           abs(left_minor)::BIGINT AS from_minor,
           half_away(abs(left_minor) * t.rate_u * minor_per_unit(b.into_currency),
                     f.rate_u::HUGEINT * minor_per_unit(b.currency))::BIGINT AS to_minor
    FROM between_two AS b
    LEFT JOIN unit_rate AS f ON f.run_id = b.run_id AND f.currency = b.currency
    LEFT JOIN unit_rate AS t ON t.run_id = b.run_id AND t.currency = b.into_currency
    WHERE left_minor <> 0;

-- What each party did in a run: SDRs of all pairs, turnover in the run's currency.
CREATE TABLE usage AS
    SELECT run_id, party_id, sum(received)::BIGINT AS received,
           sum(submitted)::BIGINT AS submitted, sum(owed)::BIGINT AS owed_minor,
           sum(paid)::BIGINT AS paid_minor
    FROM (
        SELECT run_id, debtor AS party_id, sdr_count AS received, 0 AS submitted,
               0 AS owed, 0 AS paid FROM run_pair
        UNION ALL SELECT run_id, creditor, 0, sdr_count, 0, 0 FROM run_pair
        UNION ALL SELECT p.run_id, debtor, 0, 0, amount_minor, 0
        FROM run_pair AS p JOIN run AS r USING (run_id, currency)
        UNION ALL SELECT p.run_id, creditor, 0, 0, 0, amount_minor
        FROM run_pair AS p JOIN run AS r USING (run_id, currency)
        UNION ALL SELECT run_id, debtor, 0, 0, to_minor, 0 FROM due_conversion
        UNION ALL SELECT run_id, creditor, 0, 0, 0, to_minor FROM due_conversion)
    GROUP BY run_id, party_id;

-- The plan of the day, its tiers one below the other, its share and its bounds.
CREATE TABLE due_fee AS
    WITH planned AS (
        SELECT u.*, r.currency, p.plan_id, p.side, p.tiers, p.share_ppm, p.minimum_minor,
               p.maximum_minor
        FROM usage AS u JOIN run AS r USING (run_id)
        JOIN fee_plan AS p ON p.party_id = u.party_id AND p.currency = r.currency
            AND p.valid_from <= day_of(r.proposed_at) AND p.created_at <= r.proposed_at
        WHERE r.fees <> 'NONE'
        QUALIFY row_number() OVER (PARTITION BY u.run_id, u.party_id
                                   ORDER BY p.valid_from DESC, p.plan_id DESC) = 1
    ), counted_for AS (
        SELECT *, CASE side WHEN 'RECEIVED' THEN received WHEN 'SUBMITTED' THEN submitted
                       ELSE received + submitted END AS sdr_count,
               CASE side WHEN 'RECEIVED' THEN owed_minor WHEN 'SUBMITTED' THEN paid_minor
                    ELSE owed_minor + paid_minor END AS turnover_minor
        FROM planned
    ), tier AS (
        SELECT run_id, party_id, sdr_count, TRY_CAST(one ->> '$[0]' AS BIGINT) AS up_to,
               TRY_CAST(one ->> '$[1]' AS HUGEINT) AS price_u, place
        FROM (SELECT run_id, party_id, sdr_count, unnest(found) AS one,
                     unnest(range(len(found))) AS place
              FROM (SELECT run_id, party_id, sdr_count,
                           json_extract(tiers, '$[*]') AS found
                    FROM counted_for WHERE json_valid(tiers)))
    ), priced AS (
        SELECT run_id, party_id, sum(price_u * greatest(0,
                   least(sdr_count, coalesce(up_to, sdr_count)) - begin)) AS micro
        FROM (SELECT *, least(sdr_count, coalesce(max(up_to) OVER (
                  PARTITION BY run_id, party_id ORDER BY place
                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS begin
              FROM tier)
        GROUP BY run_id, party_id
    ), summed AS (
        SELECT c.*, half_away(coalesce(p.micro, 0) * minor_per_unit(c.currency),
                              1000000)::BIGINT AS sdr_minor,
               half_away(turnover_minor::HUGEINT * share_ppm, 1000000)::BIGINT
                   AS share_minor
        FROM counted_for AS c LEFT JOIN priced AS p USING (run_id, party_id)
    ), bounded AS (
        SELECT *, least(greatest(sdr_minor + share_minor, minimum_minor),
                        maximum_minor) AS net_minor
        FROM summed
    )
    SELECT run_id, party_id, plan_id, sdr_count, turnover_minor, sdr_minor, share_minor,
           net_minor
    FROM bounded WHERE net_minor > 0;

-- The fees with the VAT that stands beside them; the category has its own check.
CREATE TABLE taxed_fee AS
    SELECT e.*, half_away(e.net_minor * f.vat_rate_bp, 10000)::BIGINT AS vat_minor
    FROM due_fee AS e JOIN run_fee AS f USING (run_id, party_id);

-- What a reversal sends back: all that was paid in the run that it reverses.
CREATE TABLE paid AS
    SELECT t.run_id, t.end_to_end_id, t.kind, t.payer, t.payee, t.amount_minor,
           coalesce(sum(c.posted_minor), 0)::BIGINT AS paid_minor
    FROM transfer AS t LEFT JOIN confirmation AS c USING (end_to_end_id)
    GROUP BY ALL;

CREATE TABLE sent_back AS
    SELECT r.run_id, CASE p.kind WHEN 'COLLECT' THEN 'PAY_OUT' WHEN 'PAY_OUT'
                          THEN 'COLLECT' ELSE p.kind END AS kind,
           p.payee AS payer, p.payer AS payee, p.paid_minor AS amount_minor
    FROM run AS r JOIN paid AS p ON p.run_id = r.reverses
    WHERE p.paid_minor <> 0;

-- One debt for each direction and kind.
CREATE TABLE due_debt AS
    WITH said AS (
        SELECT p.run_id, debtor, creditor, 'PAIRS' AS kind, amount_minor
        FROM run_pair AS p JOIN run AS r USING (run_id, currency)
        UNION ALL
        SELECT run_id, debtor, creditor, 'CONVERTED', to_minor FROM due_conversion
        UNION ALL
        SELECT run_id, party_id, 'HUB', 'FEE', net_minor + vat_minor FROM taxed_fee
        UNION ALL
        SELECT run_id, payer, payee, 'REVERSED', amount_minor FROM sent_back
        WHERE payer <> payee
    )
    SELECT run_id, CASE WHEN amount_minor < 0 THEN creditor ELSE debtor END AS debtor,
           CASE WHEN amount_minor < 0 THEN debtor ELSE creditor END AS creditor, kind,
           sum(abs(amount_minor))::BIGINT AS amount_minor
    FROM said WHERE amount_minor <> 0
    GROUP BY 1, 2, 3, 4;

CREATE TABLE due_account AS
    SELECT run_id, owner, sum(receivable)::BIGINT AS receivable_minor,
           sum(payable)::BIGINT AS payable_minor, sum(fee)::BIGINT AS fee_minor,
           sum(receivable - payable - fee)::BIGINT AS net_minor
    FROM (
        SELECT run_id, creditor AS owner,
               CASE kind WHEN 'FEE' THEN 0 ELSE amount_minor END AS receivable,
               0 AS payable, CASE kind WHEN 'FEE' THEN -amount_minor ELSE 0 END AS fee
        FROM due_debt
        UNION ALL
        SELECT run_id, debtor, 0, CASE kind WHEN 'FEE' THEN 0 ELSE amount_minor END,
               CASE kind WHEN 'FEE' THEN amount_minor ELSE 0 END
        FROM due_debt)
    GROUP BY run_id, owner;

-- Payments in their order: netted through the hub or between two, then fees apart.
CREATE TABLE due_transfer AS
    WITH debt AS (
        SELECT d.*, r.model, d.kind <> 'FEE' OR r.fees = 'NETTED' AS is_netted
        FROM due_debt AS d JOIN run AS r USING (run_id) WHERE r.reverses IS NULL
    ), net AS (
        SELECT run_id, owner, sum(minor)::BIGINT AS minor FROM (
            SELECT run_id, creditor AS owner, amount_minor AS minor FROM debt
            WHERE is_netted AND model = 'MULTILATERAL'
            UNION ALL
            SELECT run_id, debtor, -amount_minor FROM debt
            WHERE is_netted AND model = 'MULTILATERAL')
        GROUP BY run_id, owner
    ), left_between AS (
        SELECT run_id, is_netted, least(debtor, creditor) AS one,
               greatest(debtor, creditor) AS two,
               sum(CASE WHEN debtor < creditor THEN amount_minor
                        ELSE -amount_minor END)::BIGINT AS minor
        FROM debt WHERE NOT (is_netted AND model = 'MULTILATERAL')
        GROUP BY run_id, is_netted, one, two
    ), move AS (
        SELECT run_id, 1 AS part, 'COLLECT' AS kind, owner AS payer, 'HUB' AS payee,
               -minor AS amount_minor FROM net WHERE minor < 0
        UNION ALL
        SELECT run_id, 2, 'PAY_OUT', 'HUB', owner, minor FROM net WHERE minor > 0
        UNION ALL
        SELECT run_id, CASE WHEN is_netted THEN 3 ELSE 4 END, 'DIRECT',
               CASE WHEN minor > 0 THEN one ELSE two END,
               CASE WHEN minor > 0 THEN two ELSE one END, abs(minor)
        FROM left_between WHERE minor <> 0
        UNION ALL
        SELECT run_id, 5, kind, payer, payee, amount_minor FROM sent_back
    ), placed AS (
        SELECT *, row_number() OVER (
                      PARTITION BY run_id
                      ORDER BY part, CASE part WHEN 5 THEN kind ELSE '' END,
                               payer, payee, amount_minor) AS place
        FROM move
    )
    SELECT run_id, place, kind, payer, payee, amount_minor,
           'R' || run_id || '-' || CASE kind WHEN 'PAY_OUT' THEN payee ELSE payer END
               || '-' || place AS end_to_end_id
    FROM placed;

-- Whether a run was recorded: a reversal is at once, one that it reverses was.
CREATE TABLE recorded AS
    SELECT r.* FROM run AS r
    WHERE r.reverses IS NULL AND (r.state NOT IN ('PENDING_SETTLEMENT', 'ABORTED')
        OR EXISTS (SELECT 1 FROM run AS v WHERE v.reverses = r.run_id));

CREATE TABLE due_posting AS
    WITH converted AS (
        SELECT c.*, r.currency AS into_currency
        FROM due_conversion AS c JOIN recorded AS r USING (run_id)
    ), residue AS (
        SELECT c.run_id, c.currency, c.into_currency,
               half_away(sum(c.from_minor) * any_value(t.rate_u)
                             * minor_per_unit(c.into_currency),
                         any_value(f.rate_u)::HUGEINT * minor_per_unit(c.currency))
                   - sum(c.to_minor) AS minor
        FROM converted AS c
        JOIN unit_rate AS f ON f.run_id = c.run_id AND f.currency = c.currency
        JOIN unit_rate AS t ON t.run_id = c.run_id AND t.currency = c.into_currency
        GROUP BY c.run_id, c.currency, c.into_currency
    ), leg AS (
        SELECT f.run_id, 'FEE-' || f.party_id AS document, r.currency, unnest([
            {'code': 'FEE', 'debit': position_of(f.party_id), 'credit': 'HUB:POS',
             'minor': f.net_minor},
            {'code': 'FEE-VAT', 'debit': position_of(f.party_id), 'credit': 'HUB:POS',
             'minor': f.vat_minor}], recursive := true)
        FROM taxed_fee AS f JOIN recorded AS r USING (run_id)
        UNION ALL BY NAME
        SELECT run_id, 'FX-' || currency || '-' || debtor || '-' || creditor AS document,
               currency, unnest([
            {'code': 'FX-OUT-CREDITOR', 'debit': position_of(creditor),
             'credit': 'FX:' || currency, 'minor': from_minor},
            {'code': 'FX-OUT-DEBTOR', 'debit': 'FX:' || currency,
             'credit': position_of(debtor), 'minor': from_minor}], recursive := true)
        FROM converted
        UNION ALL BY NAME
        SELECT run_id, 'FX-' || currency || '-' || debtor || '-' || creditor AS document,
               into_currency AS currency, unnest([
            {'code': 'FX-IN-DEBTOR', 'debit': position_of(debtor),
             'credit': 'FX:' || into_currency, 'minor': to_minor},
            {'code': 'FX-IN-CREDITOR', 'debit': 'FX:' || into_currency,
             'credit': position_of(creditor), 'minor': to_minor}], recursive := true)
        FROM converted
        UNION ALL BY NAME
        SELECT run_id, 'FX-' || currency AS document, into_currency AS currency,
               'FX-RESIDUE' AS code,
               CASE WHEN minor > 0 THEN 'FX:' || into_currency ELSE 'CH:FXDIFF' END
                   AS debit,
               CASE WHEN minor > 0 THEN 'CH:FXDIFF' ELSE 'FX:' || into_currency END
                   AS credit, abs(minor)::BIGINT AS minor
        FROM residue
    ), recording AS (
        SELECT run_id, 'R' || run_id || ':' || document || ':' || code AS posting_key,
               debit, credit, currency, minor::BIGINT AS amount_minor, code
        FROM leg WHERE minor <> 0
    ), moved AS (
        SELECT t.run_id, t.end_to_end_id || '-' || c.number AS document, r.currency,
               c.posted_minor < 0 AS is_back, abs(c.posted_minor) AS minor, unnest([
            {'code': 'PAY-IN', 'from_account': 'CH:CLEARING',
             'to_account': position_of(t.payer), 'is_meant': t.kind <> 'PAY_OUT'},
            {'code': 'PAY-OUT', 'from_account': position_of(t.payee),
             'to_account': 'CH:CLEARING', 'is_meant': t.kind <> 'COLLECT'}],
            recursive := true)
        FROM confirmation AS c JOIN transfer AS t USING (end_to_end_id)
        JOIN run AS r USING (run_id) WHERE c.posted_minor <> 0
    )
    SELECT * FROM recording
    UNION ALL BY NAME
    SELECT run_id, 'R' || run_id || ':' || document || ':' || said AS posting_key,
           CASE WHEN is_back THEN to_account ELSE from_account END AS debit,
           CASE WHEN is_back THEN from_account ELSE to_account END AS credit, currency,
           minor AS amount_minor, said AS code
    FROM (SELECT *, code || CASE WHEN is_back THEN '-RETURNED' ELSE '' END AS said
          FROM moved) WHERE is_meant
    UNION ALL BY NAME
    SELECT v.run_id, 'R' || v.run_id || ':' || o.posting_key || ':MIRROR' AS posting_key,
           o.credit AS debit, o.debit AS credit, o.currency, o.amount_minor,
           'MIRROR' AS code
    FROM run AS v JOIN recording AS o ON o.run_id = v.reverses;
