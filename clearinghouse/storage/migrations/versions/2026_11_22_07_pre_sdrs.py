"""Settlement windows and service detail records (3.10, 4.3-I3).

One immutable table of SDRs, partitioned by settlement window. Nothing financial
is updated in place: what happens to an SDR later is a row in another table.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_22_07_pre"
down_revision = "2026_11_22_06_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create windows, batches, SDRs and what is said about them."""
    _windows()
    _batches()
    _sdrs()
    _keys()
    _after_intake()
    _open_window()


def _windows() -> None:
    op.execute("""
        CREATE TABLE clearing.settlement_window (
            window_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            label text NOT NULL UNIQUE,
            state text NOT NULL
                CHECK (state IN ('OPEN', 'CUTOVER', 'CLOSED', 'FAILED')),
            opened_at timestamptz NOT NULL,
            cutover_at timestamptz,
            closed_at timestamptz,
            claim_digest bytea,
            proof_digest bytea,
            CHECK (state = 'OPEN' OR cutover_at IS NOT NULL),
            CHECK ((state = 'CLOSED') = (closed_at IS NOT NULL)),
            -- A window closes on two agreeing computations or not at all.
            CHECK (state <> 'CLOSED' OR
                   (claim_digest IS NOT NULL AND claim_digest = proof_digest))
        );
        -- Intake asks for "the open window": there is one or none.
        CREATE UNIQUE INDEX settlement_window_open
            ON clearing.settlement_window (state) WHERE state = 'OPEN';
        -- Rows are made by clearing.open_window() alone, with their partition.
        GRANT SELECT ON clearing.settlement_window TO clearinghouse_app;
        GRANT UPDATE (state, cutover_at, closed_at, claim_digest, proof_digest)
            ON clearing.settlement_window TO clearinghouse_app;
    """)


def _batches() -> None:
    op.execute("""
        CREATE TABLE clearing.sdr_batch (
            batch_id uuid PRIMARY KEY,
            submitter_id integer NOT NULL REFERENCES clearing.participant,
            batch_sequence bigint NOT NULL CHECK (batch_sequence >= 1),
            message_id uuid NOT NULL,
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            accepted integer NOT NULL,
            held integer NOT NULL,
            refused integer NOT NULL,
            duplicates integer NOT NULL,
            energy_wh bigint NOT NULL,
            received_at timestamptz NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            UNIQUE (submitter_id, batch_sequence)
        );
        CREATE INDEX sdr_batch_window ON clearing.sdr_batch (window_id);
        CREATE INDEX sdr_batch_feed ON clearing.sdr_batch (changed_xid, change_id);
        GRANT SELECT, INSERT ON clearing.sdr_batch TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr_batch');
    """)


def _sdrs() -> None:
    op.execute("""
        CREATE SEQUENCE clearing.sdr_no_seq AS bigint;
        GRANT USAGE ON SEQUENCE clearing.sdr_no_seq TO clearinghouse_app;
        -- No foreign keys: intake has looked every reference up in the same
        -- transaction, and a check per row and key would halve the COPY rate.
        CREATE TABLE clearing.sdr (
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL DEFAULT nextval('clearing.sdr_no_seq'),
            submitter_id integer NOT NULL,
            sdr_uid text NOT NULL,
            csp_id integer NOT NULL,
            cso_id integer NOT NULL,
            batch_id uuid NOT NULL,
            record_no integer NOT NULL,
            status text NOT NULL CHECK (status IN ('ACCEPTED', 'HELD')),
            session_id uuid,
            subject_id bigint,
            evse_key text NOT NULL,
            started_at timestamptz NOT NULL,
            ended_at timestamptz NOT NULL,
            start_offset_minutes smallint NOT NULL,
            energy_wh bigint NOT NULL,
            charge_seconds integer NOT NULL,
            idle_seconds integer NOT NULL,
            parking_seconds integer NOT NULL,
            tariff_version_id bigint NOT NULL,
            engine_version smallint NOT NULL,
            currency char(3) NOT NULL,
            net_minor bigint NOT NULL,
            claimed_minor bigint NOT NULL,
            rule_codes text NOT NULL,
            content_digest bytea NOT NULL,
            detail jsonb NOT NULL,
            received_at timestamptz NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            change_id bigint NOT NULL DEFAULT nextval('clearing.change_seq'),
            PRIMARY KEY (window_id, sdr_no)
        ) PARTITION BY LIST (window_id);
        -- GetSdrs of the home CSP. All rows of a batch share changed_xid, so the
        -- index grows at one place per CSP: cheap for the bulk COPY.
        CREATE INDEX sdr_csp_feed ON clearing.sdr (csp_id, changed_xid, change_id);
        -- GetSdrs of the submitter: grows at its right end per submitter.
        CREATE INDEX sdr_submitter_feed
            ON clearing.sdr (submitter_id, changed_xid, change_id);
        -- Overlaps and near duplicates on one EVSE (rules S-205, S-207). Measured
        -- with 10,000 rows a batch: 112, 98, 65 and 54 thousand rows/s with the
        -- primary key alone and with each of these three added.
        CREATE INDEX sdr_evse ON clearing.sdr (evse_key, started_at);
        -- Impossible travel (rule S-206): 63 becomes 57 thousand rows/s.
        CREATE INDEX sdr_subject ON clearing.sdr (subject_id, started_at)
            WHERE subject_id IS NOT NULL;
        GRANT SELECT, INSERT ON clearing.sdr TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr');
    """)


