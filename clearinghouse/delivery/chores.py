"""What is done now and then: timers of the rules, and putting away what is over.

Each chore may run in any number of workers at once: it does what is due and finds
nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from clearinghouse.domain.outbox import DeliveryState
from clearinghouse.services import (
    access,
    agreements,
    balances,
    debit_caps,
    disputes,
    evse_status,
    held_sdrs,
    invoices,
    sdr_confirmations,
    sdr_gaps,
    seals,
    sessions,
    statements,
    unposted_money,
)
from clearinghouse.services.environment import Environment
from clearinghouse.storage import outbox
from clearinghouse.telemetry.metrics import (
    OUTBOX_DELIVERIES,
    OUTBOX_OLDEST_SECONDS,
)

#: How long a delivery that was taken is kept, for questions about it.
DONE_KEPT = timedelta(days=30)

#: Statements that a process left undone when it closed a window are issued this late.
STATEMENTS_SECONDS = 60
#: A closed window is sealed this late.
SEALS_SECONDS = 60
#: Authorized sessions and stale statuses are ended this long after their time.
EXPIRY_SECONDS = 5
#: Partners are told this late that an agreement began or ended.
TURNS_SECONDS = 60
#: The gauge of the oldest delivery is this old at most.
GAUGE_SECONDS = 10
#: Disputes in which nobody spoke are ended this late; their terms are days.
DISPUTES_SECONDS = 300
#: SDRs that nobody decided of are put away this late.
HELD_SECONDS = 600
#: Held SDRs are taken in this late when the session that they missed is known.
REMATCH_SECONDS = 60
#: SDRs that a net debit cap held are taken in this late when there is room again.
ADMIT_SECONDS = 60
#: That a net debit cap is nearly used up is told this late, and again as often.
CAPS_SECONDS = 60
#: SDRs of which the home CSP says nothing count as confirmed this late.
CONFIRM_SECONDS = 3600
#: New postings are in a snapshot this late; as often one block is derived again.
BALANCES_SECONDS = 60
#: That a batch of SDRs is missing is told this late, and again as often.
GAPS_SECONDS = 600
#: Money that is posted nowhere is told this late, and again as often.
MONEY_SECONDS = 600
#: Tokens and deliveries that are over lie about this long at most.
PUTTING_AWAY_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """Something done every so many seconds; ``run`` returns how much there was."""

    name: str
    every_seconds: int
    run: Callable[[Environment], int]


def forget_done(env: Environment) -> int:
    """Delete deliveries that were done long ago."""
    with env.database.begin() as tx:
        return outbox.forget_done(tx, before=env.clock.now() - DONE_KEPT)


def measure_outbox(env: Environment) -> int:
    """Tell the metrics how much waits, how long already, and what was given up."""
    with env.database.begin_read_only() as tx:
        queues = outbox.queues(tx)
    waiting = [one.oldest_ready_at for one in queues if one.oldest_ready_at is not None]
    now = env.clock.now()
    oldest = now - min(waiting, default=now)
    age_seconds = max(0, oldest // timedelta(seconds=1))
    OUTBOX_OLDEST_SECONDS.labels(DeliveryState.READY).set(age_seconds)
    counts = {
        DeliveryState.READY: sum(one.ready for one in queues),
        DeliveryState.RUNNING: sum(one.running for one in queues),
        DeliveryState.DEAD: sum(one.dead for one in queues),
    }
    for state, count in counts.items():
        OUTBOX_DELIVERIES.labels(state).set(count)
    return 0


CHORES = (
    Chore(
        name="expire_sessions", every_seconds=EXPIRY_SECONDS, run=sessions.expire_due
    ),
    Chore(
        name="expire_statuses",
        every_seconds=EXPIRY_SECONDS,
        run=evse_status.expire_statuses,
    ),
    Chore(
        name="announce_agreements",
        every_seconds=TURNS_SECONDS,
        run=agreements.announce_turns,
    ),
    Chore(name="end_disputes", every_seconds=DISPUTES_SECONDS, run=disputes.end_due),
    Chore(
        name="expire_held_sdrs",
        every_seconds=HELD_SECONDS,
        run=held_sdrs.expire_due,
    ),
    Chore(
        name="rematch_held_sdrs",
        every_seconds=REMATCH_SECONDS,
        run=held_sdrs.rematch_due,
    ),
    Chore(name="admit_held_sdrs", every_seconds=ADMIT_SECONDS, run=held_sdrs.admit_due),
    Chore(name="watch_debit_caps", every_seconds=CAPS_SECONDS, run=debit_caps.watch),
    Chore(
        name="confirm_silent_sdrs",
        every_seconds=CONFIRM_SECONDS,
        run=sdr_confirmations.confirm_due,
    ),
    Chore(name="watch_batches", every_seconds=GAPS_SECONDS, run=sdr_gaps.watch),
    Chore(
        name="watch_unposted_money",
        every_seconds=MONEY_SECONDS,
        run=unposted_money.watch,
    ),
    Chore(name="measure_outbox", every_seconds=GAUGE_SECONDS, run=measure_outbox),
    Chore(
        name="issue_statements",
        every_seconds=STATEMENTS_SECONDS,
        run=statements.issue_pending,
    ),
    Chore(
        name="snapshot_balances",
        every_seconds=BALANCES_SECONDS,
        run=balances.snapshot,
    ),
    Chore(
        name="derive_balances",
        every_seconds=BALANCES_SECONDS,
        run=balances.derive_next,
    ),
    Chore(
        name="issue_invoices",
        every_seconds=STATEMENTS_SECONDS,
        run=invoices.issue_pending,
    ),
    Chore(name="seal_windows", every_seconds=SEALS_SECONDS, run=seals.seal_pending),
    Chore(
        name="forget_tokens",
        every_seconds=PUTTING_AWAY_SECONDS,
        run=access.forget_expired_tokens,
    ),
    Chore(
        name="forget_deliveries", every_seconds=PUTTING_AWAY_SECONDS, run=forget_done
    ),
)
