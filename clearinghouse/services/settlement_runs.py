"""Settlement runs: what closed windows left owing is netted and paid (4.3-I3).

A run is proposed, recorded, reserved and committed by an operator; then the bank's word
on each payment settles it. Each step is one transaction that proves the run before it
commits: killed anywhere, a run stands where it stood, and the step is done again. Only
two operators give up a run, and only before anything is posted; afterwards a reversal
with mirror postings takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import run_postings
from clearinghouse.domain import runs as rules
from clearinghouse.domain.approvals import Operator
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.money import AmountError, currency_of
from clearinghouse.domain.run_postings import Conversion
from clearinghouse.domain.runs import (
    Account,
    Debt,
    FeeMode,
    Model,
    Plan,
    RunState,
)
from clearinghouse.services import fee_documents, run_amounts
from clearinghouse.services.approvals import actor_named
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note
from clearinghouse.services.run_amounts import Wanted
from clearinghouse.storage import (
    fees,
    fx,
    ledger,
    run_payments,
    run_proof,
    settlement,
)
from clearinghouse.storage import runs as store
from clearinghouse.storage.fees import FeeDocument, RunFee
from clearinghouse.storage.run_payments import Confirmation, Payment
from clearinghouse.storage.runs import (
    WHOLE,
    Cause,
    NewRun,
    Run,
    Step,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator wants settled: a currency, a model, some windows or all.

    ``exclusions`` names who is left out, and why: only a rerun that two operators
    approved has any.
    """

    currency: str
    model: Model
    fees: FeeMode = FeeMode.NONE
    window_labels: tuple[str, ...] = ()
    exclusions: Mapping[str, str] = field(default_factory=dict)
    reason: str = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A run with all that is known of it.

    ``states`` gives each account's own state by its owner.
    """

    run: Run
    windows: tuple[int, ...]
    exclusions: Mapping[str, str]
    accounts: tuple[Account, ...]
    states: Mapping[str, RunState]
    debts: tuple[Debt, ...]
    payments: tuple[Payment, ...]
    confirmations: tuple[Confirmation, ...]
    history: tuple[Step, ...]
    fees: tuple[RunFee, ...]
    documents: tuple[FeeDocument, ...]
    conversions: tuple[Conversion, ...]
    rates: Mapping[str, int]


def propose(env: Environment, by: Operator, wish: Wish) -> Run:
    """Take what closed windows left owing in a currency and net it; nothing is posted.

    A window without anything in that currency gives a run of zeros. Raises
    :class:`ClearingHouseError`: ``RUN_NOTHING`` when no closed window waits,
    ``CH.SEMANTIC`` for a currency or a model that is none, ``WINDOW_UNKNOWN``.
    """
    with env.database.begin("closing") as tx:
        return propose_in(tx, env, actor_named(by.name), wish)


def propose_in(tx: Connection, env: Environment, actor: str, wish: Wish) -> Run:
    """Propose a run in the caller's transaction, as :func:`propose` does."""
    _check_wish(wish)
    store.lock_runs(tx)
    now = env.clock.now()
    window_ids = _window_ids(tx, wish.window_labels)
    wanted = Wanted(
        currency=wish.currency,
        window_ids=window_ids,
        excluded=wish.exclusions.keys(),
        with_fees=wish.fees is not FeeMode.NONE,
        on=now.date(),
    )
    taken = run_amounts.gather(tx, env, wanted)
    empty = store.empty_windows(tx, wish.currency, window_ids)
    if not taken.pairs and not empty:
        raise ClearingHouseError(codes.RUN_NOTHING, _what_waits(tx, wish.currency))
    new = NewRun(
        currency=wish.currency,
        model=wish.model,
        fees=wish.fees,
        pairs=taken.pairs,
        window_ids={pair.window_id for pair in taken.pairs} | set(empty),
        exclusions=wish.exclusions,
    )
    sketch = rules.plan(0, taken.debts, model=wish.model, fees=wish.fees)
    run_id = store.insert_run(tx, new, sketch, at=now)
    fx.freeze(tx, run_id, taken.rates, taken.conversions)
    fees.insert_fees(tx, run_id, taken.fees)
    made = rules.plan(run_id, taken.debts, model=wish.model, fees=wish.fees)
    store_plan(tx, run_id, made)
    owners = [WHOLE, *(account.owner for account in made.accounts)]
    cause = Cause(wish.reason, actor, now)
    store.move(tx, run_id, owners, RunState.PENDING_SETTLEMENT, cause)
    note(tx, env, "propose run", f"run {run_id}", actor=actor)
    return found(tx, run_id)


def _what_waits(tx: Connection, currency: str) -> str:
    found = store.waiting_currencies(tx)
    others = " ".join(one for one in found if one != currency)
    if currency in found:
        text = (
            f"what waits in {currency} is of other windows, of parties left out, or is"
            " settled in another currency"
        )
        return f"{text}; more waits in {others} (--currency)" if others else text
    if others:
        return f"not in {currency}; what waits is in {others} (--currency)"
    return f"nothing in {currency} nor in another currency; see: clearinghouse run list"


def waiting_currencies(env: Environment) -> list[str]:
    """Return the currencies in which closed windows left owing what no run has."""
    with env.database.begin_read_only() as tx:
        return store.waiting_currencies(tx)


def record(env: Environment, by: Operator, run_id: int) -> Run:
    """Book a run: from here on only a reversal takes it back.

    Raises :class:`ClearingHouseError`: ``RUN_UNKNOWN``, ``RUN_STATE``; ``RUN_PROOF``
    when debts, accounts and payments differ, and nothing is booked.
    """
    return _step(env, by, run_id, RunState.RECORDED, _book)


