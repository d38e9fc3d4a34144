"""SDRs of which the home CSP said nothing: its silence is taken as a yes (4.3-I3).

Nobody is told: nothing changes for the submitter, which reads it in the status. The
home CSP may still dispute what it did not look at in time.
"""

from __future__ import annotations

from clearinghouse.services.environment import Environment
from clearinghouse.storage import sdr_confirmations, sdr_decisions, settlement

#: SDRs of one home CSP that one round confirms. It bounds the transaction.
CONFIRMED_MAX = 10_000


def confirm_due(env: Environment) -> int:
    """Confirm what was delivered so many days ago as the agreement gives; how many."""
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        due = sdr_confirmations.silent_csps(tx, now=now)
    count = 0
    for csp_id in due:
        with env.database.begin() as tx:
            sdr_decisions.lock_decisions(tx, csp_id)
            settlement.hold_windows(tx)
            count += sdr_confirmations.confirm_silent(
                tx, csp_id, now=now, limit=CONFIRMED_MAX
            )
    return count
