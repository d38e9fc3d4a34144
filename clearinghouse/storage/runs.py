"""Settlement runs: what they took, what they come to, how they stand (4.3-I3).

Everything is added. Where a run stands is the newest row of its history; who moves a
run holds its lock until the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, text

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import (
    Account,
    Debt,
    DebtKind,
    FeeMode,
    Model,
    Plan,
    RunState,
    digest,
    may_follow,
    next_state,
)
from clearinghouse.storage import run_payments
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables import runs as tables

#: Key of the lock that lets one run at a time take pairs, and its half of the key of
#: the lock of a single run.
RUNS_LOCK = 7_311_901_012
RUN_LOCK = 73_119_014

#: The owner under which the run's own state stands.
WHOLE = ""

#: Runs of one view, the newest.
RUNS_MAX = 1_000

_LOCK_ALL = text("SELECT pg_advisory_xact_lock(:key)")
_LOCK_ONE = text("SELECT pg_advisory_xact_lock(:space, :run_id)")

# What a pair came to is what its close posted to the debtor's position, VAT and all. A
# pair of nothing has no posting; any other without one would be a broken close, and its
# missing amount is refused by the database.
_UNSETTLED = text("""
    SELECT s.settlement_id, s.window_id, s.currency, p.debtor_id, p.creditor_id,
           p.sdr_count,
           CASE WHEN closed.amount_minor IS NOT NULL AND split_part(
                    closed.debit_account, ':', 3) = 'POS' THEN closed.amount_minor
                WHEN closed.amount_minor IS NOT NULL THEN -closed.amount_minor
                WHEN p.gross_minor = 0 THEN 0 END AS amount_minor
    FROM clearing.settlement AS s
    JOIN clearing.settlement_window AS w USING (window_id)
    JOIN clearing.settlement_pair AS p USING (settlement_id)
    JOIN clearing.participant AS debtor ON debtor.participant_id = p.debtor_id
    JOIN clearing.participant AS creditor ON creditor.participant_id = p.creditor_id
    LEFT JOIN clearing.posting AS closed ON closed.posting_key =
        format('W%s\\:%s-%s-%s\\:CLOSE-PAY', s.window_id, s.currency,
               debtor.party_id, creditor.party_id)
    WHERE w.state = 'CLOSED'
      AND s.currency = ANY (CAST(:currencies AS text[]))
      AND (CAST(:windows AS integer[]) IS NULL
           OR s.window_id = ANY (CAST(:windows AS integer[])))
      AND NOT EXISTS (
          SELECT FROM clearing.run_pair AS r JOIN clearing.living_run USING (run_id)
          WHERE (r.settlement_id, r.debtor_id, r.creditor_id)
              = (p.settlement_id, p.debtor_id, p.creditor_id))
    ORDER BY s.settlement_id, p.debtor_id, p.creditor_id
""")

_EMPTY_WINDOWS = text("""
    SELECT w.window_id FROM clearing.settlement_window AS w
    WHERE w.state = 'CLOSED'
      AND (CAST(:windows AS integer[]) IS NULL
           OR w.window_id = ANY (CAST(:windows AS integer[])))
      AND NOT EXISTS (
          SELECT FROM clearing.settlement AS s
          WHERE s.window_id = w.window_id AND s.currency = :currency)
      AND NOT EXISTS (
          SELECT FROM clearing.run_window AS r JOIN clearing.living_run USING (run_id)
          JOIN clearing.settlement_run AS run USING (run_id)
          WHERE r.window_id = w.window_id AND run.currency = :currency
            AND run.reverses_run_id IS NULL)
    ORDER BY w.window_id
""")

_WAITING = text("""
    SELECT DISTINCT s.currency FROM clearing.settlement AS s
    JOIN clearing.settlement_window AS w USING (window_id)
    JOIN clearing.settlement_pair AS p USING (settlement_id)
    WHERE w.state = 'CLOSED'
      AND NOT EXISTS (
          SELECT FROM clearing.run_pair AS r JOIN clearing.living_run USING (run_id)
          WHERE (r.settlement_id, r.debtor_id, r.creditor_id)
              = (p.settlement_id, p.debtor_id, p.creditor_id))
    ORDER BY s.currency
""")

_STANDING = text("""
    SELECT owner, seq, state FROM clearing.run_standing WHERE run_id = :run_id
""")

_RUNS = text("""
    SELECT r.run_id, r.currency, r.model, r.fees, r.reverses_run_id, r.gross_minor,
           r.moved_minor, r.proposed_at, s.state,
           (SELECT reversal.run_id FROM clearing.settlement_run AS reversal
            WHERE reversal.reverses_run_id = r.run_id) AS reversed_by
    FROM clearing.settlement_run AS r
    JOIN clearing.run_standing AS s ON s.run_id = r.run_id AND s.owner = ''
    WHERE CAST(:run_id AS integer) IS NULL OR r.run_id = :run_id
    ORDER BY r.run_id DESC LIMIT :limit