def reserve(env: Environment, by: Operator, run_id: int) -> Run:
    """Set the payments of a run aside: they are fixed, and none is ordered yet.

    Raises as :func:`record` does.
    """
    return _step(env, by, run_id, RunState.RESERVED)


def commit(env: Environment, by: Operator, run_id: int) -> Run:
    """Let the payments of a run be ordered; from now on the bank's word settles it.

    A run without payments is then settled by hand. Raises as :func:`record` does.
    """
    return _step(env, by, run_id, RunState.COMMITTED)


def all_runs(env: Environment) -> list[Run]:
    """Return the newest runs, newest first."""
    with env.database.begin_read_only() as tx:
        return store.runs(tx)


def show(env: Environment, run_id: int) -> Shown:
    """Return all that is known of a run.

    Raises :class:`ClearingHouseError` (``RUN_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        run = found(tx, run_id)
        made = store.plan_of(tx, run_id)
        states = {
            owner: standing.state
            for owner, standing in store.standings(tx, run_id).items()
        }
        return Shown(
            run=run,
            windows=tuple(store.windows_of(tx, run_id)),
            exclusions=store.exclusions_of(tx, run_id),
            accounts=made.accounts,
            states=states,
            debts=made.debts,
            payments=tuple(run_payments.payments_of(tx, run_id)),
            confirmations=tuple(run_payments.confirmations_of(tx, run_id)),
            history=tuple(store.history(tx, run_id)),
            fees=tuple(fees.fees_of(tx, run_id)),
            documents=tuple(fees.documents_of(tx, run_id)),
            conversions=tuple(fx.conversions_of(tx, run_id)),
            rates=fx.rates_of(tx, run_id),
        )


def _check_wish(wish: Wish) -> None:
    try:
        currency_of(wish.currency)
    except AmountError as error:
        raise ClearingHouseError(codes.SEMANTIC, str(error)) from error
    if wish.fees is FeeMode.NETTED and wish.model is Model.BILATERAL:
        raise ClearingHouseError(
            codes.SEMANTIC, "fees are netted by the multilateral model only"
        )


def _window_ids(tx: Connection, labels: Sequence[str]) -> Collection[int] | None:
    if not labels:
        return None
    found = {label: settlement.window_by_label(tx, label) for label in labels}
    unknown = [label for label, window in found.items() if window is None]
    if unknown:
        raise ClearingHouseError(codes.WINDOW_UNKNOWN, " ".join(unknown))
    return {window.window_id for window in found.values() if window is not None}


def store_plan(tx: Connection, run_id: int, made: Plan) -> None:
    """Store what a run comes to, after it was proved twice.

    Raises :class:`ClearingHouseError` (``RUN_PROOF``).
    """
    broken = rules.violations(made)
    if broken:
        raise ClearingHouseError(codes.RUN_PROOF, "; ".join(broken))
    store.insert_plan(tx, run_id, made)
    differing = run_proof.disagreements(tx, run_id)
    if differing:
        raise ClearingHouseError(codes.RUN_PROOF, "; ".join(differing))


def _book(tx: Connection, env: Environment, run: Run) -> None:
    """Post conversions and fees, and book the house's invoices."""
    now = env.clock.now()
    converted = fx.conversions_of(tx, run.run_id)
    left = run_amounts.residues(converted, run.currency, fx.rates_of(tx, run.run_id))
    charged = fees.fees_of(tx, run.run_id)
    amounts = run_amounts.charged_fees(charged)
    ledger.append(
        tx,
        [
            *run_postings.conversion_postings(run.run_id, run.currency, converted),
            *run_postings.residue_postings(run.run_id, run.currency, left),
            *run_postings.fee_postings(run.run_id, run.currency, amounts),
        ],
        at=now,
    )
    foreign = [
        one
        for one in run_proof.leftovers(tx, run.run_id)
        if not one.endswith(f" {run.currency}")
    ]
    if foreign:
        raise ClearingHouseError(codes.RUN_PROOF, "; ".join(foreign))
    fee_documents.book(tx, env, run, charged)


def _no_booking(_tx: Connection, _env: Environment, _run: Run) -> None:
    """Most steps book nothing."""


def _step(
    env: Environment,
    by: Operator,
    run_id: int,
    target: RunState,
    book: Callable[[Connection, Environment, Run], None] = _no_booking,
) -> Run:
    """Move a run and all its accounts on, after it was proved anew.

    Where it stands already nothing is done: a step that was cut off may be repeated.
    """
    with env.database.begin("closing") as tx:
        run = locked(tx, run_id)
        if run.state is target:
            return run
        broken = violations(tx, run_id)
        if broken:
            raise ClearingHouseError(codes.RUN_PROOF, "; ".join(broken))
        cause = Cause(target.value.lower(), actor_named(by.name), env.clock.now())
        store.move(tx, run_id, store.standings(tx, run_id), target, cause)
        book(tx, env, run)
        note(tx, env, f"run {cause.reason}", f"run {run_id}", actor=cause.actor)
        return found(tx, run_id)


def violations(tx: Connection, run_id: int) -> list[str]:
    """Return where pairs, debts, accounts and payments of a run differ."""
    broken = list(rules.violations(store.plan_of(tx, run_id)))
    broken += run_proof.disagreements(tx, run_id)
    return broken


def locked(tx: Connection, run_id: int) -> Run:
    """Return a run that nobody else moves until this transaction ends."""
    store.lock_run(tx, run_id)
    return found(tx, run_id)


def found(tx: Connection, run_id: int) -> Run:
    """Return a run.

    Raises :class:`ClearingHouseError` (``RUN_UNKNOWN``).
    """
    run = store.run_by_id(tx, run_id)
    if run is None:
        detail = f"there is no run {run_id}; see: clearinghouse run list"
        raise ClearingHouseError(codes.RUN_UNKNOWN, detail)
    return run
