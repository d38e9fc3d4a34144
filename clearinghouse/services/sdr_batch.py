"""One batch on its way in: judging its chunks, writing what comes of them.

Holds sums and a bounded list of remarks; records pass through and are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Exchange
from clearinghouse.domain.merkle import Builder
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.sdr_facts import Judgement, Outcome
from clearinghouse.domain.sdr_rules import judge
from clearinghouse.domain.sdrs import (
    ControlTotals,
    RuleHit,
    SdrKind,
    ServiceDetailRecord,
    TotalsCounter,
    check_control,
    check_entitled,
    item_of,
)
from clearinghouse.services import sdr_delivery, sdr_remarks
from clearinghouse.services.corrections import Identity, document_of, mirror_of
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdr_candidates import Candidate
from clearinghouse.services.sdr_facts import Knowledge
from clearinghouse.services.sdr_rows import (
    BatchPlace,
    Written,
    hit_row,
    is_announced,
    is_matched,
    is_note,
    rule_codes,
    sdr_row,
)
from clearinghouse.services.signed_values import Signed
from clearinghouse.storage import corrections, sdr_intake
from clearinghouse.storage.corrections import Link
from clearinghouse.storage.sdr_intake import (
    NewBatch,
    NewHit,
    NewRefusal,
    NewSdr,
    NewTotal,
    key_line,
    sdr_line,
    spelled_of,
)
from clearinghouse.storage.sdrs import Place

#: Items of one answer (contract: Result). What is left out can be asked for.
ITEMS_MAX = 1_000

#: Rule hits that are kept of one record: what an answer may hold of them.
HITS_MAX = 40

#: Ids of batches are made in this name space, of the sender and its message id.
_BATCHES = UUID("0d5f3a52-6a1e-5b8e-8c57-2f1b6b7d4e19")


_INVOICE = DocumentKind.INVOICE.value
_Readable = tuple[int, ServiceDetailRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record that the schema refuses; ``sdr_id`` where that much could be read."""

    sdr_id: str | None
    items: tuple[Item, ...]


@dataclass(slots=True)
class Counts:
    """What became of the records of a batch."""

    accepted: int = 0
    held: int = 0
    refused: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _Rows:
    """What a chunk writes."""

    sdrs: list[str]
    keys: list[str]
    hits: list[NewHit]
    refusals: list[NewRefusal]
    sessions: list[UUID]
    links: list[Link]
    signed: Signed


