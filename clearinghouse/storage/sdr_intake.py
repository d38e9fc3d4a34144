"""Writing a batch of SDRs: finished rows by COPY, in the caller's one transaction.

Rows go straight into the open window's partition; nothing is written twice and nothing
is changed afterwards. The rows of a batch come before the batch itself, whose counts
are known at its end.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, text

from clearinghouse.domain.clock import instant_text
from clearinghouse.domain.errors import Item
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.sdr_rows import Spelled, spelled
from clearinghouse.domain.sdrs import RULE_VERSION, MatchKind, SdrKind
from clearinghouse.domain.sessions import SDR_STATES
from clearinghouse.domain.vat import VatCategory
from clearinghouse.storage.database import Database, copied_text
from clearinghouse.storage.tables.messages import message
from clearinghouse.storage.tables.sdrs import (
    batch_total,
    refused_sdr,
    rule_hit,
    sdr,
    sdr_batch,
    sdr_key,
)

#: First half of the key of the lock that lets one batch per submitter run at a time:
#: sequence numbers and duplicates are judged against what is committed.
SUBMITTER_LOCK = 73_119_012

#: No value, and the beginning of bytes, in a line of COPY's text format.
_NULL = r"\N"
_BYTES = r"\\x"

_LOCK = text("SELECT pg_advisory_xact_lock(:space, :submitter_id)")
_DRAW = text("""
    SELECT array_agg(nextval('clearing.sdr_no_seq')) FROM generate_series(1, :count)
""")
_HOLD = text("""
    SELECT FROM clearing.session WHERE session_id = ANY (CAST(:ids AS uuid[]))
    ORDER BY session_id FOR NO KEY UPDATE
""")
_MARK = text("""
    UPDATE clearing.session
    SET state = 'SDR_RECEIVED', valid_until = NULL,
        changed_xid = pg_current_xact_id(),
        change_id = nextval('clearing.change_seq')
    WHERE session_id = ANY (CAST(:ids AS uuid[]))
      AND state = ANY (CAST(:states AS text[]))
