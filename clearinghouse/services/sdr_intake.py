"""SubmitSdrs: a batch of SDRs into the open window, whole or not at all (4.3-I3).

One transaction from the first record to the answer; the acknowledgement goes out after
its commit. Records come as a stream and leave in chunks, so memory does not grow with
the batch. A record that is refused is an item of the answer and the others go on; a
batch that is not what its sender declared leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange
from clearinghouse.domain.sdrs import (
    ControlTotals,
    RuleHit,
    ServiceDetailRecord,
    check_sequence,
    item_of,
)
from clearinghouse.services import sdr_gaps
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdr_batch import Batch, Counts, Unreadable
from clearinghouse.services.sdr_receipts import SignedReceipt, Taken, receipt_of
from clearinghouse.storage import messages, sdr_intake, settlement
from clearinghouse.storage import sdr_gaps as stored_gaps
from clearinghouse.telemetry import metrics

#: Records that are judged and written at a time: enough for one query to serve many,
#: few enough to weigh nothing.
CHUNK_RECORDS = 2_500

_READING = Lock()
_Indexed = tuple[int, ServiceDetailRecord | Unreadable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A batch as it arrives; ``records`` can be run through once.

    ``records`` may raise when the message turns out to be broken further on; then the
    batch was never there.
    """

    batch_sequence: int
    control: ControlTotals
    records: Iterable[ServiceDetailRecord | Unreadable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of a batch; ``items`` are bounded, ``omitted`` counts the rest."""

    batch_id: UUID
    code: Code
    counts: Counts
    items: tuple[Item, ...]
    omitted: int
    receipt: SignedReceipt


def submit_sdrs(
    env: Environment,
    exchange: Exchange,
    submission: Submission,
    render: Callable[[Submitted], bytes],
) -> bytes:
    """Take a batch of SDRs and return the answer, after everything is committed.

    An exact repeat of the message, or the same content under the same batch sequence,
    gets the stored answer. Raises :class:`ClearingHouseError`, with nothing stored:
    ``SDR_BATCH_SEQUENCE`` for a gap or other content under a known sequence (B-004),
    ``SDR_BATCH_CONTROL`` for control totals that differ (B-003),
    ``SDR_BATCH_ENTITLED`` for a CSO that the sender does not speak for (B-005), and
    what :func:`~clearinghouse.storage.messages.claim` raises.
    """
    try:
        return _submit(env, exchange, submission, render)
    except SequenceError as error:
        # Nothing of the batch is stored; that one before it is missing has to be seen.
        sdr_gaps.note_refused(
            env,
            exchange.sender.participant_id,
            expected=error.expected,
            found=submission.batch_sequence,
            at=exchange.received_at,
        )
        raise


class SequenceError(ClearingHouseError):
    """A batch that came before the one with the number ``expected``."""

    def __init__(self, hit: RuleHit, expected: int) -> None:
        super().__init__(hit.code, items=(item_of(hit),))
        self.expected = expected


def _submit(
    env: Environment,
    exchange: Exchange,
    submission: Submission,
    render: Callable[[Submitted], bytes],
) -> bytes:
    with env.database.begin("bulk") as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        sdr_intake.lock_submitter(tx, exchange.sender.participant_id)
        answer = _repeated(tx, exchange, submission)
        counts = Counts()
        if answer is None:
            submitted = _take(env, tx, exchange, submission)
            answer, counts = render(submitted), submitted.counts
        messages.remember(tx, exchange, answer, at=env.clock.now())
    _count(counts)
    return answer


def _repeated(
    tx: Connection, exchange: Exchange, submission: Submission
) -> bytes | None:
    """Return the answer to a batch that was taken before, ``None`` for the next one."""
    submitter_id = exchange.sender.participant_id
    last = sdr_intake.last_sequence(tx, submitter_id)
    hit = check_sequence(last, submission.batch_sequence)
    if hit is None:
        return None
    known = sdr_intake.stored_batch(tx, submitter_id, submission.batch_sequence)
    if known is not None and known.answer and known.digest == exchange.digest:
        return known.answer
    expected = (last or 0) + 1
    if submission.batch_sequence > expected:
        raise SequenceError(hit, expected)
    raise ClearingHouseError(hit.code, items=(item_of(hit),))


def _take(
    env: Environment, tx: Connection, exchange: Exchange, submission: Submission
) -> Submitted:
    window = settlement.join_open_window(tx)
    last = stored_gaps.last_batch_at(tx, exchange.sender.participant_id)
    batch = Batch(env, tx, exchange, window.window_id)
    records = enumerate(submission.records)
    while chunk := _next_chunk(records):
        batch.take(chunk)
    batch.check(submission.control)
    batch.finish(submission.batch_sequence)
    items, omitted = batch.items()
    hours = env.limits.batch_silence_hours
    items = (
        *sdr_gaps.remark_on(last, at=exchange.received_at, hours=hours),
        *items,
    )
    counts = batch.counts
    taken = Taken(
        batch_id=batch.batch_id,
        batch_sequence=submission.batch_sequence,
        accepted=counts.accepted,
        held=counts.held,
        refused=counts.refused,
        duplicates=counts.duplicates,
        root=batch.root(),
    )
    return Submitted(
        batch_id=batch.batch_id,
        code=_code(batch.counts, items),
        counts=batch.counts,
        items=items,
        omitted=omitted,
        receipt=receipt_of(env, tx, exchange, taken),
    )


def _next_chunk(records: Iterator[_Indexed]) -> list[_Indexed]:
    """Read the next records; one batch at a time, which costs the processors less.

    Parser and schema let other threads run in the midst of each record. Two batches
    that are both being read would wait for each other thousands of times.
    """
    with _READING:
        return list(islice(records, CHUNK_RECORDS))


def _code(counts: Counts, items: tuple[Item, ...]) -> Code:
    if counts.refused or counts.held:
        return codes.PARTLY
    return codes.SDR_WARNING if items else codes.OK


def _count(counts: Counts) -> None:
    for outcome, number in (
        ("accepted", counts.accepted),
        ("held", counts.held),
        ("refused", counts.refused),
        ("duplicate", counts.duplicates),
    ):
        metrics.SDRS.labels(outcome).inc(number)