def _keys() -> None:
    op.execute("""
        -- (submitter, SDR id) is unique for ever, across windows. The id is hashed
        -- so that the key stays small when the SDRs themselves are archived.
        CREATE TABLE clearing.sdr_key (
            submitter_id integer NOT NULL,
            uid_hash bytea NOT NULL CHECK (octet_length(uid_hash) = 16),
            content_digest bytea NOT NULL,
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            PRIMARY KEY (submitter_id, uid_hash)
        );
        GRANT SELECT, INSERT ON clearing.sdr_key TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr_key');
    """)
    op.execute("""
        CREATE TABLE clearing.refused_sdr (
            -- Checked at commit: the batch is counted, and so written, at its end.
            batch_id uuid NOT NULL REFERENCES clearing.sdr_batch
                DEFERRABLE INITIALLY DEFERRED,
            record_no integer NOT NULL,
            submitter_id integer NOT NULL,
            sdr_uid text NOT NULL,
            csp_party text,
            rule_codes text NOT NULL,
            items jsonb NOT NULL,
            energy_wh bigint,
            claimed_minor bigint,
            currency char(3),
            received_at timestamptz NOT NULL,
            PRIMARY KEY (batch_id, record_no)
        );
        CREATE INDEX refused_sdr_uid ON clearing.refused_sdr (submitter_id, sdr_uid);
        GRANT SELECT, INSERT ON clearing.refused_sdr TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.refused_sdr');
    """)
    op.execute("""
        CREATE TABLE clearing.rule_hit (
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            rule text NOT NULL,
            code integer NOT NULL,
            severity char(1) NOT NULL CHECK (severity IN ('F', 'R', 'H', 'W')),
            path text,
            expected text,
            found text
        );
        CREATE INDEX rule_hit_sdr ON clearing.rule_hit (window_id, sdr_no);
        GRANT SELECT, INSERT ON clearing.rule_hit TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.rule_hit');
    """)


def _after_intake() -> None:
    op.execute("""
        -- What a window claims. A later exclusion appends a negative row.
        CREATE TABLE clearing.batch_total (
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            batch_id uuid NOT NULL REFERENCES clearing.sdr_batch,
            csp_id integer NOT NULL REFERENCES clearing.participant,
            submitter_id integer NOT NULL REFERENCES clearing.participant,
            currency char(3) NOT NULL,
            sdr_count integer NOT NULL,
            energy_wh bigint NOT NULL,
            net_minor bigint NOT NULL
        );
        CREATE INDEX batch_total_window ON clearing.batch_total (window_id);
        GRANT SELECT, INSERT ON clearing.batch_total TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.batch_total');
    """)
    op.execute("""
        CREATE TABLE clearing.sdr_event (
            event_row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            status text NOT NULL CHECK (status IN ('ACCEPTED', 'REFUSED', 'DELIVERED',
                'CONFIRMED', 'REJECTED', 'SETTLED')),
            at timestamptz NOT NULL,
            actor_id integer REFERENCES clearing.participant,
            reason text
        );
        CREATE INDEX sdr_event_sdr
            ON clearing.sdr_event (window_id, sdr_no, event_row);
        GRANT SELECT, INSERT ON clearing.sdr_event TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr_event');
    """)
    op.execute("""
        CREATE TABLE clearing.sdr_exclusion (
            window_id integer NOT NULL,
            sdr_no bigint NOT NULL,
            session_id uuid,
            reason text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (window_id, sdr_no)
        );
        -- A session whose SDR was rejected waits for another one.
        CREATE INDEX sdr_exclusion_session ON clearing.sdr_exclusion (session_id)
            WHERE session_id IS NOT NULL;
        GRANT SELECT, INSERT ON clearing.sdr_exclusion TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.sdr_exclusion');
    """)


def _open_window() -> None:
    op.execute("""
        -- The only DDL of a running clearing house, so the application needs no
        -- right to create tables. ATTACH, unlike CREATE .. PARTITION OF, lets
        -- readers and writers of the other windows go on.
        CREATE FUNCTION clearing.open_window(label text) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
        DECLARE
            opened integer;
            partition_name text;
        BEGIN
            INSERT INTO clearing.settlement_window (label, state, opened_at)
            VALUES (open_window.label, 'OPEN', clock_timestamp())
            RETURNING window_id INTO opened;
            partition_name := 'sdr_w' || lpad(opened::text, 6, '0');
            EXECUTE format(
                'CREATE TABLE clearing.%I (LIKE clearing.sdr INCLUDING DEFAULTS'
                ' INCLUDING CONSTRAINTS INCLUDING INDEXES,'
                ' CHECK (window_id = %s))', partition_name, opened);
            EXECUTE format(
                'ALTER TABLE clearing.sdr ATTACH PARTITION clearing.%I'
                ' FOR VALUES IN (%s)', partition_name, opened);
            EXECUTE format(
                'GRANT SELECT, INSERT ON clearing.%I TO clearinghouse_app',
                partition_name);
            PERFORM clearing.make_append_only(
                format('clearing.%I', partition_name)::regclass);
            RETURN opened;
        END
        $$;
        REVOKE ALL ON FUNCTION clearing.open_window(text) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION clearing.open_window(text) TO clearinghouse_app;
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
