"""Stored SDRs: as feeds, by id, by batch, and what is said of them afterwards.

An SDR's row never changes. Where it stands is read from what was added later
(:mod:`clearinghouse.storage.sdr_decisions`): an exclusion, events, the state of its
window.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    select,
    text,
    true,
)

from clearinghouse.codes import by_number
from clearinghouse.domain.errors import Item
from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.domain.settlement import WindowState
from clearinghouse.storage.feeds import Cursor, paged, place_of
from clearinghouse.storage.tables.evses import tariff
from clearinghouse.storage.tables.participants import participant
from clearinghouse.storage.tables.sdrs import (
    refused_sdr,
    sdr,
    sdr_batch,
    sdr_event,
    sdr_exclusion,
    sdr_key,
    settlement_window,
)

_HITS = text("""
    SELECT h.window_id, h.sdr_no, h.rule, h.code, h.path, h.expected, h.found
    FROM unnest(CAST(:windows AS integer[]), CAST(:numbers AS bigint[]))
         AS q (window_id, sdr_no)
    JOIN clearing.rule_hit AS h USING (window_id, sdr_no)
    WHERE CAST(:as_home AS boolean) OR h.severity <> 'N'
    ORDER BY h.window_id, h.sdr_no, h.rule COLLATE "C"
""")

_DELIVERED = text("""
    INSERT INTO clearing.sdr_event (window_id, sdr_no, status, at, actor_id)
    SELECT s.window_id, s.sdr_no, 'DELIVERED', :at, :csp_id
    FROM clearing.sdr AS s
    WHERE s.window_id = :window_id AND s.csp_id = :csp_id AND s.status = 'ACCEPTED'
      AND s.batch_id = :batch_id AND s.sdr_no BETWEEN :first AND :last
      -- An attempt may be repeated after its answer was lost.
      AND NOT EXISTS (SELECT FROM clearing.sdr_event AS e
                      WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no
                        AND e.status = 'DELIVERED')
""")


#: SDRs of a feed that are read at once: the largest take a megabyte each in memory.
PART_MAX = 50


class Place(NamedTuple):
    """Where an SDR is stored."""

    window_id: int
    sdr_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSdr:
    """One SDR as it is stored, with where it stands."""

    place: Place
    submitter_id: int
    submitter_party: str
    csp_id: int
    csp_party: str
    cso_party: str
    sdr_uid: str
    batch_id: UUID
    record_no: int
    status: SdrStatus
    changed_at: datetime
    window_label: str
    window_state: WindowState
    session_id: UUID | None
    subject_id: int | None
    evse_key: str
    started_at: datetime
    ended_at: datetime
    start_offset_minutes: int
    energy_wh: int
    idle_seconds: int
    parking_seconds: int
    tariff_id: str
    currency: str
    net_minor: int
    claimed_minor: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSdr(StoredSdr):
    """A stored SDR with all that its submitter wrote.

    ``detail``: charging sessions, the id of the EVSE as written, pseudonyms of what was
    sent. It may be a thousand times longer than the rest, so it is read only where the
    SDR itself is told, and then few at a time.
    """

    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSdr:
    """A record that was refused, as far as its submitter may ask for it later."""

    sdr_uid: str
    record_no: int
    items: tuple[Item, ...]
    received_at: datetime


class Found(NamedTuple):
    """An SDR of a feed, and where in the feed it stands."""

    cursor: Cursor
    stored: WholeSdr


class Stretch(NamedTuple):
    """Part of a batch for one home CSP: the numbers from ``first`` to ``last``."""

    batch_id: UUID
    window_id: int
    csp_id: int
    first: int
    last: int


def same_place(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Return the condition that two rows are about one SDR."""
    return and_(one.c.window_id == other.c.window_id, one.c.sdr_no == other.c.sdr_no)


