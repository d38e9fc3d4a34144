-- Net amount of each SDR in minor units, from the tables of rating_tables.sql.
--
-- One text for DuckDB and PostgreSQL, whole numbers only. It needs div(), the quotient of
-- two whole numbers without its remainder: PostgreSQL has it, DuckDB gets it as a macro.
-- Written apart from the clearing house's own rating; what both say is docs/auditors.rst.
WITH
-- What was charged per transaction and in all: power is an average over one of them.
charged AS (
    SELECT sdr_no, transaction_no, SUM(energy_wh) AS energy_wh, SUM(seconds) AS seconds
    FROM rating_interval GROUP BY sdr_no, transaction_no
),
charged_in_all AS (
    SELECT sdr_no, SUM(energy_wh) AS energy_wh, SUM(seconds) AS seconds
    FROM rating_interval GROUP BY sdr_no
),
-- The quantity of each type as stretches of a line from zero, and what each stretch is
-- like. 3600 Ws are a Wh.
stretch AS (
    SELECT i.sdr_no, 'ENERGY' AS type, i.interval_no AS place,
           SUM(i.energy_wh) OVER before - i.energy_wh AS begins,
           SUM(i.energy_wh) OVER before AS ends,
           i.local_minute, i.local_weekday, i.local_date,
           c.energy_wh * 3600 AS watt_seconds, c.seconds
    FROM rating_interval AS i
    JOIN charged AS c
        ON c.sdr_no = i.sdr_no AND c.transaction_no = i.transaction_no
    WINDOW before AS (PARTITION BY i.sdr_no ORDER BY i.interval_no
                      ROWS UNBOUNDED PRECEDING)
    UNION ALL
    SELECT i.sdr_no, 'TIME', i.interval_no,
           SUM(i.seconds) OVER before - i.seconds,
           SUM(i.seconds) OVER before,
           i.local_minute, i.local_weekday, i.local_date,
           c.energy_wh * 3600, c.seconds
    FROM rating_interval AS i
    JOIN charged AS c
        ON c.sdr_no = i.sdr_no AND c.transaction_no = i.transaction_no
    WINDOW before AS (PARTITION BY i.sdr_no ORDER BY i.interval_no
                      ROWS UNBOUNDED PRECEDING)
    UNION ALL
    SELECT s.sdr_no, 'PARKING', 0, 0, s.parking_seconds,
           s.start_minute, s.start_weekday, s.start_date,
           COALESCE(a.energy_wh, 0) * 3600, COALESCE(a.seconds, 0)
    FROM rating_sdr AS s LEFT JOIN charged_in_all AS a ON a.sdr_no = s.sdr_no
    UNION ALL
    SELECT s.sdr_no, 'IDLE', 0, 0, s.idle_seconds,
           s.idle_minute, s.idle_weekday, s.idle_date,
           COALESCE(a.energy_wh, 0) * 3600, COALESCE(a.seconds, 0)
    FROM rating_sdr AS s LEFT JOIN charged_in_all AS a ON a.sdr_no = s.sdr_no
    UNION ALL
    SELECT s.sdr_no, 'FLAT', 0, 0, 1,
           s.start_minute, s.start_weekday, s.start_date,
           COALESCE(a.energy_wh, 0) * 3600, COALESCE(a.seconds, 0)
    FROM rating_sdr AS s LEFT JOIN charged_in_all AS a ON a.sdr_no = s.sdr_no
),
-- The beginning that chooses the price is the session's where the tariff says so.
moment AS (
    SELECT q.sdr_no, q.type, q.place, q.begins, q.ends, s.tariff_no, s.duration_seconds,
           CASE WHEN t.priced_by = 'START' THEN s.start_minute
                ELSE q.local_minute END AS local_minute,
           CASE WHEN t.priced_by = 'START' THEN s.start_weekday
                ELSE q.local_weekday END AS local_weekday,
           CASE WHEN t.priced_by = 'START' THEN s.start_date
                ELSE q.local_date END AS local_date,
           CASE WHEN q.seconds > 0 THEN q.watt_seconds ELSE 0 END AS watt_seconds,
           CASE WHEN q.seconds > 0 THEN q.seconds ELSE 1 END AS seconds
    FROM stretch AS q
    JOIN rating_sdr AS s ON s.sdr_no = q.sdr_no
    JOIN rating_tariff AS t ON t.tariff_no = s.tariff_no
),
-- Which component applies to which part of which stretch, priorities aside. A bound of
-- power is compared without a division: energy against power times time.
applying AS (
    SELECT m.sdr_no, m.type, m.place, c.component_no, c.priority,
           GREATEST(m.begins, c.tier_from + c.grace_seconds) AS begins,
           LEAST(m.ends, COALESCE(c.tier_up_to + c.grace_seconds, m.ends)) AS ends
    FROM moment AS m
    JOIN rating_component AS c ON c.tariff_no = m.tariff_no AND c.type = m.type
    WHERE (c.local_from IS NULL
           OR CASE WHEN c.local_from < c.local_until
                   THEN m.local_minute >= c.local_from AND m.local_minute < c.local_until
                   ELSE m.local_minute >= c.local_from OR m.local_minute < c.local_until
              END)
      AND (c.weekdays = ''
           OR POSITION(CAST(m.local_weekday AS VARCHAR) IN c.weekdays) > 0)
      AND (c.date_from IS NULL OR m.local_date >= c.date_from)
      AND (c.date_until IS NULL OR m.local_date < c.date_until)
      AND m.watt_seconds >= c.power_from_w * m.seconds
      AND (c.power_up_to_w IS NULL OR m.watt_seconds < c.power_up_to_w * m.seconds)
      AND m.duration_seconds >= c.duration_from_seconds
      AND (c.duration_up_to_seconds IS NULL
           OR m.duration_seconds < c.duration_up_to_seconds)
      AND (c.connector IS NULL
           OR EXISTS (SELECT 1 FROM rating_connector AS k
                      WHERE k.sdr_no = m.sdr_no AND k.kind = UPPER(c.connector)))
),
claim AS (
    SELECT sdr_no, type, place, component_no, priority, begins, ends
    FROM applying WHERE ends > begins
),
-- Ranked claims are cut where any of them begins or ends; each piece is priced by those
-- of the highest rank that cover it.
cut AS (
    SELECT sdr_no, type, place, begins AS mark FROM claim WHERE priority IS NOT NULL
    UNION
    SELECT sdr_no, type, place, ends FROM claim WHERE priority IS NOT NULL
),
piece AS (
    SELECT sdr_no, type, place, mark AS begins,
           LEAD(mark) OVER (PARTITION BY sdr_no, type, place ORDER BY mark) AS ends
    FROM cut
),
ranked AS (
    SELECT p.sdr_no, c.component_no, c.priority, p.ends - p.begins AS quantity,
           MAX(c.priority) OVER (PARTITION BY p.sdr_no, p.type, p.place, p.begins)
               AS highest
    FROM piece AS p
    JOIN claim AS c
        ON c.sdr_no = p.sdr_no AND c.type = p.type AND c.place = p.place
       AND c.begins <= p.begins AND c.ends >= p.ends
    WHERE p.ends IS NOT NULL AND c.priority IS NOT NULL
),
taken AS (
    SELECT sdr_no, component_no, ends - begins AS quantity
    FROM claim WHERE priority IS NULL
    UNION ALL
    SELECT sdr_no, component_no, quantity FROM ranked WHERE priority = highest
),
quantity AS (
    SELECT sdr_no, component_no, SUM(quantity) AS quantity
    FROM taken GROUP BY sdr_no, component_no
),
-- Started steps, and their price in parts of which 60 000 000 000 are one unit of the
-- currency: the smallest in which a second at a price per minute is whole.
stepped AS (
    SELECT q.sdr_no, c.type, c.price_u, c.price_per,
           COALESCE(c.step, CASE WHEN c.type IN ('ENERGY', 'FLAT') THEN 1 ELSE 60 END)
               AS step,
           q.quantity
    FROM quantity AS q
    JOIN rating_sdr AS s ON s.sdr_no = q.sdr_no
    JOIN rating_component AS c
        ON c.tariff_no = s.tariff_no AND c.component_no = q.component_no
),
added AS (
    SELECT sdr_no,
           SUM(div(quantity + step - 1, step) * price_u
               * CASE WHEN price_per = 'STEP' OR type = 'FLAT' THEN 60000
                      WHEN type = 'ENERGY' THEN 60 * step
                      ELSE 1000 * step END) AS parts
    FROM stepped GROUP BY sdr_no
),
raised AS (
    SELECT s.sdr_no, s.sign, s.vat_rate_bp, t.decimals, t.discount_ppm, t.vat_included,
           t.maximum_u,
           GREATEST(COALESCE(a.parts, 0), COALESCE(t.minimum_u * 60000, 0)) AS parts
    FROM rating_sdr AS s
    JOIN rating_tariff AS t ON t.tariff_no = s.tariff_no
    LEFT JOIN added AS a ON a.sdr_no = s.sdr_no
),
bounded AS (
    SELECT sdr_no, sign, vat_rate_bp, decimals, discount_ppm, vat_included,
           LEAST(parts, COALESCE(maximum_u * 60000, parts)) AS parts
    FROM raised
),
-- The amount as one fraction: discount and VAT go into it before anything is rounded.
fraction AS (
    SELECT sdr_no, sign,
           parts * (1000000 - discount_ppm) * 10000 AS above,
           CASE decimals WHEN 0 THEN 60000000000 WHEN 2 THEN 600000000
                         WHEN 3 THEN 60000000 WHEN 4 THEN 6000000 END
           * 1000000
           * (10000 + CASE WHEN vat_included THEN vat_rate_bp ELSE 0 END) AS below
    FROM bounded
)
SELECT sdr_no, sign * div(2 * above + below, 2 * below) AS net_minor
FROM fraction
ORDER BY sdr_no
