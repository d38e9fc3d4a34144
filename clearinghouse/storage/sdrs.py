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
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    select,
    true,
)

from clearinghouse.domain.sdrs import MatchKind, SdrKind, SdrStatus
from clearinghouse.domain.settlement import WindowState
from clearinghouse.storage.feeds import Cursor, paged, place_of
from clearinghouse.storage.tables.disputes import dispute
from clearinghouse.storage.tables.evses import tariff
from clearinghouse.storage.tables.participants import agreement, participant
from clearinghouse.storage.tables.sdrs import (
    sdr,
    sdr_batch,
    sdr_event,
    sdr_exclusion,
    sdr_key,
    settlement_window,
)

#: SDRs of a feed that are read at once: the largest take a megabyte each in memory.
PART_MAX = 50


class Place(NamedTuple):
    """Where an SDR is stored."""

    window_id: int
    sdr_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSdr:
    """One SDR as it is stored, with where it stands; a credit's figures are negative.

    ``ref_sdr_uid``: the id of the SDR that a correction refers to.
    """

    place: Place
    submitter_id: int
    submitter_party: str
    csp_id: int
    csp_party: str
    cso_id: int
    cso_party: str
    sdr_uid: str
    kind: SdrKind
    ref_sdr_uid: str | None
    ref_window_id: int | None
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
    charge_seconds: int
    idle_seconds: int
    parking_seconds: int
    tariff_id: str
    currency: str
    net_minor: int
    claimed_minor: int
    received_at: datetime
    vat_category: str
    vat_rate_bp: int
    vat_rule_id: int
    place_country: str
    match_kind: MatchKind | None
    agreement_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSdr(StoredSdr):
    """A stored SDR with all that its submitter wrote.

    ``detail``: charging sessions, the id of the EVSE as written, pseudonyms of what was
    sent. It may be a thousand times longer than the rest, so it is read only where the
    SDR itself is told, and then few at a time.
    """

    detail: Mapping[str, Any]


class Found(NamedTuple):
    """An SDR of a feed, and where in the feed it stands."""

    cursor: Cursor
    stored: WholeSdr


