"""EVSE data, EVSE status and tariffs (clause 4.3-I3, EVSE status exchange)."""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_05_pre"
down_revision = "2026_11_22_04_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create EVSE and tariff tables."""
    _evses()
    _lists()
    _status()
    _tariffs()


def _evses() -> None:
    op.execute("""
        CREATE TABLE clearing.evse (
            evse_key text PRIMARY KEY,
            cso_id integer NOT NULL REFERENCES clearing.participant,
            evse_id text NOT NULL,
            spaced text NOT NULL,
            operator_id text,
            country char(2) NOT NULL,
            time_zone text NOT NULL,
            latitude numeric(9, 6),
            longitude numeric(9, 6),
            address jsonb NOT NULL,
            connectors jsonb NOT NULL,
            power_w integer,
            open_24_hours boolean,
            removed boolean NOT NULL DEFAULT false,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq')
        );
        -- The difference when a full list arrives, and the pull of one CSO.
        CREATE INDEX evse_cso_feed ON clearing.evse (cso_id, changed_xid, change_id);
        CREATE INDEX evse_feed ON clearing.evse (changed_xid, change_id);
        GRANT SELECT, INSERT, UPDATE ON clearing.evse TO clearinghouse_app;
    """)


def _lists() -> None:
    op.execute("""
        CREATE TABLE clearing.evse_list (
            cso_id integer NOT NULL REFERENCES clearing.participant,
            list_id uuid NOT NULL,
            state text NOT NULL
                CHECK (state IN ('STAGED', 'APPLIED', 'HELD', 'DISCARDED')),
            expected_count integer NOT NULL,
            parts integer NOT NULL CHECK (parts >= 1),
            parts_received integer[] NOT NULL DEFAULT '{}',
            entries integer NOT NULL DEFAULT 0,
            refused integer NOT NULL DEFAULT 0,
            received_at timestamptz NOT NULL,
            applied_at timestamptz,
            PRIMARY KEY (cso_id, list_id),
            CHECK ((state = 'APPLIED') = (applied_at IS NOT NULL))
        );
        GRANT SELECT, INSERT, DELETE ON clearing.evse_list TO clearinghouse_app;
        GRANT UPDATE (state, parts_received, entries, refused, applied_at)
            ON clearing.evse_list TO clearinghouse_app;
    """)
    op.execute("""
        CREATE TABLE clearing.evse_list_entry (
            cso_id integer NOT NULL,
            list_id uuid NOT NULL,
            part integer NOT NULL,
            evse_key text NOT NULL,
            evse_id text NOT NULL,
            spaced text NOT NULL,
            operator_id text,
            country char(2) NOT NULL,
            time_zone text NOT NULL,
            latitude numeric(9, 6),
            longitude numeric(9, 6),
            address jsonb NOT NULL,
            connectors jsonb NOT NULL,
            power_w integer,
            open_24_hours boolean,
            PRIMARY KEY (cso_id, list_id, evse_key),
            FOREIGN KEY (cso_id, list_id) REFERENCES clearing.evse_list
                ON DELETE CASCADE
        );
        GRANT SELECT, INSERT, UPDATE, DELETE
            ON clearing.evse_list_entry TO clearinghouse_app;
    """)


def _status() -> None:
    op.execute("""
        CREATE TABLE clearing.evse_status (
            evse_key text PRIMARY KEY,
            cso_id integer NOT NULL REFERENCES clearing.participant,
            availability text NOT NULL
                CHECK (availability IN ('OPERATIVE', 'INOPERATIVE', 'UNKNOWN')),
            occupancy text NOT NULL
                CHECK (occupancy IN ('FREE', 'OCCUPIED', 'RESERVED', 'UNKNOWN')),
            occurred_at timestamptz NOT NULL,
            valid_until timestamptz,
            stale boolean NOT NULL DEFAULT false,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq')
        ) WITH (fillfactor = 70);
        CREATE INDEX evse_status_cso_feed
            ON clearing.evse_status (cso_id, changed_xid, change_id);
        CREATE INDEX evse_status_feed ON clearing.evse_status (changed_xid, change_id);
        -- What must turn stale next.
        CREATE INDEX evse_status_expiry ON clearing.evse_status (valid_until)
            WHERE NOT stale;
        GRANT SELECT, INSERT, UPDATE ON clearing.evse_status TO clearinghouse_app;
    """)


def _tariffs() -> None:
    op.execute("""
        -- A published version is a fact: SDRs are rated by it years later.
        CREATE TABLE clearing.tariff (
            tariff_version_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            cso_id integer NOT NULL REFERENCES clearing.participant,
            tariff_id text NOT NULL,
            version integer NOT NULL CHECK (version >= 1),
            receiver_id integer REFERENCES clearing.participant,
            currency char(3) NOT NULL,
            valid_from timestamptz NOT NULL,
            valid_until timestamptz,
            minimum_u bigint,
            maximum_u bigint,
            components jsonb NOT NULL,
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            created_at timestamptz NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            UNIQUE NULLS NOT DISTINCT (cso_id, tariff_id, receiver_id, version),
            CHECK (valid_until IS NULL OR valid_until > valid_from)
        );
        CREATE INDEX tariff_feed ON clearing.tariff (changed_xid, change_id);
        GRANT SELECT, INSERT ON clearing.tariff TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.tariff');
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
