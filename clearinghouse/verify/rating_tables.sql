-- The plain tables that rating.sql reads. WIDE is a whole number of at least 38 digits:
-- HUGEINT in DuckDB, NUMERIC(38, 0) in PostgreSQL. Local minute of the day, weekday (0 is
-- Monday) and date are those of the EVSE's zone; everything else is UTC, Wh, seconds and
-- micro-units of the currency.

-- One SDR. sign: 1, or -1 for a credit. start_*: beginning of the session; idle_*: its
-- end less idle_seconds.
CREATE TEMPORARY TABLE rating_sdr (
    sdr_no BIGINT PRIMARY KEY,
    tariff_no BIGINT NOT NULL,
    sign SMALLINT NOT NULL,
    vat_rate_bp WIDE NOT NULL,
    duration_seconds BIGINT NOT NULL,
    parking_seconds BIGINT NOT NULL,
    idle_seconds BIGINT NOT NULL,
    start_minute SMALLINT NOT NULL,
    start_weekday SMALLINT NOT NULL,
    start_date DATE NOT NULL,
    idle_minute SMALLINT NOT NULL,
    idle_weekday SMALLINT NOT NULL,
    idle_date DATE NOT NULL
);

-- One stretch of charging: a charging transaction or a part of one between two readings
-- of its meter. The stretches of an SDR are numbered in their order.
CREATE TEMPORARY TABLE rating_interval (
    sdr_no BIGINT NOT NULL,
    interval_no INTEGER NOT NULL,
    transaction_no INTEGER NOT NULL,
    energy_wh BIGINT NOT NULL,
    seconds BIGINT NOT NULL,
    local_minute SMALLINT NOT NULL,
    local_weekday SMALLINT NOT NULL,
    local_date DATE NOT NULL,
    PRIMARY KEY (sdr_no, interval_no)
);

-- A kind of connector that the EVSE of an SDR has, in capital letters.
CREATE TEMPORARY TABLE rating_connector (
    sdr_no BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    PRIMARY KEY (sdr_no, kind)
);

-- A tariff version. decimals: of its currency by ISO 4217.
CREATE TEMPORARY TABLE rating_tariff (
    tariff_no BIGINT PRIMARY KEY,
    decimals SMALLINT NOT NULL,
    minimum_u WIDE,
    maximum_u WIDE,
    discount_ppm WIDE NOT NULL,
    vat_included BOOLEAN NOT NULL,
    priced_by VARCHAR NOT NULL
);

-- A price. weekdays: digits 0 to 6, empty for every day. Bounds are half-open; what a
-- tariff does not say is NULL, a begin 0.
CREATE TEMPORARY TABLE rating_component (
    tariff_no BIGINT NOT NULL,
    component_no SMALLINT NOT NULL,
    type VARCHAR NOT NULL,
    price_u WIDE NOT NULL,
    price_per VARCHAR NOT NULL,
    step BIGINT,
    tier_from BIGINT NOT NULL,
    tier_up_to BIGINT,
    grace_seconds BIGINT NOT NULL,
    local_from SMALLINT,
    local_until SMALLINT,
    weekdays VARCHAR NOT NULL,
    date_from DATE,
    date_until DATE,
    power_from_w BIGINT NOT NULL,
    power_up_to_w BIGINT,
    duration_from_seconds BIGINT NOT NULL,
    duration_up_to_seconds BIGINT,
    connector VARCHAR,
    priority SMALLINT,
    PRIMARY KEY (tariff_no, component_no)
);