""")


class NewSdr(NamedTuple):
    """One row of ``clearing.sdr``.

    ``change_id`` is ``sdr_no``: two numbers name a stretch of a batch in a delivery.
    ``leaf``: of the canonical row, which is made of the others and so stands last;
    without one it is made when the window is sealed.
    ``agreement_id`` names the version of the agreement whose terms judged it, and
    ``rule_version`` that of the rule catalogue.
    """

    window_id: int
    sdr_no: int
    submitter_id: int
    sdr_uid: str
    csp_id: int
    cso_id: int
    batch_id: UUID | str
    record_no: int
    status: str
    session_id: UUID | str | None
    subject_id: int | None
    evse_key: str
    started_at: datetime
    ended_at: datetime
    start_offset_minutes: int
    energy_wh: int
    charge_seconds: int
    idle_seconds: int
    parking_seconds: int
    tariff_version_id: int
    engine_version: int
    currency: str
    net_minor: int
    claimed_minor: int
    rule_codes: str
    content_digest: bytes
    detail: str
    received_at: datetime
    change_id: int
    vat_category: str = VatCategory.OUTSIDE.value
    vat_rate_bp: int = 0
    vat_rule_id: int = 0
    place_country: str = ""
    kind: str = SdrKind.ORIGINAL.value
    ref_window_id: int | None = None
    ref_sdr_no: int | None = None
    agreement_id: int | None = None
    rule_version: int = RULE_VERSION
    match_kind: str = MatchKind.NONE
    leaf: bytes = b""


class NewKey(NamedTuple):
    """The identity of a stored SDR, for ever."""

    submitter_id: int
    uid_hash: bytes
    content_digest: bytes
    window_id: int
    sdr_no: int


class NewHit(NamedTuple):
    """One rule that a stored SDR met."""

    window_id: int
    sdr_no: int
    rule: str
    code: int
    severity: str
    path: str
    expected: str
    found: str


class NewRefusal(NamedTuple):
    """A record that was not taken, with the reasons as JSON text."""

    batch_id: UUID
    record_no: int
    submitter_id: int
    sdr_uid: str
    csp_party: str | None
    rule_codes: str
    items: str
    energy_wh: int | None
    claimed_minor: int | None
    currency: str | None
    received_at: datetime


class NewTotal(NamedTuple):
    """What a batch adds to the claim of its window, per CSP, currency and VAT.

    ``kind`` is that of the document on which it will stand.
    """

    window_id: int
    batch_id: UUID | str
    csp_id: int
    submitter_id: int
    currency: str
    sdr_count: int
    energy_wh: int
    net_minor: int
    kind: str = DocumentKind.INVOICE.value
    vat_category: str = VatCategory.OUTSIDE.value
    vat_rate_bp: int = 0
    vat_rule_id: int = 0
    place_country: str = ""


class NewBatch(NamedTuple):
    """A batch with what became of its records."""

    batch_id: UUID
    submitter_id: int
    batch_sequence: int
    message_id: UUID
    digest: bytes
    window_id: int
    accepted: int
    held: int
    refused: int
    duplicates: int
    energy_wh: int
    received_at: datetime
    root: bytes | None = None


class StoredBatch(NamedTuple):
    """A batch that was taken before: its digest, and what its sender was told."""

    batch_id: UUID
    digest: bytes
    answer: bytes | None


def lock_submitter(tx: Connection, submitter_id: int) -> None:
    """Wait until no other batch of this submitter runs, until this transaction ends."""
    tx.execute(_LOCK, {"space": SUBMITTER_LOCK, "submitter_id": submitter_id})


def last_sequence(tx: Connection, submitter_id: int) -> int | None:
    """Return the number of the submitter's last batch."""
    query = select(func.max(sdr_batch.c.batch_sequence)).where(
        sdr_batch.c.submitter_id == submitter_id
    )
    last: int | None = tx.execute(query).scalar_one()
    return last


