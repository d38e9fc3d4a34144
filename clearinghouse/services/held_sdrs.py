"""Held SDRs: taken in or put away by the operator, matched later, or expired.

An SDR that a rule held is in no claim and was shown to its submitter alone. Taken in,
it is written anew into the window that is open now, rated as it was, and goes to its
home CSP as any other. Put away, it frees its session for another SDR (4.3-I3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.sdrs import SdrStatus, uid_hash
from clearinghouse.services import sdr_delivery
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.services.sdr_debits import has_room
from clearinghouse.services.sdr_delivery import Piece
from clearinghouse.storage import (
    corrections,
    debit_caps,
    rule_hits,
    sdr_decisions,
    sdr_intake,
    sdrs,
    settlement,
)
from clearinghouse.storage import held_sdrs as waiting
from clearinghouse.storage.corrections import Link
from clearinghouse.storage.sdr_decisions import Event, Exclusion, Match
from clearinghouse.storage.sdrs import Place, StoredSdr

#: Held SDRs of one view, the oldest; decide those, and the next come into sight.
HELD_SHOWN_MAX = 1_000

#: Held SDRs that one round of the expiry puts away.
EXPIRED_MAX = 500

#: Held SDRs that one round of matching takes in.
REMATCHED_MAX = 500

#: Held SDRs of one CSP and currency that one round looks at when a cap has room.
ADMITTED_MAX = 100

#: What partners read as the reason.
_RELEASED, _PUT_AWAY, _EXPIRED = "RELEASED", "HELD_REJECTED", "HELD_EXPIRED"
_MATCHED, _ADMITTED = "MATCHED", "DEBIT_CAP_FREED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An SDR that waits, with the rules that it met."""

    stored: StoredSdr
    remarks: tuple[Item, ...]


def held(env: Environment) -> tuple[Held, ...]:
    """Return what waits for a decision, oldest first."""
    with env.database.begin_read_only() as tx:
        stored = waiting.held_sdrs(tx, limit=HELD_SHOWN_MAX)
        hits = rule_hits.hits_of(tx, [one.place for one in stored], as_home=True)
    return tuple(Held(stored=one, remarks=hits.get(one.place, ())) for one in stored)


def held_by_window(env: Environment) -> Mapping[int, int]:
    """Return how many SDRs of each window wait for a decision."""
    with env.database.begin_read_only() as tx:
        return waiting.count_held(tx)


def release(env: Environment, submitter_party: str, sdr_id: str) -> StoredSdr:
    """Take a held SDR into the open window, to be settled; return what was held.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``; ``SDR_UNKNOWN``;
    ``SDR_DECIDED`` when it is not held, or its session has an SDR to be paid meanwhile;
    ``CH.UNAVAILABLE`` when no window is open.
    """
    with env.database.begin() as tx:
        stored = _held(tx, submitter_party, sdr_id)
        _mark_session(tx, stored)
        _take_in(tx, stored, _RELEASED, at=env.clock.now())
        note(tx, env, "release sdr", f"{submitter_party} {sdr_id}")
    return stored


def rematch_due(env: Environment) -> int:
    """Take in what was held for want of a session that is known now; return how many.

    A late authorization or report may bring it, when a station was without connection.
    Only what nothing else holds, a net debit cap included; one session, one SDR.
    """
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        matches = waiting.rematched(tx, limit=REMATCHED_MAX)
        found = waiting.sdrs_at(tx, list(matches)) if matches else []
    count = 0
    for stored in found:
        match = matches[stored.place]
        with env.database.begin() as tx:
            sdr_decisions.lock_decisions(tx, stored.csp_id)
            current = _current(tx, stored.submitter_id, stored.sdr_uid)
            if current.status is not SdrStatus.HELD:
                continue
            if sdr_decisions.has_paid_sdr(tx, match.session_id, stored.evse_key):
                continue
            window = settlement.join_open_window(tx)
            if not has_room(tx, stored, window.window_id, at=now):
                continue
            # Whoever ends the session has it: another SDR may have come meanwhile.
            if sdr_intake.mark_sessions(tx, [match.session_id]):
                _take_in(tx, stored, _MATCHED, at=now, match=match)
                count += 1
    return count


def admit_due(env: Environment) -> int:
    """Take in what a net debit cap held and has room for now; return how many.

    The oldest first; one that is too large does not stop smaller ones.
    """
    with env.database.begin_read_only() as tx:
        places = debit_caps.waiting(tx, limit=ADMITTED_MAX)
        by_place = {one.place: one for one in waiting.sdrs_at(tx, places)}
    too_large: dict[tuple[int, str], int] = {}
    count = 0
    for place in places:
        stored = by_place[place]
        key = (stored.csp_id, stored.currency)
        if stored.net_minor >= too_large.get(key, stored.net_minor + 1):
            continue
        try:
            admitted = _admit(env, stored)
        except ClearingHouseError as error:
            if error.code is not codes.SDR_DECIDED:
                raise
            continue  # its session or its credit has another SDR: a person decides
        if admitted:
            count += 1
        else:
            too_large[key] = stored.net_minor
    return count


def _admit(env: Environment, stored: StoredSdr) -> bool:
    """Take one in, if there is room; say whether it waits no more."""
    now = env.clock.now()
    with env.database.begin() as tx:
        sdr_decisions.lock_decisions(tx, stored.csp_id)
        current = _current(tx, stored.submitter_id, stored.sdr_uid)
        if current.status is not SdrStatus.HELD:
            return True
        window = settlement.join_open_window(tx)
        if not has_room(tx, stored, window.window_id, at=now):
            return False
        _mark_session(tx, stored)
        _take_in(tx, stored, _ADMITTED, at=now)
    return True


