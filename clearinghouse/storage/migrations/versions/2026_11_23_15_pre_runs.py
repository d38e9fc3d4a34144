"""Settlement runs: what closed windows left owing is paid (4.2-central, 4.3-I3).

All tables are append-only by grant and by trigger; a state is the newest row of its
history. The ledger takes postings of runs, and all accounts of the house.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_15_pre"
down_revision = "2026_11_23_14_pre"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of runs and open the ledger to them."""
    _runs()
    _states()
    _standing()
    _taken()
    _results()
    _payments()
    _ledger()
    _settled()


def _runs() -> None:
    op.execute("""
        CREATE TABLE clearing.settlement_run (
            run_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
            model text NOT NULL CHECK (model IN ('BILATERAL', 'MULTILATERAL')),
            fees text NOT NULL CHECK (fees IN ('NETTED', 'APART', 'NONE')),
            reverses_run_id integer UNIQUE REFERENCES clearing.settlement_run,
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            gross_minor bigint NOT NULL CHECK (gross_minor >= 0),
            moved_minor bigint NOT NULL CHECK (moved_minor >= 0),
            proposed_at timestamptz NOT NULL,
            CHECK (model = 'MULTILATERAL' OR fees <> 'NETTED')
        );
        GRANT SELECT, INSERT ON clearing.settlement_run TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.settlement_run');
        CREATE TABLE clearing.run_exclusion (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            party_id text NOT NULL REFERENCES clearing.participant (party_id),
            reason text NOT NULL,
            PRIMARY KEY (run_id, party_id)
        );
        GRANT SELECT, INSERT ON clearing.run_exclusion TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_exclusion');
    """)


def _states() -> None:
    op.execute("""
        -- The run itself has the owner ''. Numbers without a gap: of two who move a
        -- run at once the second is refused.
        CREATE TABLE clearing.run_state (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            owner text NOT NULL,
            seq integer NOT NULL CHECK (seq >= 1),
            from_state text,
            to_state text NOT NULL,
            reason text NOT NULL,
            actor text NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (run_id, owner, seq),
            CHECK ((seq = 1) = (from_state IS NULL)),
            CONSTRAINT allowed_step CHECK (
                (coalesce(from_state, ''), to_state) IN (
                    ('', 'PENDING_SETTLEMENT'),
                    ('PENDING_SETTLEMENT', 'RECORDED'),
                    ('PENDING_SETTLEMENT', 'ABORTED'),
                    ('RECORDED', 'RESERVED'), ('RECORDED', 'ABORTED'),
                    ('RESERVED', 'COMMITTED'), ('RESERVED', 'ABORTED'),
                    ('COMMITTED', 'SETTLING'), ('COMMITTED', 'ABORTED'),
                    ('SETTLING', 'SETTLED'), ('SETTLING', 'ABORTED'),
                    ('SETTLED', 'SETTLING')
                )
                AND (owner <> '' OR coalesce(from_state, '') <> 'SETTLED'))
        );
        GRANT SELECT, INSERT ON clearing.run_state TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_state');
    """)


def _standing() -> None:
    op.execute("""
        CREATE FUNCTION clearing.check_run_step() RETURNS trigger
        LANGUAGE plpgsql AS $$
        DECLARE last text;
        BEGIN
            SELECT to_state INTO last FROM clearing.run_state
            WHERE run_id = NEW.run_id AND owner = NEW.owner AND seq = NEW.seq - 1;
            IF last IS DISTINCT FROM NEW.from_state THEN
                RAISE EXCEPTION 'run %: % does not follow %',
                    NEW.run_id, NEW.to_state, last USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END
        $$;
        CREATE TRIGGER run_step BEFORE INSERT ON clearing.run_state
            FOR EACH ROW EXECUTE FUNCTION clearing.check_run_step();
        -- Where each run, and each account in it, stands.
        CREATE VIEW clearing.run_standing AS
            SELECT DISTINCT ON (run_id, owner) run_id, owner, seq, to_state AS state
            FROM clearing.run_state ORDER BY run_id, owner, seq DESC;
        -- What a run took is taken until it is given up, or reversed to the end.
        CREATE VIEW clearing.living_run AS
            SELECT r.run_id FROM clearing.settlement_run AS r
            JOIN clearing.run_standing AS s ON s.run_id = r.run_id AND s.owner = ''
            WHERE NOT EXISTS (
                    SELECT FROM clearing.settlement_run AS reversal
                    JOIN clearing.run_standing AS done
                        ON done.run_id = reversal.run_id AND done.owner = ''
                    WHERE reversal.reverses_run_id = r.run_id
                      AND done.state = 'SETTLED')
              AND (s.state <> 'ABORTED' OR EXISTS (
                    SELECT FROM clearing.settlement_run AS reversal
                    WHERE reversal.reverses_run_id = r.run_id));
        GRANT SELECT ON clearing.run_standing, clearing.living_run
            TO clearinghouse_app;
    """)


