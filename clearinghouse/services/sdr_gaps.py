"""Missing batches of SDRs: an alarm when one does not come in time (rule B-004).

A submitter numbers its batches without gap, and sends an empty one when it has nothing
to send: so nothing can get lost without being seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from clearinghouse import codes
from clearinghouse.domain.errors import Item
from clearinghouse.services.environment import Environment
from clearinghouse.storage import sdr_gaps
from clearinghouse.storage.sdr_gaps import Alarm
from clearinghouse.telemetry import logging
from clearinghouse.telemetry.metrics import SDR_ALARMS

#: Alarms that are written to the log in one look; the metrics count all.
LOGGED_MAX = 100

_log = logging.logger(__name__)


def missing(env: Environment) -> Sequence[Alarm]:
    """Return the batches that should be here, the oldest first."""
    now = env.clock.now()
    since = now - timedelta(hours=env.limits.batch_silence_hours)
    with env.database.begin_read_only() as tx:
        return sdr_gaps.alarms(tx, now=now, since=since)


def watch(env: Environment) -> int:
    """Raise an alarm for each missing batch, in metrics and log; nothing is changed."""
    found = missing(env)
    counted = Counter(alarm.kind for alarm in found)
    for kind in ("GAP", "SILENCE"):
        SDR_ALARMS.labels(kind).set(counted[kind])
    for alarm in found[:LOGGED_MAX]:
        _log.warning(
            "sdr_batch_missing",
            kind=alarm.kind,
            party_id=alarm.party_id,
            since=alarm.since.isoformat(),
            expected=alarm.expected,
            found=alarm.found,
        )
    return 0


def note_refused(
    env: Environment, submitter_id: int, *, expected: int, found: int, at: datetime
) -> None:
    """Note a batch that was refused because another one is missing."""
    with env.database.begin() as tx:
        sdr_gaps.note_gap(tx, submitter_id, expected=expected, found=found, at=at)


def remark_on(last: datetime | None, *, at: datetime, hours: int) -> tuple[Item, ...]:
    """Return what to tell a submitter of the time since its last batch."""
    if last is None or at - last <= timedelta(hours=hours):
        return ()
    silent_hours = (at - last) // timedelta(hours=1)
    item = Item(
        code=codes.SDR_BATCH_LATE,
        path="batchSequence",
        expected=f"a batch within {hours} hours, an empty one if need be",
        found=f"the first after {silent_hours} hours",
    )
    return (item,)
