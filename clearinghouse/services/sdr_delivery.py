"""SDRs on their way out: rendered from what is stored when they are sent.

A delivery holds references only. The EV user's credential and contract come from the
vault at the last moment: for the home CSP, whose user it is, and for the submitter only
as far as it sent them itself (clause 8-min).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain.errors import Item
from clearinghouse.domain.exchange import CONTENT_BYTES_MAX
from clearinghouse.domain.meters import MeterReading
from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.domain.outbox import SERVICE_OF, DeliveryKind
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    News,
    RuleHit,
    SdrKind,
    SdrStatus,
    ServiceDetailRecord,
)
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import signed_values
from clearinghouse.services.environment import Environment
from clearinghouse.services.ports import DeliveredSdr, SdrNotice
from clearinghouse.storage import directory, disputes, outbox, rule_hits, sdr_decisions
from clearinghouse.storage import sdr_delivery as deliveries
from clearinghouse.storage import signed_values as row_values
from clearinghouse.storage.outbox import Delivery, NewDelivery
from clearinghouse.storage.sdr_delivery import Stretch
from clearinghouse.storage.sdrs import Place, WholeSdr
from clearinghouse.storage.signed_values import SignedOf
from clearinghouse.storage.vault import Subject

#: SDRs of one delivery (contract: DeliverSdrs).
DELIVERY_MAX = 500

#: Bytes of the SDRs of one delivery.
DELIVERY_BYTES_MAX = CONTENT_BYTES_MAX

# What the parts of an SDR take in a message at most, beside their free texts: markup,
# times, numbers and ids, and the credential, which may be added when it is sent.
_SDR_BYTES = 2_800
_SESSION_BYTES = 240
_TRANSACTION_BYTES = 380
_READING_BYTES = 150
_SIGNED_BYTES = 300
_HIT_BYTES = 600
# A character of a text, in UTF-8 or as a reference: "&amp;".
_CHARACTER_BYTES = 5

_NEWS = {
    SdrStatus.ACCEPTED: News.ACCEPTED,
    SdrStatus.CONFIRMED: News.CONFIRMED,
    SdrStatus.REJECTED: News.REJECTED,
}


@dataclass(slots=True)
class Piece:
    """What goes to one home CSP in one delivery: ``size`` bytes at most."""

    csp_id: int
    first: int
    last: int
    count: int = 0
    size: int = 0


class Said(NamedTuple):
    """What is kept of SDRs beside their rows: rules met, signed meter values."""

    hits: Mapping[Place, tuple[Item, ...]]
    signed: SignedOf


class Pieces:
    """The stretches of the batch that go to one home CSP, each of bounded length."""

    def __init__(self) -> None:
        self.all: list[Piece] = []
        self._open: dict[int, Piece] = {}

    def add(self, csp_id: int, sdr_no: int, size: int) -> None:
        """Add the next SDR of a home CSP, of so many bytes at most."""
        piece = self._open.get(csp_id)
        if (
            piece is None
            or piece.count == DELIVERY_MAX
            or piece.size + size > DELIVERY_BYTES_MAX
        ):
            piece = self._open[csp_id] = Piece(csp_id, sdr_no, sdr_no)
            self.all.append(piece)
        piece.last = sdr_no
        piece.count += 1
        piece.size += size


def queue_pieces(
    tx: Connection,
    pieces: Iterable[Piece],
    batch_id: UUID | str,
    window_id: int,
    *,
    at: datetime,
) -> None:
    """Let SDRs of a batch that stand in one window go to their home CSPs."""
    deliveries = [
        NewDelivery(
            participant_id=piece.csp_id,
            kind=DeliveryKind.DELIVER_SDRS,
            subject_key=f"batch:{batch_id}",
            payload={
                "batch_id": str(batch_id),
                "window_id": window_id,
                "first": piece.first,
                "last": piece.last,
            },
        )
        for piece in pieces
    ]
    outbox.enqueue_all(tx, deliveries, at=at)


def queue_notices(
    tx: Connection, told: Mapping[int, Sequence[int]], csp_id: int, *, at: datetime
) -> None:
    """Let submitters know what was decided of SDRs for one home CSP.

    ``told``: the numbers of the events by submitter. One that offers no such service,
    as a visited CSP, asks for the status when it likes: nobody would ever take it.
    """
    listening = directory.registered(tx, SERVICE_OF[DeliveryKind.NOTIFY_SDRS], told)
    for submitter_id, numbers in told.items():
        if submitter_id not in listening:
            continue
        notice = NewDelivery(
            participant_id=submitter_id,
            kind=DeliveryKind.NOTIFY_SDRS,
            subject_key=f"csp:{csp_id}",
            payload={"events": list(numbers)},
        )
        outbox.enqueue(tx, notice, at=at)


def queue_dispute_notice(
    tx: Connection, submitter_id: int, csp_id: int, step: int, *, at: datetime
) -> None:
    """Let a submitter know of a step in a dispute; it asks for the file itself."""
    service = SERVICE_OF[DeliveryKind.NOTIFY_SDRS]
    if submitter_id not in directory.registered(tx, service, [submitter_id]):
        return
    notice = NewDelivery(
        participant_id=submitter_id,
        kind=DeliveryKind.NOTIFY_SDRS,
        subject_key=f"csp:{csp_id}",
        payload={"events": [], "dispute_steps": [step]},
    )
    outbox.enqueue(tx, notice, at=at)


def to_deliver(env: Environment, delivery: Delivery) -> tuple[DeliveredSdr, ...]:
    """Return the SDRs of a delivery to a home CSP; none when all were rejected."""
    with env.database.begin_read_only() as tx:
        stored = deliveries.sdrs_of_stretch(tx, _stretch(delivery))
        said = said_of(tx, [one.place for one in stored], as_home=True)
    return views_of(env, stored, said, as_home=True)


def said_of(tx: Connection, places: Sequence[Place], *, as_home: bool) -> Said:
    """Return what is kept of SDRs beside their rows, as a partner may see it."""
    return Said(
        rule_hits.hits_of(tx, places, as_home=as_home),
        row_values.signed_of(tx, places),
    )


def bytes_max(record: ServiceDetailRecord, hits: Sequence[RuleHit | Item]) -> int:
    """Return how long an SDR may get in a delivery: a bound, not its length.

    The largest SDR is far below :data:`DELIVERY_BYTES_MAX`, which five hundred of the
    usual size do not reach either; five hundred large ones exceed it many times.
    """
    size = _SDR_BYTES + (hits_bytes_max(hits) if hits else 0)
    characters = len(record.evse_id) + len(record.partner_session_id or "")
    for session in record.charging_sessions:
        size += _SESSION_BYTES + len(session.transactions) * _TRANSACTION_BYTES
        characters += len(session.charging_session_id)
        for one in session.transactions:
            characters += len(one.charging_transaction_id)
            size += len(one.readings) * _READING_BYTES
            for value in one.signed_values:
                size += _SIGNED_BYTES
                characters += len(value.data) + len(value.public_key or "")
    return size + characters * _CHARACTER_BYTES


def hits_bytes_max(hits: Sequence[RuleHit | Item]) -> int:
    """Return how long what is said of one SDR may get in a message."""
    characters = sum(len(one.path) + len(one.expected) + len(one.found) for one in hits)
    return len(hits) * _HIT_BYTES + characters * _CHARACTER_BYTES


def stored_bytes_max(stored: WholeSdr, said: Said) -> int:
    """Return how long a stored SDR may get in a message, as :func:`bytes_max`."""
    size = bytes_max(_record(stored, ()), said.hits.get(stored.place, ()))
    for characters in signed_values.lengths(said.signed.get(stored.place, ())):
        size += _SIGNED_BYTES + characters * _CHARACTER_BYTES
    return size


def record_delivered(env: Environment, delivery: Delivery) -> None:
    """Note that the home CSP took a delivery; a repeat changes nothing."""
    with env.database.begin() as tx:
        deliveries.note_delivered(tx, _stretch(delivery), at=env.clock.now())


def notices(env: Environment, delivery: Delivery) -> tuple[SdrNotice, ...]:
    """Return what was decided, for the submitter of the SDRs."""
    rows = cast("list[int]", delivery.payload["events"])
    said = cast("list[int]", delivery.payload.get("dispute_steps", []))
    with env.database.begin_read_only() as tx:
        decisions = sdr_decisions.decisions_by_row(tx, rows)
        steps = disputes.notices_of(tx, said)
    told = [
        SdrNotice(
            sdr_id=decision.sdr_uid,
            news=_NEWS[decision.status],
            reason=decision.reason,
        )
        for decision in decisions
    ]
    told += [
        SdrNotice(
            sdr_id=step.sdr_uid,
            news=News.DISPUTED,
            reason=step.state.value,
            dispute_id=step.dispute_id,
        )
        for step in steps
    ]
    return tuple(told)


def views_of(
    env: Environment,
    stored: Sequence[WholeSdr],
    said: Said,
    *,
    as_home: bool,
) -> tuple[DeliveredSdr, ...]:
    """Return stored SDRs as the home CSP, or else their submitter, may see them."""
    wanted = {number for one in stored for number in _subjects(one, as_home=as_home)}
    people = env.vault.reveal(wanted) if wanted else {}
    signed = signed_values.revealed(env, said.signed)
    views = tuple(
        DeliveredSdr(
            submitter_party=one.submitter_party,
            csp_party=one.csp_party,
            received_at=one.received_at,
            status=one.status,
            window_id=one.place.window_id,
            window_label=one.window_label,
            rated_net_minor=one.net_minor,
            remarks=said.hits.get(one.place, ()),
            record=_record(
                one,
                [
                    people[number]
                    for number in _subjects(one, as_home=as_home)
                    if number in people and people[number].owner_id == one.csp_id
                ],
            ),
        )
        for one in stored
    )
    for one, view in zip(stored, views, strict=True):
        signed_values.put_back(view.record, signed.get(one.place, ()))
    return views


def _stretch(delivery: Delivery) -> Stretch:
    payload = cast("Mapping[str, int]", delivery.payload)
    return Stretch(
        batch_id=UUID(str(payload["batch_id"])),
        window_id=payload["window_id"],
        csp_id=delivery.participant_id,
        first=payload["first"],
        last=payload["last"],
    )


def _subjects(stored: WholeSdr, *, as_home: bool) -> list[int]:
    """Return the pseudonyms that may be told: what was sent, else whose session it was.

    What the house found out itself is the home CSP's alone.
    """
    sent = [stored.detail.get("credential"), stored.detail.get("contract")]
    if as_home:
        sent.append(stored.subject_id)
    return [number for number in dict.fromkeys(sent) if number is not None]


def _record(stored: WholeSdr, people: Collection[Subject]) -> ServiceDetailRecord:
    detail = stored.detail
    cso_party = stored.cso_party
    # A credit has the figures of what it cancels, as its submitter wrote them.
    sign = -1 if stored.kind is SdrKind.CREDIT else 1
    record = ServiceDetailRecord(
        sdr_id=stored.sdr_uid,
        csp_id=stored.csp_party,
        cso_id=None if cso_party == stored.submitter_party else cso_party,
        evse_id=detail["evse"],
        session_id=stored.session_id,
        partner_session_id=detail["partner"],
        started_at=_local(stored.started_at, stored.start_offset_minutes),
        ended_at=_local(stored.ended_at, detail["end_offset"]),
        charging_sessions=[_charging_session(entry) for entry in detail["sessions"]],
        tariff_id=stored.tariff_id,
        currency=stored.currency,
        claimed_net=minor_to_decimal(
            sign * stored.claimed_minor, currency_of(stored.currency)
        ),
        parking_seconds=sign * stored.parking_seconds,
        idle_seconds=sign * stored.idle_seconds,
        kind=stored.kind,
        ref_sdr_id=stored.ref_sdr_uid,
    )
    for person in people:
        if person.kind is SubjectKind.CONTRACT:
            record.contract_id = person.value
        else:
            record.credential_kind = CredentialKind(person.kind.value)
            record.credential_value = person.value
    return record


def _charging_session(entry: list[object]) -> ChargingSession:
    name, started_at, ended_at, transactions = entry
    return ChargingSession(
        charging_session_id=str(name),
        started_at=datetime.fromisoformat(str(started_at)),
        ended_at=datetime.fromisoformat(str(ended_at)),
        transactions=[
            _transaction(one) for one in cast("list[list[object]]", transactions)
        ],
    )


def _transaction(entry: list[object]) -> ChargingTransaction:
    name, started_at, ended_at, energy_wh, start_wh, stop_wh, *readings = entry
    return ChargingTransaction(
        charging_transaction_id=str(name),
        started_at=datetime.fromisoformat(str(started_at)),
        ended_at=datetime.fromisoformat(str(ended_at)),
        energy_wh=cast("int", energy_wh),
        meter_start_wh=cast("int | None", start_wh),
        meter_stop_wh=cast("int | None", stop_wh),
        readings=_readings(readings),
    )


def _readings(part: Sequence[object]) -> tuple[MeterReading, ...]:
    """Return the readings, which are stored where there are some."""
    entries = cast("list[list[list[object]]]", part)
    return tuple(
        MeterReading(datetime.fromisoformat(str(at)), cast("int", register_wh))
        for readings in entries
        for at, register_wh in readings
    )


def _local(at: datetime, offset_minutes: int) -> datetime:
    """Return an instant with the offset in which it was written."""
    return at.astimezone(_zone(offset_minutes))


@lru_cache(maxsize=200)
def _zone(offset_minutes: int) -> tzinfo:
    if offset_minutes == 0:
        return UTC
    return timezone(timedelta(minutes=offset_minutes))