def same_place(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Return the condition that two rows are about one SDR."""
    return and_(one.c.window_id == other.c.window_id, one.c.sdr_no == other.c.sdr_no)


_submitter = participant.alias("submitter")
_csp = participant.alias("csp")
_cso = participant.alias("cso")
_said = (
    select(
        func.bool_or(sdr_event.c.status == SdrStatus.CONFIRMED).label("confirmed"),
        func.bool_or(sdr_event.c.status == SdrStatus.AUTO_CONFIRMED).label("silent"),
        func.bool_or(sdr_event.c.status == SdrStatus.DELIVERED).label("delivered"),
        func.max(sdr_event.c.at).label("at"),
    )
    .where(same_place(sdr_event, sdr))
    .lateral("said")
)
EXCLUDED = exists().where(same_place(sdr_exclusion, sdr))
_succeeded = exists().where(
    same_place(sdr_exclusion, sdr), sdr_exclusion.c.successor_sdr_no.is_not(None)
)
#: Only a net debit cap holds the SDR: its home CSP has it, and cannot decide yet.
ANNOUNCED = and_(
    sdr.c.status == SdrStatus.HELD,
    func.clearing.is_capped(sdr.c.window_id, sdr.c.sdr_no),
)
#: Something that counts itself stands for the SDR.
CORRECTED = func.clearing.is_corrected(sdr.c.window_id, sdr.c.sdr_no)
# No join: nearly no SDR has a reference, and a plan that joins would be one for all
# windows there ever were.
_ref_sdr_uid = func.clearing.sdr_uid_at(sdr.c.ref_window_id, sdr.c.ref_sdr_no).label(
    "ref_sdr_uid"
)
_DISPUTED = exists().where(same_place(dispute, sdr), dispute.c.ended_at.is_(None))
_status = case(
    (_DISPUTED, SdrStatus.DISPUTED.value),
    # Before what is excluded: what a dispute carried away may have come back.
    (CORRECTED, SdrStatus.CORRECTED.value),
    (EXCLUDED, SdrStatus.REJECTED.value),
    (sdr.c.status == SdrStatus.HELD, SdrStatus.HELD.value),
    (settlement_window.c.state == WindowState.CLOSED, SdrStatus.SETTLED.value),
    (_said.c.confirmed, SdrStatus.CONFIRMED.value),
    (_said.c.silent, SdrStatus.AUTO_CONFIRMED.value),
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
    """Give the SDRs that a home CSP has to pay, or will have, in the order they came.

    In parts of :data:`PART_MAX`, each read when it is asked for, and one more than the
    limit, which tells that there is another page.
    """
    mine = sdr.c.csp_id == csp_id
    told = (sdr.c.status == SdrStatus.ACCEPTED) | (ANNOUNCED & ~_succeeded)
    return _in_parts(tx, mine & told, cursor, limit)


def sdrs_of_submitter(
    tx: Connection, submitter_id: int, *, cursor: Cursor, limit: int
) -> Iterator[Sequence[Found]]:
    """Give the SDRs that a submitter sent, held ones too, as :func:`sdrs_for_csp`.

    One that was held and is taken in comes as what it is now, at the later place.
    """
    mine = sdr.c.submitter_id == submitter_id
    return _in_parts(tx, mine & ~_succeeded, cursor, limit)


def sdrs_by_hash(
    tx: Connection, keys: Collection[tuple[int, bytes]]
) -> dict[tuple[int, bytes], StoredSdr]:
    """Return SDRs by submitter and hash of their id; unknown ones are left out."""
    found: dict[tuple[int, bytes], StoredSdr] = {}
    asked = set(keys)
    # What was held may be taken in between the two statements, and its place is another
    # then; once, so that the second look finds all.
    for _ in range(2):
        keys_at = _keys_by_place(tx, asked)
        if not keys_at:
            break
        for row in tx.execute(at_places(sdr_query(), keys_at).where(~_succeeded)):
            found[keys_at[Place(row.window_id, row.sdr_no)]] = stored_of(row)
        asked = {key for key in keys_at.values() if key not in found}
    return found


def _keys_by_place(
    tx: Connection, keys: Collection[tuple[int, bytes]]
) -> dict[Place, tuple[int, bytes]]:
    """Return where the SDRs are that stand for these now; unknown ones are left out."""
    by_submitter: dict[int, list[bytes]] = {}
    for submitter_id, uid_hash in keys:
        by_submitter.setdefault(submitter_id, []).append(uid_hash)
    found: dict[Place, tuple[int, bytes]] = {}
    for submitter_id, hashes in by_submitter.items():
        query = (
            select(sdr_key.c.uid_hash, *_now_at(sdr_key))
            .select_from(sdr_key)
            .outerjoin(sdr_exclusion, same_place(sdr_exclusion, sdr_key))
            .where(
                sdr_key.c.submitter_id == submitter_id, sdr_key.c.uid_hash.in_(hashes)
            )
        )
        for row in tx.execute(query):
            found[Place(row.window_id, row.sdr_no)] = (submitter_id, row.uid_hash)
    return found


def sdr_at(tx: Connection, place: Place) -> StoredSdr:
    """Return the SDR at a place.

    Raises :class:`sqlalchemy.exc.NoResultFound` when there is none.
    """
    here = (sdr.c.window_id == place.window_id) & (sdr.c.sdr_no == place.sdr_no)
    return stored_of(tx.execute(sdr_query().where(here)).one())


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
    query = sdr_query().join(first, same_place(first, sdr)).order_by(first.c.record_no)
    return [stored_of(row) for row in tx.execute(query)]


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


def _now_at(first: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Return the place that stands for a first one: itself, or its successor."""
    return (
        func.coalesce(sdr_exclusion.c.successor_window_id, first.c.window_id).label(
            "window_id"
        ),
        func.coalesce(sdr_exclusion.c.successor_sdr_no, first.c.sdr_no).label("sdr_no"),
    )


def sdr_query() -> Select[Any]:
    """Return the query that reads SDRs with where they stand, for more conditions."""
    return (
        select(
            *(column for column in sdr.columns if column is not sdr.c.detail),
            _submitter.c.party_id.label("submitter_party"),
            _csp.c.party_id.label("csp_party"),
            _cso.c.party_id.label("cso_party"),
            tariff.c.tariff_id,
            settlement_window.c.label.label("window_label"),
            settlement_window.c.state.label("window_state"),
            _ref_sdr_uid,
            agreement.c.version.label("agreement_version"),
            _status,
            _changed_at,
        )
        .join(_submitter, _submitter.c.participant_id == sdr.c.submitter_id)
        .join(_csp, _csp.c.participant_id == sdr.c.csp_id)
        .join(_cso, _cso.c.participant_id == sdr.c.cso_id)
        .join(tariff, tariff.c.tariff_version_id == sdr.c.tariff_version_id)
        .join(settlement_window, settlement_window.c.window_id == sdr.c.window_id)
        .outerjoin(agreement, agreement.c.agreement_id == sdr.c.agreement_id)
        .join(_said, true())
    )


def whole_query() -> Select[Any]:
    """Return the query that reads SDRs with all that their submitters wrote."""
    return sdr_query().add_columns(sdr.c.detail)


def at_places(query: Select[Any], places: Collection[Place]) -> Select[Any]:
    """Narrow a query on SDRs to some places.

    Their windows are named apart from them: a window is a partition, and a plan is made
    for those that the statement itself names, or else for all there ever were. So it
    is quicker to ask for places first, with little, and then for what is there.
    """
    # No pairs: a number is given out once for all windows.
    windows = sorted({place.window_id for place in places})
    numbers = sorted({place.sdr_no for place in places})
    return query.where(
        sdr.c.window_id == any_(bindparam(None, windows, ARRAY(Integer))),
        sdr.c.sdr_no == any_(bindparam(None, numbers, ARRAY(BigInteger))),
    )


def _in_parts(
    tx: Connection, chosen: ColumnElement[bool], cursor: Cursor, limit: int
) -> Iterator[Sequence[Found]]:
    """Give a page in parts, places first: the transaction has to be a snapshot."""
    feed = select(sdr.c.window_id, sdr.c.sdr_no).where(chosen)
    places = [Place(*row) for row in tx.execute(paged(feed, sdr, cursor, limit))]
    for start in range(0, len(places), PART_MAX):
        query = at_places(whole_query(), places[start : start + PART_MAX])
        rows = tx.execute(query.order_by(sdr.c.changed_xid, sdr.c.change_id))
        yield [Found(place_of(row), whole_of(row)) for row in rows]


def stored_of(row: Row[Any]) -> StoredSdr:
    """Return a row of :func:`sdr_query`."""
    return StoredSdr(**_values(row))


def whole_of(row: Row[Any]) -> WholeSdr:
    """Return a row of :func:`whole_query`."""
    return WholeSdr(**_values(row), detail=row.detail)


def _values(row: Row[Any]) -> dict[str, Any]:
    return {
        "place": Place(row.window_id, row.sdr_no),
        "submitter_id": row.submitter_id,
        "submitter_party": row.submitter_party,
        "csp_id": row.csp_id,
        "csp_party": row.csp_party,
        "cso_id": row.cso_id,
        "cso_party": row.cso_party,
        "sdr_uid": row.sdr_uid,
        "kind": SdrKind(row.kind),
        "ref_sdr_uid": row.ref_sdr_uid,
        "ref_window_id": row.ref_window_id,
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
        "charge_seconds": row.charge_seconds,
        "idle_seconds": row.idle_seconds,
        "parking_seconds": row.parking_seconds,
        "tariff_id": row.tariff_id,
        "currency": row.currency,
        "net_minor": row.net_minor,
        "claimed_minor": row.claimed_minor,
        "received_at": row.received_at,
        "vat_category": row.vat_category,
        "vat_rate_bp": row.vat_rate_bp,
        "vat_rule_id": row.vat_rule_id,
        "place_country": row.place_country,
        "match_kind": None if row.match_kind is None else MatchKind(row.match_kind),
        "agreement_version": row.agreement_version,
    }
