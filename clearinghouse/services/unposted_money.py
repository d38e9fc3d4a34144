"""Money that the bank moved and no run expects: kept, told, never posted (2.9, 2.10).

A payment that comes back when its run is settled, one that is made twice, or money for
a run that was given up. It is told until what the bank says of the payment adds up.
"""

from __future__ import annotations

from collections.abc import Sequence

from clearinghouse.services.environment import Environment
from clearinghouse.storage import run_payments
from clearinghouse.storage.run_payments import Unposted
from clearinghouse.telemetry import logging
from clearinghouse.telemetry.metrics import UNPOSTED_MONEY

#: Payments that are written to the log in one look; the metrics count all there are.
LOGGED_MAX = 100

_log = logging.logger(__name__)


def unposted(env: Environment) -> Sequence[Unposted]:
    """Return the payments of which money is posted nowhere, the oldest first.

    As many as one list holds (``UNPOSTED_MAX``); :func:`count` knows of all.
    """
    with env.database.begin_read_only() as tx:
        return run_payments.unposted(tx)


def count(env: Environment) -> int:
    """Return of how many payments money is posted nowhere."""
    with env.database.begin_read_only() as tx:
        return sum(run_payments.unposted_counts(tx))


def watch(env: Environment) -> int:
    """Raise an alarm for each such payment, in metrics and log; nothing is changed."""
    with env.database.begin_read_only() as tx:
        lacking, too_much = run_payments.unposted_counts(tx)
        found = run_payments.unposted(tx)
    UNPOSTED_MONEY.labels("LACKING").set(lacking)
    UNPOSTED_MONEY.labels("TOO_MUCH").set(too_much)
    for one in found[:LOGGED_MAX]:
        _log.warning(
            "money_posted_nowhere",
            run=one.run_id,
            end_to_end_id=one.end_to_end_id,
            currency=one.currency,
            amount_minor=one.unposted_minor,
            booked_at=one.booked_at.isoformat(),
        )
    return 0