def stored_batch(
    tx: Connection, submitter_id: int, batch_sequence: int
) -> StoredBatch | None:
    """Return a batch that was taken before, with the answer its sender got."""
    query = (
        select(sdr_batch.c.batch_id, sdr_batch.c.digest, message.c.answer)
        .outerjoin(
            message,
            (message.c.participant_id == sdr_batch.c.submitter_id)
            & (message.c.message_id == sdr_batch.c.message_id),
        )
        .where(
            sdr_batch.c.submitter_id == submitter_id,
            sdr_batch.c.batch_sequence == batch_sequence,
        )
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else StoredBatch(row.batch_id, row.digest, row.answer)


def draw_numbers(tx: Connection, count: int) -> Sequence[int]:
    """Draw the numbers of so many SDRs, ascending; gaps mean nothing here."""
    drawn: list[int] = tx.execute(_DRAW, {"count": count}).scalar_one()
    return drawn


def copy_sdrs(tx: Connection, rows: Iterable[NewSdr]) -> None:
    """Add SDRs to their window."""
    copy_sdr_lines(tx, [sdr_line(row, spelled_of(row), row.leaf) for row in rows])


def copy_sdr_lines(tx: Connection, lines: Collection[str]) -> None:
    """Add SDRs to their window, each as :func:`sdr_line` writes it."""
    Database.copy_lines(tx, sdr, NewSdr._fields, lines)


def copy_keys(tx: Connection, rows: Iterable[NewKey]) -> None:
    """Take the ids of SDRs."""
    copy_key_lines(tx, [key_line(*row) for row in rows])


def copy_key_lines(tx: Connection, lines: Iterable[str]) -> None:
    """Take the ids of SDRs; in the order of their index, which then grows in steps.

    Lines of one submitter, as :func:`key_line` writes them, stand in that order.
    """
    Database.copy_lines(tx, sdr_key, NewKey._fields, sorted(lines))


def copy_hits(tx: Connection, rows: Iterable[NewHit]) -> None:
    """Keep which rules stored SDRs met."""
    Database.copy(tx, rule_hit, NewHit._fields, rows)


def copy_refusals(tx: Connection, rows: Iterable[NewRefusal]) -> None:
    """Keep what was refused, and why."""
    Database.copy(tx, refused_sdr, NewRefusal._fields, rows)


def copy_totals(tx: Connection, rows: Iterable[NewTotal]) -> None:
    """Add to the claim of a window."""
    Database.copy(tx, batch_total, NewTotal._fields, rows)


def insert_batch(tx: Connection, batch: NewBatch) -> None:
    """Book a batch."""
    tx.execute(insert(sdr_batch).values(batch._asdict()))


def lock_sessions(tx: Connection, session_ids: Collection[UUID]) -> None:
    """Wait until nobody else gives these sessions an SDR, until the end of this one."""
    if session_ids:
        ids = ",".join([session_id.hex for session_id in session_ids])
        tx.execute(_HOLD, {"ids": f"{{{ids}}}"})


def mark_sessions(tx: Connection, session_ids: Collection[UUID]) -> int:
    """Let sessions have their SDR; return how many moved."""
    if not session_ids:
        return 0
    ids = ",".join([session_id.hex for session_id in session_ids])
    states = [state.value for state in SDR_STATES]
    place = {"ids": f"{{{ids}}}", "states": states}
    return tx.execute(_MARK, place).rowcount


def spelled_of(row: NewSdr) -> Spelled:
    """Write what a row and its canonical row hold alike."""
    return spelled(row, (instant_text(row.started_at), instant_text(row.ended_at)))


def sdr_line(row: NewSdr, texts: Spelled, leaf: bytes) -> str:
    """Return a row as COPY reads it, its fields in the order of the class.

    ``texts``: the parts that are written already; ``leaf`` is made of the row, so that
    it may be known later than the row.
    """
    origin, figures, vat, (started, ended) = texts
    session_id, subject_id = row.session_id, row.subject_id
    return (
        f"{row.window_id}\t{row.sdr_no}\t{row.submitter_id}\t"
        f"{copied_text(row.sdr_uid)}\t{row.csp_id}\t{row.cso_id}\t{origin}\t"
        f"{_NULL if session_id is None else session_id}\t"
        f"{_NULL if subject_id is None else subject_id}\t"
        f"{copied_text(row.evse_key)}\t{started}\t{ended}\t{figures}\t"
        f"{row.net_minor}\t{row.claimed_minor}\t{row.rule_codes}\t"
        f"{_BYTES}{row.content_digest.hex()}\t{copied_text(row.detail)}\t"
        f"{instant_text(row.received_at)}\t{row.change_id}\t{vat}\t{row.kind}\t"
        f"{_NULL if row.ref_window_id is None else row.ref_window_id}\t"
        f"{_NULL if row.ref_sdr_no is None else row.ref_sdr_no}\t"
        f"{row.agreement_id or _NULL}\t{row.rule_version}\t{row.match_kind}\t"
        f"{_BYTES + leaf.hex() if leaf else _NULL}\n"
    )


def key_line(
    submitter_id: int,
    uid_hash: bytes,
    content_digest: bytes,
    window_id: int,
    sdr_no: int,
) -> str:
    """Return a row of :class:`NewKey` as COPY reads it."""
    return (
        f"{submitter_id}\t{_BYTES}{uid_hash.hex()}\t"
        f"{_BYTES}{content_digest.hex()}\t{window_id}\t{sdr_no}\n"
    )


def items_as_json(items: Iterable[Item]) -> str:
    """Return the reasons for a refusal as they are kept with the record."""
    return json.dumps(
        [
            {
                "rule": item.rule,
                "version": item.rule_version,
                "code": item.code.number,
                "path": item.path,
                "expected": item.expected,
                "found": item.found,
            }
            for item in items
        ],
        ensure_ascii=False,
    )