_submitter = participant.alias("submitter")
_csp = participant.alias("csp")
_cso = participant.alias("cso")
_said = (
    select(
        func.bool_or(sdr_event.c.status == SdrStatus.CONFIRMED).label("confirmed"),
        func.bool_or(sdr_event.c.status == SdrStatus.DELIVERED).label("delivered"),
        func.max(sdr_event.c.at).label("at"),
    )
    .where(same_place(sdr_event, sdr))
    .lateral("said")
)
_excluded = exists().where(same_place(sdr_exclusion, sdr))
_succeeded = exists().where(
    same_place(sdr_exclusion, sdr), sdr_exclusion.c.successor_sdr_no.is_not(None)
)
_status = case(
    (_excluded, SdrStatus.REJECTED.value),
    (sdr.c.status == SdrStatus.HELD, SdrStatus.HELD.value),
    (settlement_window.c.state == WindowState.CLOSED, SdrStatus.SETTLED.value),
    (_said.c.confirmed, SdrStatus.CONFIRMED.value),
    (_said.c.delivered, SdrStatus.DELIVERED.value),
    else_=SdrStatus.ACCEPTED.value,
).label("current_status")
_changed_at = func.greatest(
    sdr.c.received_at,
    _said.c.at,
    case((sdr.c.status != SdrStatus.HELD, settlement_window.c.closed_at)),
).label("changed_at")


def sdrs_for_csp(
    tx: Connection, csp_id: int, *, cursor: Cursor, limit: int
) -> Iterator[Sequence[Found]]:
    """Give the SDRs that a home CSP has to pay, in the order they came.

    In parts of :data:`PART_MAX`, each read when it is asked for, and one more than the
    limit, which tells that there is another page.
    """
    mine = sdr.c.csp_id == csp_id
    accepted = sdr.c.status == SdrStatus.ACCEPTED
    return _in_parts(tx, _whole_query().where(mine, accepted), cursor, limit)


def sdrs_of_submitter(
    tx: Connection, submitter_id: int, *, cursor: Cursor, limit: int
) -> Iterator[Sequence[Found]]:
    """Give the SDRs that a submitter sent, held ones too, as :func:`sdrs_for_csp`.

    One that was held and is taken in comes as what it is now, at the later place.
    """
    mine = sdr.c.submitter_id == submitter_id
    return _in_parts(tx, _whole_query().where(mine, ~_succeeded), cursor, limit)


def sdrs_by_hash(
    tx: Connection, keys: Collection[tuple[int, bytes]]
) -> dict[tuple[int, bytes], StoredSdr]:
    """Return SDRs by submitter and hash of their id; unknown ones are left out."""
    by_submitter: dict[int, list[bytes]] = {}
    for submitter_id, uid_hash in keys:
        by_submitter.setdefault(submitter_id, []).append(uid_hash)
    found: dict[tuple[int, bytes], StoredSdr] = {}
    for submitter_id, hashes in by_submitter.items():
        first = (
            select(sdr_key.c.uid_hash, *_now_at(sdr_key))
            .select_from(sdr_key)
            .outerjoin(sdr_exclusion, same_place(sdr_exclusion, sdr_key))
            .where(
                sdr_key.c.submitter_id == submitter_id, sdr_key.c.uid_hash.in_(hashes)
            )
            .subquery()
        )
        query = (
            _query().add_columns(first.c.uid_hash).join(first, same_place(first, sdr))
        )
        for row in tx.execute(query):
            found[submitter_id, row.uid_hash] = _stored(row)
    return found


def sdrs_of_batch(
    tx: Connection, batch_id: UUID, *, after_record: int, limit: int
) -> list[StoredSdr]:
    """Return stored records of a batch behind a record, in the batch's order."""
    xid = select(sdr_batch.c.changed_xid).where(sdr_batch.c.batch_id == batch_id)
    owner = select(sdr_batch.c.submitter_id).where(sdr_batch.c.batch_id == batch_id)
    sent = sdr.alias("sent")
    first = (
        select(sent.c.record_no, *_now_at(sent))
        .select_from(sent)
        .outerjoin(sdr_exclusion, same_place(sdr_exclusion, sent))
        .where(
            sent.c.submitter_id == owner.scalar_subquery(),
            sent.c.changed_xid == xid.scalar_subquery(),
            sent.c.batch_id == batch_id,
            sent.c.record_no > after_record,
        )
        .order_by(sent.c.change_id)
        .limit(limit)
        .subquery()
    )
    query = _query().join(first, same_place(first, sdr)).order_by(first.c.record_no)
    return [_stored(row) for row in tx.execute(query)]