def _taken() -> None:
    op.execute("""
        CREATE TABLE clearing.run_window (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            window_id integer NOT NULL REFERENCES clearing.settlement_window,
            PRIMARY KEY (run_id, window_id)
        );
        GRANT SELECT, INSERT ON clearing.run_window TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_window');
        CREATE TABLE clearing.run_pair (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            settlement_id integer NOT NULL,
            debtor_id integer NOT NULL,
            creditor_id integer NOT NULL,
            currency char(3) NOT NULL,
            amount_minor bigint NOT NULL,
            PRIMARY KEY (run_id, settlement_id, debtor_id, creditor_id),
            FOREIGN KEY (settlement_id, debtor_id, creditor_id)
                REFERENCES clearing.settlement_pair
        );
        CREATE INDEX run_pair_taken ON clearing.run_pair
            (settlement_id, debtor_id, creditor_id);
        GRANT SELECT, INSERT ON clearing.run_pair TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_pair');
        -- No pair is paid twice: one living run at most has it.
        CREATE FUNCTION clearing.check_taken_once() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM clearing.run_pair AS p
                JOIN clearing.living_run USING (run_id)
                WHERE (p.settlement_id, p.debtor_id, p.creditor_id)
                    IN (SELECT settlement_id, debtor_id, creditor_id FROM added)
                GROUP BY p.settlement_id, p.debtor_id, p.creditor_id
                HAVING count(*) > 1
            ) THEN
                RAISE EXCEPTION 'a pair is in another run already'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER taken_once AFTER INSERT ON clearing.run_pair
            REFERENCING NEW TABLE AS added
            FOR EACH STATEMENT EXECUTE FUNCTION clearing.check_taken_once();
    """)


def _results() -> None:
    op.execute("""
        CREATE TABLE clearing.run_debt (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            debtor text NOT NULL,
            creditor text NOT NULL CHECK (creditor <> debtor),
            kind text NOT NULL
                CHECK (kind IN ('PAIRS', 'CONVERTED', 'FEE', 'REVERSED')),
            amount_minor bigint NOT NULL CHECK (amount_minor > 0),
            PRIMARY KEY (run_id, debtor, creditor, kind)
        );
        GRANT SELECT, INSERT ON clearing.run_debt TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_debt');
        CREATE TABLE clearing.run_account (
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            owner text NOT NULL CHECK (owner <> ''),
            receivable_minor bigint NOT NULL CHECK (receivable_minor >= 0),
            payable_minor bigint NOT NULL CHECK (payable_minor >= 0),
            fee_minor bigint NOT NULL,
            net_minor bigint NOT NULL,
            PRIMARY KEY (run_id, owner),
            CHECK (net_minor = receivable_minor - payable_minor - fee_minor)
        );
        GRANT SELECT, INSERT ON clearing.run_account TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_account');
        -- Checked once more by the database when the transaction commits.
        CREATE FUNCTION clearing.check_run_zero_sum() RETURNS trigger
        LANGUAGE plpgsql AS $$
        DECLARE total numeric;
        BEGIN
            SELECT sum(net_minor) INTO total FROM clearing.run_account
            WHERE run_id = NEW.run_id;
            IF total <> 0 THEN
                RAISE EXCEPTION 'run %: its accounts sum to %, not to zero',
                    NEW.run_id, total USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END
        $$;
        CREATE CONSTRAINT TRIGGER zero_sum
            AFTER INSERT ON clearing.run_account
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION clearing.check_run_zero_sum();
    """)


