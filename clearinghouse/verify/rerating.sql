-- The tables of rating_tables.sql, filled from those of load.sql. Local times come from
-- zone_offset: since when a zone is so many seconds ahead of UTC.

-- What can be rated at all; the rest is named by checks.sql.
CREATE TABLE ratable AS
    SELECT s.* FROM sdr AS s
    WHERE s.status = 'ACCEPTED' AND s.sdr_no IS NOT NULL AND s.vat_rate_bp IS NOT NULL
      AND s.started_at IS NOT NULL AND s.ended_at IS NOT NULL
      AND s.idle_seconds IS NOT NULL AND s.parking_seconds IS NOT NULL
      AND json_valid(s.intervals)
      AND EXISTS (SELECT 1 FROM zone_offset AS z WHERE z.zone = s.zone)
      AND s.line_no = (SELECT min(o.line_no) FROM sdr AS o WHERE o.sdr_no = s.sdr_no);

-- The charging transactions in their order.
CREATE TABLE charging AS
    SELECT sdr_no, zone, place, part[1]::TIMESTAMPTZ AS begins,
           TRY_CAST(part[2] AS TIMESTAMPTZ) AS ends, part[3]::BIGINT AS energy_wh,
           json_extract(transaction, '$[6]') AS readings
    FROM (
        SELECT sdr_no, zone, place, transaction,
               json_extract_string(transaction, ['$[1]', '$[2]', '$[3]']) AS part
        FROM (
            SELECT sdr_no, zone, unnest(found) AS transaction,
                   unnest(range(len(found))) AS place
            FROM (SELECT sdr_no, zone, json_extract(intervals, '$[*][3][*]') AS found
                  FROM ratable)))
    WHERE TRY_CAST(part[1] AS TIMESTAMPTZ) IS NOT NULL
      AND TRY_CAST(part[3] AS BIGINT) IS NOT NULL;

-- Where a meter was read in between, at least once: a stretch to each reading, the last
-- to the end. What the register differs by goes to the last stretch that used some.
CREATE TABLE reading AS
    SELECT sdr_no, place, number, TRY_CAST(r ->> '$[0]' AS TIMESTAMPTZ) AS read_at,
           TRY_CAST(r ->> '$[1]' AS BIGINT) AS register_wh, readings_count
    FROM (
        SELECT sdr_no, place, unnest(found) AS r, unnest(range(len(found))) AS number,
               len(found) AS readings_count
        FROM (SELECT sdr_no, place, json_extract(readings, '$[*]') AS found
              FROM charging WHERE readings IS NOT NULL))
    WHERE readings_count >= 3;

CREATE TABLE stretch_of_reading AS
    WITH used AS (
        SELECT c.sdr_no, c.place, c.zone, r.number, c.begins AS transaction_begins,
               CASE WHEN r.number = 0 THEN c.begins ELSE r.read_at END AS begins,
               CASE WHEN n.number = r.readings_count - 1 THEN c.ends ELSE n.read_at END
                   AS ends,
               n.register_wh - r.register_wh AS used_wh, c.energy_wh AS whole_wh
        FROM charging AS c
        JOIN reading AS r USING (sdr_no, place)
        JOIN reading AS n
          ON n.sdr_no = r.sdr_no AND n.place = r.place AND n.number = r.number + 1
    ), last_used AS (
        SELECT sdr_no, place,
               coalesce(max(number) FILTER (used_wh <> 0), max(number)) AS number,
               sum(used_wh) AS used_wh
        FROM used GROUP BY sdr_no, place
    )
    SELECT u.sdr_no, u.place, u.zone, u.number, u.begins,
           (u.used_wh + CASE WHEN l.number = u.number
                             THEN u.whole_wh - l.used_wh ELSE 0 END)::BIGINT
               AS energy_wh,
           (epoch_us(u.ends) - epoch_us(u.transaction_begins)) // 1000000
               - (epoch_us(u.begins) - epoch_us(u.transaction_begins)) // 1000000
               AS seconds
    FROM used AS u JOIN last_used AS l USING (sdr_no, place);

CREATE TABLE stretch AS
    SELECT sdr_no, place, zone, 0 AS number, begins, energy_wh,
           (epoch_us(ends) - epoch_us(begins)) // 1000000 AS seconds
    FROM charging AS c
    WHERE ends IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM stretch_of_reading AS s
        WHERE s.sdr_no = c.sdr_no AND s.place = c.place)
    UNION ALL
    SELECT sdr_no, place, zone, number, begins, energy_wh, seconds
    FROM stretch_of_reading;

CREATE MACRO local_of(moment, offset_seconds) AS
    make_timestamp(epoch_us(moment) + offset_seconds * 1000000);