def refused_of_batch(
    tx: Connection, batch_id: UUID, *, after_record: int, limit: int
) -> list[RefusedSdr]:
    """Return refused records of a batch behind a record, in the batch's order.

    Those whose id could not be read are left out: nobody can ask for them.
    """
    query = (
        select(refused_sdr)
        .where(
            refused_sdr.c.batch_id == batch_id,
            refused_sdr.c.record_no > after_record,
            refused_sdr.c.sdr_uid != "",
        )
        .order_by(refused_sdr.c.record_no)
        .limit(limit)
    )
    return [_refused(row) for row in tx.execute(query)]


def refused_by_id(
    tx: Connection, submitter_id: int, sdr_ids: Collection[str]
) -> dict[str, RefusedSdr]:
    """Return the last refusal under each SDR id; ids without one are left out."""
    query = (
        select(refused_sdr)
        .where(
            refused_sdr.c.submitter_id == submitter_id,
            refused_sdr.c.sdr_uid.in_(list(sdr_ids)),
        )
        .order_by(refused_sdr.c.received_at)
    )
    return {row.sdr_uid: _refused(row) for row in tx.execute(query)}


def held_sdrs(
    tx: Connection, *, limit: int, before: datetime | None = None
) -> list[StoredSdr]:
    """Return SDRs that wait for a decision, oldest first; those received ``before``."""
    query = _query().where(sdr.c.status == SdrStatus.HELD, ~_excluded)
    if before is not None:
        query = query.where(sdr.c.received_at < before)
    query = query.order_by(sdr.c.received_at, sdr.c.sdr_no).limit(limit)
    return [_stored(row) for row in tx.execute(query)]


def count_held(tx: Connection) -> dict[int, int]:
    """Return how many SDRs of each window wait for a decision; none is left out."""
    query = (
        select(sdr.c.window_id, func.count())
        .where(sdr.c.status == SdrStatus.HELD, ~_excluded)
        .group_by(sdr.c.window_id)
    )
    return {row[0]: row[1] for row in tx.execute(query)}


def batch_of_sequence(
    tx: Connection, submitter_id: int, batch_sequence: int
) -> UUID | None:
    """Return a submitter's batch by its number."""
    query = select(sdr_batch.c.batch_id).where(
        sdr_batch.c.submitter_id == submitter_id,
        sdr_batch.c.batch_sequence == batch_sequence,
    )
    found: UUID | None = tx.execute(query).scalar_one_or_none()
    return found


def sdrs_of_stretch(tx: Connection, stretch: Stretch) -> list[WholeSdr]:
    """Return the SDRs of a delivery that still have to be paid."""
    query = (
        _whole_query()
        .where(
            sdr.c.window_id == stretch.window_id,
            sdr.c.csp_id == stretch.csp_id,
            sdr.c.batch_id == stretch.batch_id,
            sdr.c.sdr_no.between(stretch.first, stretch.last),
            sdr.c.status == SdrStatus.ACCEPTED,
            ~_excluded,
        )
        .order_by(sdr.c.sdr_no)
    )
    return [_whole(row) for row in tx.execute(query)]


def note_delivered(tx: Connection, stretch: Stretch, *, at: datetime) -> int:
    """Note that the home CSP has the SDRs of a delivery; return how many are new."""
    place = {**stretch._asdict(), "at": at}
    return tx.execute(_DELIVERED, place).rowcount


