-- What the table of VAT gives for each supply: SDRs by the day on which they ended where
-- the EVSE stands, fees of runs by the day of the proposal. Of profiles and rules only
-- those count that the house knew then; a minute either way may have been before or
-- after. An epoch is the time between two changes of what is known. The table that the
-- house began with was always known.

CREATE MACRO half_away(above, below) AS
    CASE WHEN above < 0 THEN -((-2 * above::HUGEINT + below) // (2 * below))
         ELSE (2 * above::HUGEINT + below) // (2 * below) END;
CREATE MACRO is_member(country) AS country IN (
    'AT', 'BE', 'BG', 'CY', 'CZ', 'DE', 'DK', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'HU',
    'IE', 'IT', 'LT', 'LU', 'LV', 'MT', 'NL', 'PL', 'PT', 'RO', 'SE', 'SI', 'SK');
CREATE MACRO is_in(country, place) AS
    CASE place WHEN '*' THEN true WHEN 'EU' THEN is_member(country)
         WHEN 'OTHER' THEN NOT is_member(country) ELSE place = country END;
CREATE MACRO points(place) AS
    CASE WHEN place = '*' THEN 0 WHEN place IN ('EU', 'OTHER') THEN 1 ELSE 2 END;
CREATE MACRO vat_country(vat_id) AS
    CASE left(vat_id, 2) WHEN 'EL' THEN 'GR' WHEN 'XI' THEN 'GB'
         ELSE left(vat_id, 2) END;

CREATE TABLE known_rule AS
    SELECT * REPLACE (CASE WHEN created_at > min(created_at) OVER () THEN created_at
                           ELSE TIMESTAMPTZ '0001-01-01 00:00:00+00' END AS created_at)
    FROM vat_rule;

CREATE TABLE change AS
    SELECT since, row_number() OVER (ORDER BY since) AS epoch FROM (
        SELECT TIMESTAMPTZ '0001-01-01 00:00:00+00' AS since
        UNION SELECT created_at FROM profile WHERE created_at IS NOT NULL
        UNION SELECT created_at FROM known_rule WHERE created_at IS NOT NULL
        UNION SELECT ended_at FROM vat_rule WHERE ended_at IS NOT NULL);

CREATE TABLE taxable AS
    SELECT s.line_no, s.sdr_uid, s.submitter, s.csp, s.place, s.vat_category,
           s.vat_rate_bp, s.vat_rule_id,
           local_of(s.ended_at, z.offset_seconds)::DATE AS on_day,
           a.epoch AS low, b.epoch AS high
    FROM counted AS s
    ASOF JOIN zone_offset AS z ON z.zone = s.zone AND s.ended_at >= z.since
    ASOF JOIN change AS a ON s.received_at - INTERVAL 1 MINUTE >= a.since
    ASOF JOIN change AS b ON s.received_at + INTERVAL 1 MINUTE >= b.since
    WHERE s.kind <> 'CREDIT'
      AND NOT EXISTS (SELECT 1 FROM booked AS d WHERE d.sdr_no = s.sdr_no);

CREATE TABLE charged_fee AS
    SELECT f.run_id, f.party_id, r.proposed_at::DATE AS on_day, a.epoch AS low,
           b.epoch AS high
    FROM run_fee AS f
    JOIN (SELECT run_id, timezone('UTC', proposed_at) AS proposed_at,
                 proposed_at AS at FROM run) AS r USING (run_id)
    ASOF JOIN change AS a ON r.at - INTERVAL 1 MINUTE >= a.since
    ASOF JOIN change AS b ON r.at + INTERVAL 1 MINUTE >= b.since;

CREATE TABLE supply AS
    SELECT DISTINCT 'ENERGY' AS service, submitter AS seller_party, csp AS buyer_party,
           place, on_day, unnest(range(low, high + 1)) AS epoch
    FROM (SELECT DISTINCT submitter, csp, place, on_day, low, high FROM taxable)
    UNION
    SELECT DISTINCT 'FEE', getvariable('house'), party_id, '', on_day,
           unnest(range(low, high + 1))
    FROM charged_fee;

CREATE TABLE in_force AS
    SELECT k.party_id, k.on_day, k.epoch,
           arg_max({'vat_id': p.vat_id, 'country': p.country, 'is_dealer': p.is_dealer},
                   p.version) AS said
    FROM (SELECT seller_party AS party_id, on_day, epoch FROM supply
          UNION SELECT buyer_party, on_day, epoch FROM supply) AS k
    JOIN change AS c USING (epoch)
    JOIN profile AS p ON p.party_id = k.party_id AND p.valid_from <= k.on_day
        AND p.created_at <= c.since
    GROUP BY ALL;

CREATE TABLE treatment AS
    WITH asked AS (
        SELECT s.*, c.since, sold.said.vat_id IS NOT NULL AS is_registered,
               vat_country(sold.said.vat_id) AS seller,
               CASE WHEN bought.said IS NULL THEN coalesce(p.country, '')
                    WHEN bought.said.vat_id IS NOT NULL
                    THEN vat_country(bought.said.vat_id)
                    ELSE bought.said.country END AS buyer,
               coalesce(bought.said.is_dealer, false) AS is_dealer
        FROM supply AS s JOIN change AS c USING (epoch)
        LEFT JOIN in_force AS sold ON sold.party_id = s.seller_party
            AND sold.on_day = s.on_day AND sold.epoch = s.epoch
        LEFT JOIN in_force AS bought ON bought.party_id = s.buyer_party
            AND bought.on_day = s.on_day AND bought.epoch = s.epoch
        LEFT JOIN participant AS p ON p.party_id = s.buyer_party
    ), placed AS (
        SELECT *, CASE WHEN service = 'FEE' THEN buyer
                       ELSE coalesce(nullif(place, ''), seller) END AS supplied_in
        FROM asked
    ), fitting AS (
        SELECT a.service, a.seller_party, a.buyer_party, a.place, a.on_day, a.epoch,
               r.category, r.rate_bp, r.rule_id
        FROM placed AS a JOIN known_rule AS r
          ON r.service = a.service AND r.created_at <= a.since
         AND (r.dealer IS NULL OR r.dealer = a.is_dealer)
         AND r.valid_from <= a.on_day
         AND a.on_day < coalesce(least(r.valid_until, CASE WHEN r.ended_at <= a.since
                                     THEN r.ends_on END), DATE '9999-12-31')
         AND is_in(a.seller, r.seller) AND is_in(a.buyer, r.buyer)
         AND is_in(a.supplied_in, r.place)
        WHERE a.is_registered
        QUALIFY row_number() OVER (
            PARTITION BY a.service, a.seller_party, a.buyer_party, a.place, a.on_day,
                         a.epoch
            ORDER BY r.priority DESC,
                     points(r.seller) + points(r.buyer) + points(r.place)
                         + (r.dealer IS NOT NULL)::INTEGER DESC,
                     r.valid_from DESC, r.rule_id DESC) = 1
    )
    SELECT s.service, s.seller_party, s.buyer_party, s.place, s.on_day, s.epoch,
           coalesce(f.category, 'O') AS category, coalesce(f.rate_bp, 0) AS rate_bp,
           coalesce(f.rule_id, 0) AS rule_id
    FROM supply AS s
    LEFT JOIN fitting AS f USING (service, seller_party, buyer_party, place, on_day,
                                  epoch);
