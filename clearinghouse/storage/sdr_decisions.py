"""What is said of stored SDRs: events, exclusions, held ones that are taken in.

Everything is added; an SDR's own row never changes. Whoever decides of an SDR holds the
lock of its home CSP, so that one word counts and not two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Uuid,
    insert,
    literal,
    select,
    text,
)

from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.sdrs import MatchKind, SdrKind, SdrStatus
from clearinghouse.storage.database import Database
from clearinghouse.storage.sdr_intake import NewTotal
from clearinghouse.storage.sdrs import Place, StoredSdr, same_place
from clearinghouse.storage.tables.sdrs import (
    rule_hit,
    sdr,
    sdr_event,
    sdr_exclusion,
    signed_value,
)

#: First half of the key of the lock that lets one decision of a home CSP run at a time.
DECISION_LOCK = 73_119_013

_LOCK = text("SELECT pg_advisory_xact_lock(:space, :csp_id)")

_ADD_EVENTS = text("""
    INSERT INTO clearing.sdr_event (window_id, sdr_no, status, at, actor_id, reason)
    SELECT q.window_id, q.sdr_no, q.status, :at, :actor_id, q.reason
    FROM unnest(CAST(:windows AS integer[]), CAST(:numbers AS bigint[]),
                CAST(:statuses AS text[]), CAST(:reasons AS text[])) WITH ORDINALITY
         AS q (window_id, sdr_no, status, reason, place)
    ORDER BY q.place
    RETURNING event_row