CREATE MACRO minute_of(local) AS (hour(local) * 60 + minute(local))::SMALLINT;
CREATE MACRO weekday_of(local) AS (isodow(local) - 1)::SMALLINT;

INSERT INTO rating_sdr
    WITH idle AS (
        SELECT *, make_timestamp(epoch_us(ended_at) - idle_seconds * 1000000)
                      AT TIME ZONE 'UTC' AS idle_at
        FROM ratable
    ), local AS (
        SELECT s.*, local_of(s.started_at, a.offset_seconds) AS started,
               local_of(s.idle_at, b.offset_seconds) AS idled
        FROM idle AS s
        ASOF JOIN zone_offset AS a ON a.zone = s.zone AND s.started_at >= a.since
        ASOF JOIN zone_offset AS b ON b.zone = s.zone AND s.idle_at >= b.since
    )
    SELECT sdr_no, tariff_version_id, CASE WHEN kind = 'CREDIT' THEN -1 ELSE 1 END,
           vat_rate_bp, (epoch_us(ended_at) - epoch_us(started_at)) // 1000000,
           parking_seconds, idle_seconds, minute_of(started), weekday_of(started),
           started::DATE, minute_of(idled), weekday_of(idled), idled::DATE
    FROM local;

INSERT INTO rating_interval
    WITH local AS (
        SELECT s.*, local_of(s.begins, z.offset_seconds) AS begun
        FROM stretch AS s
        ASOF JOIN zone_offset AS z ON z.zone = s.zone AND s.begins >= z.since
    )
    SELECT sdr_no, row_number() OVER (PARTITION BY sdr_no ORDER BY place, number) - 1,
           place, energy_wh, seconds, minute_of(begun), weekday_of(begun), begun::DATE
    FROM local;

INSERT INTO rating_connector
    SELECT DISTINCT sdr_no, upper(kind) FROM (
        SELECT sdr_no, unnest(json_extract_string(connectors, '$[*]')) AS kind
        FROM ratable WHERE connectors <> '' AND json_valid(connectors));

-- The decimals of ISO 4217: two, where nothing else is said.
CREATE MACRO decimals_of(currency) AS
    CASE WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG',
                           'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
         WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
         WHEN currency IN ('CLF', 'UYW') THEN 4 ELSE 2 END;

INSERT INTO rating_tariff
    SELECT tariff_version_id,
           decimals_of(currency),
           minimum_u, maximum_u, discount_ppm, vat_included = 'true', priced_by
    FROM tariff AS t
    WHERE tariff_version_id IS NOT NULL AND discount_ppm IS NOT NULL
      AND json_valid(components)
      AND line_no = (SELECT min(o.line_no) FROM tariff AS o
                     WHERE o.tariff_version_id = t.tariff_version_id);

INSERT INTO rating_component
    SELECT tariff_version_id, place, c ->> 'type', TRY_CAST(c ->> 'price_u' AS HUGEINT),
           coalesce(c ->> 'price_per', 'UNIT'), TRY_CAST(c ->> 'step' AS BIGINT),
           coalesce(TRY_CAST(c ->> 'tier_from' AS BIGINT), 0),
           TRY_CAST(c ->> 'tier_up_to' AS BIGINT),
           coalesce(TRY_CAST(c ->> 'grace_seconds' AS BIGINT), 0),
           TRY_CAST(c ->> 'local_from' AS SMALLINT),
           TRY_CAST(c ->> 'local_until' AS SMALLINT),
           coalesce(array_to_string(json_extract_string(c, '$.weekdays[*]'), ''), ''),
           TRY_CAST(c ->> 'date_from' AS DATE), TRY_CAST(c ->> 'date_until' AS DATE),
           coalesce(TRY_CAST(c ->> 'power_from_w' AS BIGINT), 0),
           TRY_CAST(c ->> 'power_up_to_w' AS BIGINT),
           coalesce(TRY_CAST(c ->> 'duration_from_seconds' AS BIGINT), 0),
           TRY_CAST(c ->> 'duration_up_to_seconds' AS BIGINT), c ->> 'connector',
           TRY_CAST(c ->> 'priority' AS SMALLINT)
    FROM (
        SELECT tariff_version_id, unnest(found) AS c, unnest(range(len(found))) AS place
        FROM (SELECT t.tariff_version_id, json_extract(t.components, '$[*]') AS found
              FROM tariff AS t JOIN rating_tariff AS r
                ON r.tariff_no = t.tariff_version_id
              QUALIFY row_number() OVER (PARTITION BY t.tariff_version_id
                                         ORDER BY t.line_no) = 1))
    WHERE TRY_CAST(c ->> 'price_u' AS HUGEINT) IS NOT NULL AND c ->> 'type' IS NOT NULL;
