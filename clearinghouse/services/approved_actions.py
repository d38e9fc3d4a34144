"""The acts that need two operators, each with the function that does it.

To add one: a function that takes the transaction, the environment and the approval,
checks that the act is still possible, does it, and says in one line what it came to;
and a line here under the action that its request names.
"""

from __future__ import annotations

from collections.abc import Mapping

from clearinghouse.services import (
    billing,
    disputes,
    operators,
    payments,
    run_undoing,
)
from clearinghouse.services.approvals import Executor

EXECUTORS: Mapping[str, Executor] = {
    operators.ADD: operators.add_approved,
    disputes.DECIDE: disputes.decide_approved,
    billing.SET: billing.set_approved,
    payments.SET_MANDATE: payments.mandate_approved,
    run_undoing.ABORT: run_undoing.abort_approved,
    run_undoing.REVERSE: run_undoing.reverse_approved,
}
