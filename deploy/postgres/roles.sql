-- The roles and the database of a production server, PostgreSQL 15 or newer.
-- Run once as an administrator: psql -v ON_ERROR_STOP=1 -f roles.sql
-- Then give each role its password with \password and let pg_hba.conf ask for
-- scram-sha-256 over TLS. The tables come with: clearinghouse database upgrade

-- Owns the schemas and runs migrations; the only one that may change them.
CREATE ROLE clearinghouse_owner LOGIN CONNECTION LIMIT 4;

-- Business: inserts and reads, updates what may change, cannot touch the ledger's past.
CREATE ROLE clearinghouse_app LOGIN;

-- Personal data: sees the schema "privacy" and nothing else.
CREATE ROLE clearinghouse_privacy LOGIN;

-- C.UTF-8 sorts the same on every server and version.
CREATE DATABASE clearinghouse
    OWNER clearinghouse_owner
    TEMPLATE template0
    ENCODING 'UTF8'
    LOCALE 'C.UTF-8';

REVOKE ALL ON DATABASE clearinghouse FROM PUBLIC;
GRANT CONNECT ON DATABASE clearinghouse TO clearinghouse_app, clearinghouse_privacy;