def hits_of(
    tx: Connection, places: Collection[Place], *, as_home: bool
) -> dict[Place, tuple[Item, ...]]:
    """Return the rules that SDRs met; those that met none are left out.

    ``as_home``: with the notes that are the home CSP's and not the submitter's.
    """
    if not places:
        return {}
    numbers = {
        "windows": [place.window_id for place in places],
        "numbers": [place.sdr_no for place in places],
        "as_home": as_home,
    }
    found: dict[Place, tuple[Item, ...]] = {}
    for row in tx.execute(_HITS, numbers):
        item = Item(
            code=by_number(row.code),
            rule=row.rule,
            path=row.path,
            expected=row.expected,
            found=row.found,
        )
        place = Place(row.window_id, row.sdr_no)
        found[place] = (*found.get(place, ()), item)
    return found


def _now_at(first: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Return the place that stands for a first one: itself, or its successor."""
    return (
        func.coalesce(sdr_exclusion.c.successor_window_id, first.c.window_id).label(
            "window_id"
        ),
        func.coalesce(sdr_exclusion.c.successor_sdr_no, first.c.sdr_no).label("sdr_no"),
    )


def _query() -> Select[Any]:
    return (
        select(
            *(column for column in sdr.columns if column is not sdr.c.detail),
            _submitter.c.party_id.label("submitter_party"),
            _csp.c.party_id.label("csp_party"),
            _cso.c.party_id.label("cso_party"),
            tariff.c.tariff_id,
            settlement_window.c.label.label("window_label"),
            settlement_window.c.state.label("window_state"),
            _status,
            _changed_at,
        )
        .join(_submitter, _submitter.c.participant_id == sdr.c.submitter_id)
        .join(_csp, _csp.c.participant_id == sdr.c.csp_id)
        .join(_cso, _cso.c.participant_id == sdr.c.cso_id)
        .join(tariff, tariff.c.tariff_version_id == sdr.c.tariff_version_id)
        .join(settlement_window, settlement_window.c.window_id == sdr.c.window_id)
        .join(_said, true())
    )


def _whole_query() -> Select[Any]:
    return _query().add_columns(sdr.c.detail)


def _in_parts(
    tx: Connection, query: Select[Any], cursor: Cursor, limit: int
) -> Iterator[Sequence[Found]]:
    parts = {"yield_per": PART_MAX}
    page = paged(query, sdr, cursor, limit)
    with tx.execute(page, execution_options=parts) as result:
        for rows in result.partitions():
            yield [Found(place_of(row), _whole(row)) for row in rows]


def _stored(row: Row[Any]) -> StoredSdr:
    return StoredSdr(**_values(row))


def _whole(row: Row[Any]) -> WholeSdr:
    return WholeSdr(**_values(row), detail=row.detail)


def _values(row: Row[Any]) -> dict[str, Any]:
    return {
        "place": Place(row.window_id, row.sdr_no),
        "submitter_id": row.submitter_id,
        "submitter_party": row.submitter_party,
        "csp_id": row.csp_id,
        "csp_party": row.csp_party,
        "cso_party": row.cso_party,
        "sdr_uid": row.sdr_uid,
        "batch_id": row.batch_id,
        "record_no": row.record_no,
        "status": SdrStatus(row.current_status),
        "changed_at": row.changed_at,
        "window_label": row.window_label,
        "window_state": WindowState(row.window_state),
        "session_id": row.session_id,
        "subject_id": row.subject_id,
        "evse_key": row.evse_key,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "start_offset_minutes": row.start_offset_minutes,
        "energy_wh": row.energy_wh,
        "idle_seconds": row.idle_seconds,
        "parking_seconds": row.parking_seconds,
        "tariff_id": row.tariff_id,
        "currency": row.currency,
        "net_minor": row.net_minor,
        "claimed_minor": row.claimed_minor,
        "received_at": row.received_at,
    }


def _refused(row: Row[Any]) -> RefusedSdr:
    items = tuple(
        Item(
            code=by_number(item["code"]),
            rule=item["rule"],
            path=item["path"],
            expected=item["expected"],
            found=item["found"],
        )
        for item in row.items
    )
    return RefusedSdr(
        sdr_uid=row.sdr_uid,
        record_no=row.record_no,
        items=items,
        received_at=row.received_at,
    )
