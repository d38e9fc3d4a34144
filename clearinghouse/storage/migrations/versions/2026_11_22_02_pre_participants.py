"""Participants, their names, accounts, tokens, agreements, endpoints, links.

Clauses 4.2-dual (one entity, two roles), 5-A to 5-C2 (the mode is a property
of the agreement), 7.2-token and 7.2-expiry.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_02_pre"
down_revision = "2026_11_22_01_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of everybody we deal with."""
    _participants()
    _access()
    _agreements()
    _links()


def _participants() -> None:
    op.execute("""
        CREATE TABLE clearing.participant (
            participant_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            party_id text NOT NULL UNIQUE CHECK (party_id ~ '^[A-Z]{2}[A-Z0-9]{3}$'),
            name text NOT NULL,
            roles text[] NOT NULL
                CHECK (cardinality(roles) >= 1 AND roles <@ ARRAY['CSP', 'CSO']),
            country char(2) NOT NULL,
            status text NOT NULL DEFAULT 'ACTIVE'
                CHECK (status IN ('ACTIVE', 'SUSPENDED')),
            last_heartbeat_at timestamptz,
            skew_ms integer,
            created_at timestamptz NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now(),
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq')
        );
        CREATE INDEX participant_feed ON clearing.participant (changed_xid, change_id);
        GRANT SELECT, INSERT ON clearing.participant TO clearinghouse_app;
        -- A party id is an identity: it never changes hands.
        GRANT UPDATE (name, roles, country, status, last_heartbeat_at, skew_ms,
                      changed_at, changed_xid, change_id)
            ON clearing.participant TO clearinghouse_app;
    """)
    op.execute("""
        CREATE TABLE clearing.party_alias (
            alias text PRIMARY KEY CHECK (alias ~ '^[A-Z]{2}[A-Z0-9]{3}$'),
            participant_id integer NOT NULL REFERENCES clearing.participant
        );
        CREATE INDEX party_alias_participant ON clearing.party_alias (participant_id);
        GRANT SELECT, INSERT, DELETE ON clearing.party_alias TO clearinghouse_app;
    """)


def _access() -> None:
    op.execute("""
        CREATE TABLE clearing.account (
            account_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            username text NOT NULL UNIQUE,
            password_hash text NOT NULL,
            status text NOT NULL DEFAULT 'ACTIVE'
                CHECK (status IN ('ACTIVE', 'DISABLED')),
            created_at timestamptz NOT NULL
        );
        CREATE INDEX account_participant ON clearing.account (participant_id);
        GRANT SELECT, INSERT ON clearing.account TO clearinghouse_app;
        GRANT UPDATE (password_hash, status) ON clearing.account TO clearinghouse_app;
    """)
    op.execute("""
        -- Only the digest is kept: a stolen copy of this table opens nothing.
        CREATE TABLE clearing.token (
            token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
            account_id integer NOT NULL REFERENCES clearing.account,
            participant_id integer NOT NULL REFERENCES clearing.participant,
            issued_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            chain_started_at timestamptz NOT NULL,
            revoked_at timestamptz,
            CHECK (expires_at > issued_at AND chain_started_at <= issued_at)
        );
        CREATE INDEX token_account ON clearing.token (account_id);
        CREATE INDEX token_expiry ON clearing.token (expires_at);
        GRANT SELECT, INSERT, DELETE ON clearing.token TO clearinghouse_app;
        GRANT UPDATE (revoked_at) ON clearing.token TO clearinghouse_app;
    """)


def _agreements() -> None:
    op.execute("""
        CREATE TABLE clearing.agreement (
            agreement_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            version integer NOT NULL CHECK (version >= 1),
            visited_id integer NOT NULL REFERENCES clearing.participant,
            home_id integer NOT NULL REFERENCES clearing.participant,
            mode text NOT NULL CHECK (mode IN ('A', 'B1', 'B2', 'C1', 'C2')),
            currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
            valid_from timestamptz NOT NULL,
            valid_until timestamptz,
            silent_csp text NOT NULL
                CHECK (silent_csp IN ('REFUSE', 'ALLOW_FROM_LIST')),
            list_age_limit_seconds integer NOT NULL CHECK (list_age_limit_seconds >= 0),
            list_fresh_seconds integer NOT NULL CHECK (list_fresh_seconds >= 0),
            match_required boolean NOT NULL,
            tolerance_minor bigint NOT NULL CHECK (tolerance_minor >= 0),
            tolerance_ppm integer NOT NULL CHECK (tolerance_ppm >= 0),
            late_limit_days integer NOT NULL CHECK (late_limit_days >= 0),
            energy_wh_max integer NOT NULL CHECK (energy_wh_max > 0),
            duration_seconds_max integer NOT NULL CHECK (duration_seconds_max > 0),
            power_percent_max integer NOT NULL CHECK (power_percent_max > 0),
            overlap_seconds_max integer NOT NULL CHECK (overlap_seconds_max >= 0),
            travel_kmh_max integer NOT NULL CHECK (travel_kmh_max > 0),
            net_ceiling_minor bigint CHECK (net_ceiling_minor >= 0),
            net_mean_factor integer NOT NULL CHECK (net_mean_factor > 0),
            -- Beginnings and ends up to here are in the directory's feed.
            announced_at timestamptz,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            CHECK (visited_id <> home_id),
            CHECK (valid_until IS NULL OR valid_until >= valid_from),
            UNIQUE (visited_id, home_id, currency, version),
            -- One set of terms at a time, so "the agreement in force" is one row.
            CONSTRAINT agreement_one_in_force EXCLUDE USING gist (
                visited_id WITH =, home_id WITH =, currency WITH =,
                tstzrange(valid_from, valid_until) WITH &&)
        );
        CREATE INDEX agreement_home ON clearing.agreement (home_id);
        CREATE INDEX agreement_feed ON clearing.agreement (changed_xid, change_id);
        GRANT SELECT, INSERT ON clearing.agreement TO clearinghouse_app;
        -- Terms are facts; the only change is the end. New terms are a new version.
        GRANT UPDATE (valid_until, announced_at, changed_xid, change_id)
            ON clearing.agreement TO clearinghouse_app;
    """)


def _links() -> None:
    op.execute("""
        CREATE TABLE clearing.partner_endpoint (
            participant_id integer NOT NULL REFERENCES clearing.participant,
            service text NOT NULL CHECK (service IN ('csp-endpoint', 'cso-endpoint')),
            url text NOT NULL,
            access_token_sealed bytea,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (participant_id, service)
        );
        GRANT SELECT, INSERT, UPDATE, DELETE
            ON clearing.partner_endpoint TO clearinghouse_app;
    """)
    op.execute("""
        CREATE TABLE clearing.link_state (
            participant_id integer NOT NULL REFERENCES clearing.participant,
            service text NOT NULL CHECK (service IN ('csp-endpoint', 'cso-endpoint')),
            state text NOT NULL CHECK (state IN ('CLOSED', 'OPEN', 'PROBING')),
            consecutive_failures integer NOT NULL CHECK (consecutive_failures >= 0),
            -- The last outcomes, oldest first: [[instant, success], ...]
            recent jsonb NOT NULL DEFAULT '[]',
            open_until timestamptz,
            open_seconds integer NOT NULL DEFAULT 0 CHECK (open_seconds >= 0),
            last_success_at timestamptz,
            last_failure_at timestamptz,
            last_error_code integer,
            PRIMARY KEY (participant_id, service)
        );
        GRANT SELECT, INSERT, UPDATE ON clearing.link_state TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