""")


class Pair(NamedTuple):
    """A pair total of a closed window that no living run has taken."""

    settlement_id: int
    window_id: int
    currency: str
    debtor_id: int
    creditor_id: int
    sdr_count: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A settlement run and where it stands."""

    run_id: int
    currency: str
    model: Model
    fees: FeeMode
    state: RunState
    gross_minor: int
    moved_minor: int
    proposed_at: datetime
    reverses_run_id: int | None = None
    reversed_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What a proposal stores; ``exclusions`` maps party ids to reasons."""

    currency: str
    model: Model
    fees: FeeMode
    pairs: Sequence[Pair] = ()
    window_ids: Collection[int] = ()
    exclusions: Mapping[str, str]
    reverses_run_id: int | None = None


class Standing(NamedTuple):
    """Where a run or an account in it stands, and at which step of its history."""

    seq: int
    state: RunState


class Step(NamedTuple):
    """One step in the history of a run (owner ``""``) or of an account in it."""

    owner: str
    seq: int
    from_state: RunState | None
    to_state: RunState
    reason: str
    actor: str
    at: datetime


class Cause(NamedTuple):
    """Why a state changed, who did it, and when."""

    reason: str
    actor: str
    at: datetime


def lock_runs(tx: Connection) -> None:
    """Wait until no other run takes pairs or gives them back."""
    tx.execute(_LOCK_ALL, {"key": RUNS_LOCK})


def lock_run(tx: Connection, run_id: int) -> None:
    """Wait until nobody else moves this run."""
    tx.execute(_LOCK_ONE, {"space": RUN_LOCK, "run_id": run_id})


def unsettled_pairs(
    tx: Connection, currencies: Collection[str], window_ids: Collection[int] | None
) -> list[Pair]:
    """Return what closed windows left owing and no living run has; all windows or some.

    Amounts are what the directed pair's close posted to the positions.
    """
    place = {
        "currencies": sorted(currencies),
        "windows": None if window_ids is None else sorted(window_ids),
    }
    return [
        Pair(
            row.settlement_id,
            row.window_id,
            row.currency,
            row.debtor_id,
            row.creditor_id,
            row.sdr_count,
            row.amount_minor,
        )
        for row in tx.execute(_UNSETTLED, place)
    ]


def empty_windows(
    tx: Connection, currency: str, window_ids: Collection[int] | None
) -> list[int]:
    """Return closed windows without anything in a currency that no living run has."""
    windows = None if window_ids is None else sorted(window_ids)
    place = {"currency": currency, "windows": windows}
    return list(tx.execute(_EMPTY_WINDOWS, place).scalars())


def waiting_currencies(tx: Connection) -> list[str]:
    """Return the currencies of pairs in closed windows that no living run has."""
    return list(tx.execute(_WAITING).scalars())


def insert_run(tx: Connection, new: NewRun, made: Plan, *, at: datetime) -> int:
    """Store the head of a run with what it takes and what it excludes.

    Returns its number. The database refuses a pair that another living run has.
    """
    table = tables.settlement_run
    statement = insert(table).values(
        currency=new.currency,
        model=new.model,
        fees=new.fees,
        reverses_run_id=new.reverses_run_id,
        digest=digest(made),
        gross_minor=sum(debt.amount_minor for debt in made.debts),
        moved_minor=made.moved_minor,
        proposed_at=at,
    )
    run_id = int(tx.execute(statement.returning(table.c.run_id)).scalar_one())
    Database.copy(
        tx,
        tables.run_window,
        ("run_id", "window_id"),
        ((run_id, window_id) for window_id in sorted(new.window_ids)),
    )
    Database.copy(
        tx,
        tables.run_exclusion,
        ("run_id", "party_id", "reason"),
        ((run_id, *one) for one in sorted(new.exclusions.items())),
    )
    if new.pairs:
        _copy_pairs(tx, run_id, new.pairs)
    return run_id


def _copy_pairs(tx: Connection, run_id: int, pairs: Iterable[Pair]) -> None:
    Database.copy(
        tx,
        tables.run_pair,
        (
            "run_id",
            "settlement_id",
            "debtor_id",
            "creditor_id",
            "currency",
            "amount_minor",
        ),
        (
            (
                run_id,
                pair.settlement_id,
                pair.debtor_id,
                pair.creditor_id,
                pair.currency,
                pair.amount_minor,
            )
            for pair in pairs
        ),
    )


def insert_plan(tx: Connection, run_id: int, made: Plan) -> None:
    """Store the debts, accounts and payments of a run."""
    Database.copy(
        tx,
        tables.run_debt,
        ("run_id", "debtor", "creditor", "kind", "amount_minor"),
        ((run_id, *debt) for debt in made.debts),
    )
    Database.copy(
        tx,
        tables.run_account,
        (
            "run_id",
            "owner",
            "receivable_minor",
            "payable_minor",
            "fee_minor",
            "net_minor",
        ),
        ((run_id, *account) for account in made.accounts),
    )
    Database.copy(
        tx,
        tables.run_transfer,
        ("run_id", "place", "end_to_end_id", "kind", "payer", "payee", "amount_minor"),
        (
            (run_id, place, *transfer)
            for place, transfer in enumerate(made.transfers, 1)
        ),
    )


def standings(tx: Connection, run_id: int) -> dict[str, Standing]:
    """Return where the run (owner ``""``) and each account in it stand."""
    return {
        row.owner: Standing(row.seq, RunState(row.state))
        for row in tx.execute(_STANDING, {"run_id": run_id})
    }


def _halted(name: str, before: Standing | None, target: RunState) -> str:
    if before is None:
        return f"{name} is nowhere, not to become {target}"
    after = next_state(before.state)
    then = "nothing comes after" if after is None else f"next is {after}"
    return f"{name} is {before.state}, not to become {target}: {then}"


def move(
    tx: Connection,
    run_id: int,
    owners: Iterable[str],
    target: RunState,
    cause: Cause,
) -> None:
    """Move a run and accounts in it on, each by a new row.

    The caller holds the lock of the run. Raises :class:`ClearingHouseError`
    (``RUN_STATE``) when one of them may not go there.
    """
    now = standings(tx, run_id)
    rows = []
    for owner in sorted(owners):
        before = now.get(owner)
        if before is None:
            allowed = target is RunState.PENDING_SETTLEMENT
        else:
            final = before.state is RunState.SETTLED and owner == WHOLE
            allowed = not final and may_follow(before.state, target)
        if not allowed:
            name = owner or f"run {run_id}"
            raise ClearingHouseError(codes.RUN_STATE, _halted(name, before, target))
        seq, state_before = (1, None) if before is None else (before.seq + 1, before[1])
        rows.append((run_id, owner, seq, state_before, target, *cause))
    Database.copy(
        tx,
        tables.run_state,
        (
            "run_id",
            "owner",
            "seq",
            "from_state",
            "to_state",
            "reason",
            "actor",
            "at",
        ),
        rows,
    )


def runs(tx: Connection) -> list[Run]:
    """Return the newest runs, newest first."""
    place = {"run_id": None, "limit": RUNS_MAX}
    return [_run(row) for row in tx.execute(_RUNS, place)]


def run_by_id(tx: Connection, run_id: int) -> Run | None:
    """Return a run, ``None`` when there is none of this number."""
    row = tx.execute(_RUNS, {"run_id": run_id, "limit": 1}).one_or_none()
    return None if row is None else _run(row)


def plan_of(tx: Connection, run_id: int) -> Plan:
    """Return what a run comes to, as it was stored."""
    debts, accounts = tables.run_debt, tables.run_account
    kept = select(tables.settlement_run.c.reverses_run_id).where(
        tables.settlement_run.c.run_id == run_id
    )
    return Plan(
        debts=tuple(
            Debt(row.debtor, row.creditor, DebtKind(row.kind), row.amount_minor)
            for row in tx.execute(select(debts).where(debts.c.run_id == run_id))
        ),
        accounts=tuple(
            Account(*row[1:])
            for row in tx.execute(
                select(accounts)
                .where(accounts.c.run_id == run_id)
                .order_by(accounts.c.owner.collate("C"))
            )
        ),
        transfers=tuple(one.transfer for one in run_payments.payments_of(tx, run_id)),
        reversal=tx.execute(kept).scalar_one() is not None,
    )


def windows_of(tx: Connection, run_id: int) -> list[int]:
    """Return the numbers of the windows that a run took something of."""
    table = tables.run_window
    query = select(table.c.window_id).where(table.c.run_id == run_id)
    return list(tx.execute(query.order_by(table.c.window_id)).scalars())


def exclusions_of(tx: Connection, run_id: int) -> dict[str, str]:
    """Return who was left out of a run, and why."""
    table = tables.run_exclusion
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.party_id)
    return {row.party_id: row.reason for row in tx.execute(query)}


def history(tx: Connection, run_id: int) -> list[Step]:
    """Return the steps of a run and of its accounts, oldest first."""
    table = tables.run_state
    query = (
        select(table)
        .where(table.c.run_id == run_id)
        .order_by(table.c.at, table.c.owner, table.c.seq)
    )
    return [
        Step(
            row.owner,
            row.seq,
            None if row.from_state is None else RunState(row.from_state),
            RunState(row.to_state),
            row.reason,
            row.actor,
            row.at,
        )
        for row in tx.execute(query)
    ]


def _run(row: Any) -> Run:  # noqa: ANN401 - a row of any query
    return Run(
        run_id=row.run_id,
        currency=row.currency,
        model=Model(row.model),
        fees=FeeMode(row.fees),
        state=RunState(row.state),
        gross_minor=row.gross_minor,
        moved_minor=row.moved_minor,
        proposed_at=row.proposed_at,
        reverses_run_id=row.reverses_run_id,
        reversed_by=row.reversed_by,
    )