class Batch:
    """One batch in its transaction. Call take, then check, then finish."""

    def __init__(
        self, env: Environment, tx: Connection, exchange: Exchange, window_id: int
    ) -> None:
        self.batch_id = _batch_id(exchange)
        self.counts = Counts()
        self._env = env
        self._tx = tx
        self._exchange = exchange
        self._submitter_id = exchange.sender.participant_id
        self._window_id = window_id
        self._place = BatchPlace(
            str(self.batch_id),
            window_id,
            self._submitter_id,
            exchange.sender.party_id,
            exchange.received_at,
        )
        self._leaves = Builder()
        self._knowledge = Knowledge(env, tx, exchange.sender)
        self._counter = TotalsCounter()
        self._unreadable = 0
        self._readable = 0
        self._in_whole_minutes = True
        self._energy_wh = 0
        self._totals: dict[tuple[int, str, str, str, int, int, str], list[int]] = {}
        self._pieces = sdr_delivery.Pieces()
        self._grave: list[Item] = []
        self._light: list[Item] = []
        self._items = 0

    def take(
        self, chunk: Sequence[tuple[int, ServiceDetailRecord | Unreadable]]
    ) -> None:
        """Judge the next records and write them.

        A correction sees what it refers to as it is stored: what stands before it in
        the batch is written first.

        Raises :class:`ClearingHouseError` (B-005) for a record of a CSO that the sender
        does not speak for: it was not to be in the batch at all.
        """
        rows = _Rows([], [], [], [], [], [], Signed())
        readable: list[_Readable] = []
        for index, record in chunk:
            if isinstance(record, Unreadable):
                self._refuse_unreadable(rows, index, record)
            else:
                readable.append((index, record))
                if self._in_whole_minutes:
                    self._in_whole_minutes = sdr_remarks.is_in_whole_minutes(record)
        self._require_entitled(readable)
        self._readable += len(readable)
        self._counter.add_all([record for _, record in readable])
        for run in _runs(readable):
            self._judge(rows, run)
            self._write(rows)
            rows = _Rows([], [], [], [], [], [], Signed())
        self._write(rows)

    def check(self, declared: ControlTotals) -> None:
        """Compare the control totals (B-003).

        Of a record that cannot be read only the number is known: with one in the batch
        the sums are not compared. Raises :class:`ClearingHouseError`
        (``SDR_BATCH_CONTROL``) with what was expected and found.
        """
        counted = self._counter.totals()
        if self._unreadable:
            count = counted.count + self._unreadable
            counted = replace(declared, count=count)
        hits = check_control(declared, counted)
        if hits:
            items = tuple(item_of(hit) for hit in hits)
            raise ClearingHouseError(codes.SDR_BATCH_CONTROL, items=items)

    def finish(self, batch_sequence: int) -> None:
        """Book the batch, its claim, and the deliveries to the home CSPs."""
        counts, at = self.counts, self._exchange.received_at
        sdr_intake.insert_batch(
            self._tx,
            NewBatch(
                batch_id=self.batch_id,
                submitter_id=self._submitter_id,
                batch_sequence=batch_sequence,
                message_id=self._exchange.message_id,
                digest=self._exchange.digest,
                window_id=self._window_id,
                accepted=counts.accepted,
                held=counts.held,
                refused=counts.refused,
                duplicates=counts.duplicates,
                energy_wh=self._energy_wh,
                received_at=at,
                root=self._leaves.root(),
            ),
        )
        sdr_intake.copy_totals(self._tx, self._claims())
        sdr_delivery.queue_pieces(
            self._tx, self._pieces.all, self.batch_id, self._window_id, at=at
        )

    def root(self) -> bytes:
        """Return the root over what is stored of the batch, in the records' order."""
        return self._leaves.root()

    def items(self) -> tuple[tuple[Item, ...], int]:
        """Return what to tell of the batch and single records; how many are left out.

        What was refused or held goes before remarks; the order is the batch's.
        """
        if self._in_whole_minutes and self._readable >= sdr_remarks.WHOLE_MINUTES_FROM:
            self._tell((sdr_remarks.whole_minutes(self._readable),), grave=False)
        room = ITEMS_MAX - len(self._grave)
        told = [*self._grave, *self._light[:room]]
        told.sort(key=lambda item: item.index or 0)
        return tuple(told), self._items - len(told)

    def _require_entitled(self, readable: Sequence[_Readable]) -> None:
        sender, collects = self._exchange.sender, self._knowledge.collects
        found = check_entitled(sender, readable, collects)
        if found is not None:
            index, hit = found
            raise ClearingHouseError(hit.code, items=(item_of(hit, index),))

    def _refuse_unreadable(self, rows: _Rows, index: int, record: Unreadable) -> None:
        self._unreadable += 1
        self.counts.refused += 1
        items = tuple(replace(item, index=index) for item in record.items[:HITS_MAX])
        self._tell(items, grave=True)
        rows.refusals.append(
            NewRefusal(
                batch_id=self.batch_id,
                record_no=index,
                submitter_id=self._submitter_id,
                sdr_uid=record.sdr_id or "",
                csp_party=None,
                rule_codes="",
                items=sdr_intake.items_as_json(items),
                energy_wh=None,
                claimed_minor=None,
                currency=None,
                received_at=self._exchange.received_at,
            )
        )

    def _judge(self, rows: _Rows, readable: Sequence[_Readable]) -> None:
        candidates = self._knowledge.gather(readable)
        numbers = iter(sdr_intake.draw_numbers(self._tx, len(candidates)))
        for candidate in candidates:
            facts = self._knowledge.refresh(candidate)
            found = judge(candidate.record, facts, candidate.period)
            match found.outcome:
                case Outcome.DUPLICATE:
                    self.counts.duplicates += 1
                    self._tell((sdr_remarks.duplicate(candidate.index),), grave=False)
                case Outcome.REFUSED:
                    self._refuse(rows, candidate, found)
                case Outcome.ACCEPTED if candidate.record.kind is SdrKind.CREDIT:
                    self._credit(rows, candidate, found, next(numbers))
                    self._knowledge.note_id(candidate, found.content_digest)
                case Outcome.ACCEPTED | Outcome.HELD:
                    served = self._store(rows, candidate, found, next(numbers))
                    digest = found.content_digest
                    self._knowledge.note_taken(candidate, digest, served=served)

    def _refuse(self, rows: _Rows, candidate: Candidate, found: Judgement) -> None:
        self.counts.refused += 1
        record, hits = candidate.record, found.hits[:HITS_MAX]
        items = tuple(item_of(hit, candidate.index) for hit in hits)
        self._tell(items, grave=True)
        rows.refusals.append(
            NewRefusal(
                batch_id=self.batch_id,
                record_no=candidate.index,
                submitter_id=self._submitter_id,
                sdr_uid=record.sdr_id,
                csp_party=record.csp_id,
                rule_codes=rule_codes(hits),
                items=sdr_intake.items_as_json(items),
                energy_wh=found.energy_wh,
                claimed_minor=found.claimed_minor,
                currency=record.currency,
                received_at=self._exchange.received_at,
            )
        )

    def _store(
        self, rows: _Rows, candidate: Candidate, found: Judgement, sdr_no: int
    ) -> UUID | None:
        """Write what was taken; return the session that it ended."""
        hits = found.hits
        if hits:
            # Notes stand last: they must not push out what the submitter is told.
            hits = tuple(sorted(hits, key=is_note))[:HITS_MAX]
        written = sdr_row(candidate, found, sdr_no, self._place)
        row = written.row
        self._add_row(rows, written, candidate)
        if hits:
            rows.hits.extend(hit_row(self._window_id, sdr_no, hit) for hit in hits)
            told = [hit for hit in hits if not is_note(hit)]
            items = tuple(item_of(hit, candidate.index) for hit in told)
            self._tell(items, grave=found.outcome is Outcome.HELD)
        if found.evidence:
            rows.signed.add(candidate, found, Place(self._window_id, sdr_no))
        served = self._served(candidate, found)
        if served is not None and not candidate.reopened:
            rows.sessions.append(served)
        if found.outcome is Outcome.HELD:
            self.counts.held += 1
            if is_announced(hits):
                self._deliver(row, candidate, hits)
        else:
            self._accept(rows, row, candidate, hits)
        return served

    def _credit(
        self, rows: _Rows, candidate: Candidate, found: Judgement, sdr_no: int
    ) -> None:
        """Write a credit: the row of what it cancels, with the signs turned."""
        if candidate.reference is None:
            raise ClearingHouseError(codes.INTERNAL, "a credit of nothing")
        identity = Identity(
            place=Place(self._window_id, sdr_no),
            sdr_uid=candidate.record.sdr_id,
            batch_id=self.batch_id,
            record_no=candidate.index,
            content_digest=found.content_digest,
            received_at=self._exchange.received_at,
        )
        row = mirror_of(self._tx, candidate.reference.place, identity)
        line = sdr_line(row, spelled_of(row), row.leaf)
        written = Written(row, row.leaf, line)
        self._add_row(rows, written, candidate)
        self._accept(rows, row, candidate, ())

    def _add_row(self, rows: _Rows, written: Written, candidate: Candidate) -> None:
        row, leaf, line = written
        rows.sdrs.append(line)
        self._leaves.add(leaf)
        self._energy_wh += row.energy_wh
        rows.keys.append(
            key_line(
                self._submitter_id,
                candidate.uid_hash,
                row.content_digest,
                self._window_id,
                row.sdr_no,
            )
        )

    def _accept(
        self,
        rows: _Rows,
        row: NewSdr,
        candidate: Candidate,
        hits: Sequence[RuleHit],
    ) -> None:
        """Let an SDR count, and go to its home CSP."""
        self.counts.accepted += 1
        if candidate.reference is not None:
            place = Place(row.window_id, row.sdr_no)
            rows.links.append(Link(candidate.reference.place, place, None))
        self._deliver(row, candidate, hits)
        self._knowledge.debits.take(row)
        claimed = (
            row.csp_id,
            row.currency,
            _INVOICE if row.ref_window_id is None else document_of(row),
            row.vat_category,
            row.vat_rate_bp,
            row.vat_rule_id,
            row.place_country,
        )
        total = self._totals.setdefault(claimed, [0, 0, 0])
        total[0] += 1
        total[1] += row.energy_wh
        total[2] += row.net_minor

    def _deliver(
        self, row: NewSdr, candidate: Candidate, hits: Sequence[RuleHit]
    ) -> None:
        size = sdr_delivery.bytes_max(candidate.record, hits)
        self._pieces.add(row.csp_id, row.sdr_no, size)

    def _served(self, candidate: Candidate, found: Judgement) -> UUID | None:
        """Return the session that an SDR ends: the one that it fits.

        What is held of a visited CSP ends none: it would hold the CSO's own SDR.
        """
        facts = candidate.facts
        if facts.session is None or not is_matched(candidate, found.hits):
            return None
        held = found.outcome is Outcome.HELD
        if held and facts.cso_id != self._submitter_id:
            return None
        return facts.session.session_id

    def _write(self, rows: _Rows) -> None:
        tx = self._tx
        if rows.sdrs:
            sdr_intake.copy_sdr_lines(tx, rows.sdrs)
            sdr_intake.copy_key_lines(tx, rows.keys)
            if sdr_intake.mark_sessions(tx, rows.sessions) < len(rows.sessions):
                # A decision gave one of them its SDR after it was read here.
                raise ClearingHouseError(codes.UNAVAILABLE, "a session was just ended")
        if rows.links:
            at = self._exchange.received_at
            corrections.copy_chain(tx, rows.links, at=at)
        if rows.hits:
            sdr_intake.copy_hits(tx, rows.hits)
        rows.signed.write(self._env, tx, at=self._exchange.received_at)
        if rows.refusals:
            sdr_intake.copy_refusals(tx, rows.refusals)

    def _claims(self) -> Iterable[NewTotal]:
        for key, (count, energy_wh, net_minor) in self._totals.items():
            csp_id, currency, kind, category, rate_bp, rule_id, place = key
            yield NewTotal(
                window_id=self._window_id,
                batch_id=self.batch_id,
                csp_id=csp_id,
                submitter_id=self._submitter_id,
                currency=currency,
                sdr_count=count,
                energy_wh=energy_wh,
                net_minor=net_minor,
                kind=kind,
                vat_category=category,
                vat_rate_bp=rate_bp,
                vat_rule_id=rule_id,
                place_country=place,
            )

    def _tell(self, items: Sequence[Item], *, grave: bool) -> None:
        """Remember items for the answer, up to its bound of each kind."""
        self._items += len(items)
        told = self._grave if grave else self._light
        told.extend(items[: ITEMS_MAX - len(told)])


def _runs(readable: Sequence[_Readable]) -> Iterator[Sequence[_Readable]]:
    """Cut records before each that corrects one of those in front of it.

    A correction is judged by what it refers to as that is stored.
    """
    if all(record.ref_sdr_id is None for _, record in readable):
        if readable:
            yield readable
        return
    run: list[_Readable] = []
    named: set[str] = set()
    for entry in readable:
        record = entry[1]
        ref = None if record.ref_sdr_id is None else record.ref_sdr_id.upper()
        if ref in named:
            yield run
            run, named = [], set()
        run.append(entry)
        named.add(record.sdr_id.upper())
        if ref is not None:
            named.add(ref)
    yield run


def _batch_id(exchange: Exchange) -> UUID:
    """Return the id of the batch that a message holds; the same at each repeat."""
    sender_id = exchange.sender.participant_id
    return uuid5(_BATCHES, f"{sender_id}/{exchange.message_id}")