def reject(env: Environment, submitter_party: str, sdr_id: str) -> StoredSdr:
    """Put a held SDR away for good; its session waits for another one.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``; ``SDR_UNKNOWN``;
    ``SDR_DECIDED`` when it is not held.
    """
    with env.database.begin() as tx:
        stored = _held(tx, submitter_party, sdr_id)
        _put_away(tx, stored, _PUT_AWAY, at=env.clock.now())
        note(tx, env, "reject sdr", f"{submitter_party} {sdr_id}")
    return stored


def expire_due(env: Environment) -> int:
    """Put away what waited longer than its agreement says; return how many."""
    now = env.clock.now()
    with env.database.begin_read_only() as tx:
        due = waiting.overdue_sdrs(tx, now=now, limit=EXPIRED_MAX)
    count = 0
    for one in due:
        with env.database.begin() as tx:
            sdr_decisions.lock_decisions(tx, one.csp_id)
            if _current(tx, one.submitter_id, one.sdr_uid).status is SdrStatus.HELD:
                _put_away(tx, one, _EXPIRED, at=now)
                count += 1
    return count


def _held(tx: Connection, submitter_party: str, sdr_id: str) -> StoredSdr:
    """Return a held SDR, and let nobody else decide of it meanwhile."""
    submitter_id = participant_named(tx, submitter_party).participant_id
    csp_id = _current(tx, submitter_id, sdr_id).csp_id
    sdr_decisions.lock_decisions(tx, csp_id)
    stored = _current(tx, submitter_id, sdr_id)
    if stored.status is not SdrStatus.HELD:
        raise ClearingHouseError(
            codes.SDR_DECIDED, f"{sdr_id} is {stored.status.value}, not held"
        )
    return stored


def _current(tx: Connection, submitter_id: int, sdr_id: str) -> StoredSdr:
    key = (submitter_id, uid_hash(sdr_id))
    stored = sdrs.sdrs_by_hash(tx, [key]).get(key)
    if stored is None:
        raise ClearingHouseError(codes.SDR_UNKNOWN, f"there is no SDR {sdr_id}")
    return stored


def _take_in(
    tx: Connection,
    stored: StoredSdr,
    reason: str,
    *,
    at: datetime,
    match: Match | None = None,
) -> None:
    """Write a held SDR into the open window, and let it go to its home CSP."""
    window = settlement.join_open_window(tx)
    place = stored.place
    successor = sdr_decisions.write_anew(tx, place, window.window_id, match=match)
    gone = Exclusion(place, None, reason, successor)
    sdr_decisions.exclude(tx, [gone], at=at)
    _take_its_place(tx, stored, successor, at=at)
    taken_in = replace(stored, place=successor)
    sdr_intake.copy_totals(tx, sdr_decisions.claims_of([taken_in]))
    number = successor.sdr_no
    piece = Piece(stored.csp_id, number, number, count=1)
    sdr_delivery.queue_pieces(tx, [piece], stored.batch_id, window.window_id, at=at)
    _tell(tx, stored, Event(successor, SdrStatus.ACCEPTED, reason), at=at)


def _mark_session(tx: Connection, stored: StoredSdr) -> None:
    """Let the session have this SDR: held for a visited CSP, it left it as it was.

    Raises :class:`ClearingHouseError` (``SDR_DECIDED``) when it has one to be paid.
    """
    session_id = stored.session_id
    if session_id is None:
        return
    # A batch under way may have an SDR of it: wait, then look.
    sdr_intake.lock_sessions(tx, [session_id])
    if sdr_decisions.has_paid_sdr(tx, session_id, stored.evse_key):
        raise ClearingHouseError(
            codes.SDR_DECIDED, f"session {session_id} has an SDR that is to be paid"
        )
    sdr_intake.mark_sessions(tx, [session_id])


def _take_its_place(
    tx: Connection, stored: StoredSdr, successor: Place, *, at: datetime
) -> None:
    """Put a replacement that was held behind its credit.

    Raises :class:`ClearingHouseError` (``SDR_DECIDED``) when another one stands there,
    or the credit counts no more.
    """
    if stored.ref_sdr_uid is None:
        return
    credit = _current(tx, stored.submitter_id, stored.ref_sdr_uid)
    if credit.status in (SdrStatus.CORRECTED, SdrStatus.REJECTED):
        raise ClearingHouseError(
            codes.SDR_DECIDED, f"{stored.ref_sdr_uid} is {credit.status.value}"
        )
    corrections.copy_chain(tx, [Link(credit.place, successor, None)], at=at)


def _put_away(tx: Connection, stored: StoredSdr, reason: str, *, at: datetime) -> None:
    gone = Exclusion(stored.place, stored.session_id, reason)
    sdr_decisions.exclude(tx, [gone], at=at)
    _tell(tx, stored, Event(stored.place, SdrStatus.REJECTED, reason), at=at)


def _tell(tx: Connection, stored: StoredSdr, event: Event, *, at: datetime) -> None:
    rows = sdr_decisions.add_events(tx, [event], actor_id=None, at=at)
    told = {stored.submitter_id: rows}
    sdr_delivery.queue_notices(tx, told, stored.csp_id, at=at)