def _payments() -> None:
    op.execute("""
        CREATE TABLE clearing.run_transfer (
            end_to_end_id text PRIMARY KEY
                CHECK (end_to_end_id ~ '^R[0-9]+-[A-Z0-9]+-[0-9]+$'
                       AND length(end_to_end_id) <= 35),
            run_id integer NOT NULL REFERENCES clearing.settlement_run,
            place integer NOT NULL CHECK (place >= 1),
            kind text NOT NULL CHECK (kind IN ('COLLECT', 'PAY_OUT', 'DIRECT')),
            payer text NOT NULL,
            payee text NOT NULL,
            amount_minor bigint NOT NULL CHECK (amount_minor > 0),
            UNIQUE (run_id, place),
            CHECK (kind <> 'COLLECT' OR payee = 'HUB'),
            CHECK (kind <> 'PAY_OUT' OR payer = 'HUB'),
            CHECK (kind <> 'DIRECT' OR payer <> payee)
        );
        GRANT SELECT, INSERT ON clearing.run_transfer TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.run_transfer');
        -- What the bank said. A repeat under the same reference changes nothing.
        CREATE TABLE clearing.transfer_confirmation (
            end_to_end_id text NOT NULL REFERENCES clearing.run_transfer,
            reference text NOT NULL,
            number integer NOT NULL CHECK (number >= 1),
            amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
            posted_minor bigint NOT NULL,
            outcome text NOT NULL CHECK (outcome IN
                ('EXACT', 'PARTIAL', 'OVER', 'RETURNED', 'AFTERWARDS')),
            booked_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL,
            PRIMARY KEY (end_to_end_id, reference),
            UNIQUE (end_to_end_id, number),
            CHECK (posted_minor = 0 OR sign(posted_minor) = sign(amount_minor)),
            CHECK (abs(posted_minor) <= abs(amount_minor))
        );
        GRANT SELECT, INSERT ON clearing.transfer_confirmation TO clearinghouse_app;
        SELECT clearing.make_append_only('clearing.transfer_confirmation');
    """)


def _ledger() -> None:
    op.execute("""
        ALTER TABLE clearing.posting ALTER COLUMN window_id DROP NOT NULL;
        ALTER TABLE clearing.posting
            ADD COLUMN run_id integer REFERENCES clearing.settlement_run;
        ALTER TABLE clearing.posting
            ADD CONSTRAINT window_or_run CHECK (num_nonnulls(window_id, run_id) = 1);
        CREATE INDEX posting_run ON clearing.posting (run_id) WHERE run_id IS NOT NULL;
        ALTER TABLE clearing.posting DROP CONSTRAINT posting_debit_account_check;
        ALTER TABLE clearing.posting DROP CONSTRAINT posting_credit_account_check;
        CREATE FUNCTION clearing.is_account(name text, currency text) RETURNS boolean
        LANGUAGE sql IMMUTABLE AS $$
            SELECT name ~ ('^(P:[A-Z]{2}[A-Z0-9]{3}:(RECV|PAY|POS|SETTLE|COLL|SUSP)'
                '|HUB:POS|CH:(CLEARING|FXDIFF)|FX:' || currency || ')$')
        $$;
        ALTER TABLE clearing.posting ADD CONSTRAINT known_accounts CHECK (
            clearing.is_account(debit_account, currency)
            AND clearing.is_account(credit_account, currency));
    """)


def _settled() -> None:
    op.execute("""
        -- A run ends with nothing on positions and nothing in transit: the database
        -- adds up what its windows left and what it posted, when the run is settled.
        CREATE FUNCTION clearing.run_leftovers(wanted integer)
        RETURNS TABLE (account text, currency text, left_minor bigint)
        LANGUAGE sql STABLE AS $$
            WITH involved AS (
                SELECT wanted AS run_id UNION
                SELECT reverses_run_id FROM clearing.settlement_run
                WHERE run_id = wanted AND reverses_run_id IS NOT NULL
            ), entry AS (
                SELECT debit_account AS account, posting.currency,
                       -amount_minor AS amount
                FROM clearing.posting JOIN involved USING (run_id)
                UNION ALL
                SELECT credit_account, posting.currency, amount_minor
                FROM clearing.posting JOIN involved USING (run_id)
                UNION ALL
                SELECT 'P:' || p.party_id || '\\:POS', pair.currency, side.amount
                FROM clearing.run_pair AS pair
                CROSS JOIN LATERAL (
                    VALUES (pair.debtor_id, -pair.amount_minor),
                           (pair.creditor_id, pair.amount_minor)
                ) AS side (participant_id, amount)
                JOIN clearing.participant AS p USING (participant_id)
                WHERE pair.run_id = wanted
            )
            SELECT account, entry.currency::text, sum(amount)::bigint FROM entry
            WHERE account LIKE '%\\:POS' OR account = 'CH:CLEARING'
            GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1, 2
        $$;
        GRANT EXECUTE ON FUNCTION clearing.run_leftovers(integer)
            TO clearinghouse_app;
        CREATE FUNCTION clearing.check_settled_run() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.owner = '' AND NEW.to_state = 'SETTLED' AND EXISTS (
                SELECT FROM clearing.run_leftovers(NEW.run_id)
            ) THEN
                RAISE EXCEPTION 'run %: something is left at its end', NEW.run_id
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END
        $$;
        CREATE CONSTRAINT TRIGGER nothing_left AFTER INSERT ON clearing.run_state
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION clearing.check_settled_run();
    """)


def downgrade() -> None:
    """Refuse: facts are never thrown away by a migration."""
    raise NotImplementedError