""")

_DRAW = text("SELECT nextval('clearing.sdr_no_seq')")

# An EVSE has not many SDRs: no index by session is needed.
_PAID = text("""
    SELECT EXISTS (
        SELECT FROM clearing.sdr AS s
        WHERE s.evse_key = :evse_key AND s.session_id = :session_id
          AND s.status = 'ACCEPTED' AND NOT EXISTS (
            SELECT FROM clearing.sdr_exclusion AS e
            WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
          AND s.kind <> 'CREDIT'
          AND NOT clearing.is_corrected(s.window_id, s.sdr_no))
""")

# The leaf of an SDR as it will be: in another window, under another number, accepted.
_LEAF_ANEW = text("""
    SELECT clearing.leaf(clearing.sdr_row(
        jsonb_populate_record(s, jsonb_build_object(
            'window_id', CAST(:new_window AS integer),
            'sdr_no', CAST(:new_number AS bigint), 'status', 'ACCEPTED',
            'session_id', coalesce(CAST(:session_id AS uuid), s.session_id))),
        submitter.party_id, csp.party_id, cso.party_id))
    FROM clearing.sdr AS s
    JOIN clearing.participant AS submitter ON submitter.participant_id = s.submitter_id
    JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
    JOIN clearing.participant AS cso ON cso.participant_id = s.cso_id
    WHERE s.window_id = :window_id AND s.sdr_no = :sdr_no
""")

_NOWHERE = (None, None)


class Event(NamedTuple):
    """Something to be added to an SDR's history."""

    place: Place
    status: SdrStatus
    reason: str | None


class Exclusion(NamedTuple):
    """An SDR that counts no more.

    With ``session_id``: the session waits for another one. ``successor``: where it is
    written anew, when it was held and is taken in after all.
    """

    place: Place
    session_id: UUID | None
    reason: str
    successor: Place | None = None


class Decision(NamedTuple):
    """A word on an SDR as it is stored, for the submitter."""

    sdr_uid: str
    status: SdrStatus
    reason: str | None


def lock_decisions(tx: Connection, csp_id: int) -> None:
    """Wait until no other decision of this home CSP's SDRs runs."""
    tx.execute(_LOCK, {"space": DECISION_LOCK, "csp_id": csp_id})


def add_events(
    tx: Connection, events: Sequence[Event], *, actor_id: int | None, at: datetime
) -> list[int]:
    """Add to the history of SDRs; return the numbers of the rows in the same order.

    ``actor_id``: the home CSP whose word it is, ``None`` for the clearing house.
    """
    if not events:
        return []
    place = {
        "windows": [event.place.window_id for event in events],
        "numbers": [event.place.sdr_no for event in events],
        "statuses": [event.status.value for event in events],
        "reasons": [event.reason for event in events],
        "actor_id": actor_id,
        "at": at,
    }
    return list(tx.execute(_ADD_EVENTS, place).scalars())


def exclude(tx: Connection, excluded: Iterable[Exclusion], *, at: datetime) -> None:
    """Let SDRs count no more; for accepted ones the caller lowers the claim as much."""
    Database.copy(
        tx,
        sdr_exclusion,
        (
            "window_id",
            "sdr_no",
            "session_id",
            "reason",
            "at",
            "successor_window_id",
            "successor_sdr_no",
        ),
        (
            (*one.place, one.session_id, one.reason, at, *(one.successor or _NOWHERE))
            for one in excluded
        ),
    )


def claims_of(stored: Iterable[StoredSdr], *, times: int = 1) -> list[NewTotal]:
    """Return what SDRs add to the claim of their windows; ``times`` -1 takes it out."""
    sums: dict[NewTotal, list[int]] = {}
    for one in stored:
        key = NewTotal(
            window_id=one.place.window_id,
            batch_id=one.batch_id,
            csp_id=one.csp_id,
            submitter_id=one.submitter_id,
            currency=one.currency,
            sdr_count=0,
            energy_wh=0,
            net_minor=0,
            kind=_document_of(one).value,
            vat_category=one.vat_category,
            vat_rate_bp=one.vat_rate_bp,
            vat_rule_id=one.vat_rule_id,
            place_country=one.place_country,
        )
        entry = sums.setdefault(key, [0, 0, 0])
        entry[0] += times
        entry[1] += times * one.energy_wh
        entry[2] += times * one.net_minor
    return [
        key._replace(sdr_count=count, energy_wh=energy_wh, net_minor=net_minor)
        for key, (count, energy_wh, net_minor) in sums.items()
    ]


def _document_of(stored: StoredSdr) -> DocumentKind:
    """Return the kind of the document on which an SDR stands."""
    is_late = stored.ref_window_id not in (None, stored.place.window_id)
    is_credit = stored.kind is SdrKind.CREDIT
    return DocumentKind.CREDIT_NOTE if is_credit and is_late else DocumentKind.INVOICE


def decisions_by_row(tx: Connection, rows: Collection[int]) -> list[Decision]:
    """Return words on SDRs by the numbers of their rows, in order."""
    query = (
        select(sdr.c.sdr_uid, sdr_event.c.status, sdr_event.c.reason)
        .join(sdr, same_place(sdr, sdr_event))
        .where(sdr_event.c.event_row.in_(list(rows)))
        .order_by(sdr_event.c.event_row)
    )
    return [
        Decision(row.sdr_uid, SdrStatus(row.status), row.reason)
        for row in tx.execute(query)
    ]


def has_paid_sdr(tx: Connection, session_id: UUID, evse_key: str) -> bool:
    """Say whether an SDR of the session is accepted and not rejected."""
    place = {"session_id": session_id, "evse_key": evse_key}
    return bool(tx.execute(_PAID, place).scalar_one())


class Match(NamedTuple):
    """The session that a held SDR turned out to be about, and how it was found."""

    session_id: UUID
    kind: MatchKind


def write_anew(
    tx: Connection, held: Place, window_id: int, *, match: Match | None = None
) -> Place:
    """Write a held SDR as an accepted one into a window, with the rules that it met.

    ``match``: with the session that was found meanwhile.
    """
    number = int(tx.execute(_DRAW).scalar_one())
    successor = Place(window_id, number)
    places = {
        "new_window": window_id,
        "new_number": number,
        "session_id": None if match is None else match.session_id,
        **held._asdict(),
    }
    leaf: bytes | None = tx.execute(_LEAF_ANEW, places).scalar_one_or_none()
    changed: dict[str, ColumnElement[Any]] = {
        "leaf": literal(leaf, LargeBinary),
        "window_id": literal(window_id),
        "sdr_no": literal(number),
        "status": literal(SdrStatus.ACCEPTED.value),
        # As at intake: the two numbers are one.
        "change_id": literal(number),
    }
    if match is not None:
        changed |= {
            "session_id": literal(match.session_id, Uuid),
            "match_kind": literal(match.kind.value),
        }
    for table in (sdr, rule_hit, signed_value):
        names = [one.name for one in table.columns if one.name != "changed_xid"]
        copied = [changed.get(name, table.c[name]) for name in names]
        row = select(*copied).where(
            table.c.window_id == held.window_id, table.c.sdr_no == held.sdr_no
        )
        tx.execute(insert(table).from_select(names, row, include_defaults=False))
    return successor
