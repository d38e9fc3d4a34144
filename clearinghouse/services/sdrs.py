"""SDRs after intake: pulled, asked about, confirmed or rejected (4.3-I3).

The home CSP sees what it has to pay, the submitter what it sent. Deliveries are in
:mod:`clearinghouse.services.sdr_delivery`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import ClearingHouseError, Item, foreign_cursor
from clearinghouse.domain.exchange import Exchange, Role, Sender
from clearinghouse.domain.sdrs import (
    MatchKind,
    SdrKind,
    SdrStatus,
    Verdict,
    uid_hash,
    verdict_step,
)
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import sdr_delivery
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Done, partly
from clearinghouse.services.ports import DeliveredSdr
from clearinghouse.services.sdr_delivery import Said
from clearinghouse.storage import (
    corrections,
    debit_caps,
    messages,
    participants,
    refused_sdrs,
    rule_hits,
    sdr_decisions,
    sdr_intake,
    sdrs,
    settlement,
)
from clearinghouse.storage.feeds import Page, bounded, parse_cursor
from clearinghouse.storage.refused_sdrs import RefusedSdr
from clearinghouse.storage.sdr_decisions import Event, Exclusion
from clearinghouse.storage.sdrs import Place, StoredSdr, WholeSdr
from clearinghouse.storage.signed_values import SignedRow

#: Entries of one page of a batch's status.
STATUS_PAGE_MAX = 1_000

#: Bytes of the entries of one page: who pulls takes messages as long as deliveries are.
PAGE_BYTES_MAX = sdr_delivery.DELIVERY_BYTES_MAX

#: Bytes that an entry of a status takes at most, beside the rules that the SDR met.
STANDING_BYTES = 1_200

#: What an exclusion says when the home CSP gave no reason.
_NO_REASON = "REJECTED"

_NUMBER_CURSOR = re.compile("[0-9]{1,9}")


class SdrRole(StrEnum):
    """As what the sender asks for SDRs."""

    HOME_CSP = "HOME_CSP"
    SUBMITTER = "SUBMITTER"


@dataclass(frozen=True, slots=True, kw_only=True)
class SdrQuery:
    """A page of SDRs; without ``role`` a CSP asks as home CSP, a CSO as submitter."""

    role: SdrRole | None
    cursor: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What the home CSP says of one SDR."""

    submitter_party: str
    sdr_id: str
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusQuery:
    """SDRs by id, or all of one batch; without ``submitter_party`` the sender's own."""

    sdr_ids: Sequence[str] = ()
    batch_sequence: int | None = None
    submitter_party: str | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one SDR stands; amounts only where it was taken."""

    submitter_party: str
    sdr_id: str
    status: SdrStatus
    window_id: int | None = None
    window_label: str | None = None
    rated_net_minor: int | None = None
    currency: str | None = None
    remarks: tuple[Item, ...] = ()
    changed_at: datetime | None = None
    match_kind: MatchKind | None = None
    agreement_version: int | None = None


@dataclass(frozen=True, slots=True)
class StandingPage:
    """Where SDRs stand; ``cursor`` asks for the rest."""

    standings: tuple[Standing, ...]
    cursor: str | None = None

    @property
    def more(self) -> bool:
        """Whether there are further ones."""
        return self.cursor is not None


def get_sdrs(env: Environment, sender: Sender, query: SdrQuery) -> Page[DeliveredSdr]:
    """Return the SDRs that came for the sender, or from it, since the cursor.

    A page ends before :data:`PAGE_BYTES_MAX`, but has one SDR at least. Raises
    :class:`ClearingHouseError` (``CH.CURSOR``) for a cursor that is not ours.
    """
    default = SdrRole.HOME_CSP if Role.CSP in sender.roles else SdrRole.SUBMITTER
    as_home = (query.role or default) is SdrRole.HOME_CSP
    # What is taken in meanwhile comes at its later place: a page is one look.
    with env.database.begin_snapshot() as tx:
        page, said = _read(tx, sender.participant_id, query, as_home=as_home)
    views = sdr_delivery.views_of(env, page.items, said, as_home=as_home)
    return Page(views, page.cursor, page.more)


def _read(
    tx: Connection, participant_id: int, query: SdrQuery, *, as_home: bool
) -> tuple[Page[WholeSdr], Said]:
    """Read a page of SDRs and what is kept of them, as much as one answer holds."""
    read = sdrs.sdrs_for_csp if as_home else sdrs.sdrs_of_submitter
    cursor, size, limit = parse_cursor(query.cursor), 0, bounded(query.limit)
    kept: list[WholeSdr] = []
    hits: dict[Place, tuple[Item, ...]] = {}
    signed: dict[Place, tuple[SignedRow, ...]] = {}
    for part in read(tx, participant_id, cursor=cursor, limit=limit):
        places = [found.stored.place for found in part]
        said = sdr_delivery.said_of(tx, places, as_home=as_home)
        hits |= said.hits
        for found in part:
            size += sdr_delivery.stored_bytes_max(found.stored, said)
            if kept and (size > PAGE_BYTES_MAX or len(kept) >= limit):
                return Page(tuple(kept), cursor, more=True), Said(hits, signed)
            place = found.stored.place
            if place in said.signed:
                signed[place] = said.signed[place]
            kept.append(found.stored)
            cursor = found.cursor
    return Page(tuple(kept), cursor, more=False), Said(hits, signed)


def get_sdr_status(
    env: Environment, sender: Sender, query: StatusQuery
) -> StandingPage:
    """Return where SDRs stand, for their submitter or their home CSP.

    An SDR that is neither the sender's own nor one that it has to pay is UNKNOWN, as
    one that never was. Raises :class:`ClearingHouseError`: ``SDR_UNKNOWN`` for a batch
    that the sender did not submit, ``CH.CURSOR`` for a cursor that is not ours.
    """
    after = _number_after(query.cursor)
    with env.database.begin_read_only() as tx:
        if query.batch_sequence is not None:
            return _batch_standing(tx, sender, query, after=after)
        party = query.submitter_party or sender.party_id
        submitter = participants.participant_by_party_id(tx, party)
        submitter_id = 0 if submitter is None else submitter.participant_id
        own = submitter_id == sender.participant_id
        asked = list(dict.fromkeys(query.sdr_ids))[after + 1 :]
        hashes = {sdr_id: uid_hash(sdr_id) for sdr_id in asked}
        stored = sdrs.sdrs_by_hash(tx, [(submitter_id, key) for key in hashes.values()])
        refused = (
            refused_sdrs.refused_by_id(tx, submitter_id, list(hashes)) if own else {}
        )
        announced = _announced(tx, stored.values())
        seen = {
            key: found
            for (_, key), found in stored.items()
            if own or _is_told(found, sender.participant_id, announced)
        }
        places = [found.place for found in seen.values()]
        hits = rule_hits.hits_of(tx, places, as_home=not own)
    standings = (
        _standing(seen[key], hits.get(seen[key].place, ()))
        if key in seen
        else _refused_standing(party, sdr_id, refused.get(sdr_id))
        for sdr_id, key in hashes.items()
    )
    return _paged(list(enumerate(standings, start=after + 1)))


def confirm_sdrs(
    env: Environment,
    exchange: Exchange,
    words: Sequence[Word],
    render: Callable[[Done], bytes],
) -> bytes:
    """Book what the home CSP says of SDRs that it has to pay.

    A rejection before the window ends takes the SDR out of it and lowers the claim; its
    submitter is told of every word. Afterwards only a dispute helps. Each word that has
    no effect is an item: ``SDR_UNKNOWN``, ``SDR_DECIDED``, ``SDR_WINDOW_CLOSED``.
    """
    csp_id = exchange.sender.participant_id
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        sdr_decisions.lock_decisions(tx, csp_id)
        # No window ends between our look at its state and the commit.
        settlement.hold_windows(tx)
        items, taken = _weigh(tx, csp_id, words)
        _book(tx, csp_id, taken, at=now)
        answer = render(Done(code=partly(items), items=items))
        messages.remember(tx, exchange, answer, at=now)
    return answer


@dataclass(frozen=True, slots=True)
class _Taken:
    """A word that has an effect."""

    stored: StoredSdr
    word: Word

    @property
    def is_rejection(self) -> bool:
        return self.word.verdict is Verdict.REJECTED


def _weigh(
    tx: Connection, csp_id: int, words: Sequence[Word]
) -> tuple[tuple[Item, ...], list[_Taken]]:
    ids = {party: number for number, party in participants.party_ids(tx).items()}
    keys = [(ids.get(word.submitter_party, 0), uid_hash(word.sdr_id)) for word in words]
    found = sdrs.sdrs_by_hash(tx, set(keys))
    announced = _announced(tx, found.values())
    said: dict[tuple[int, bytes], SdrStatus] = {}
    items: list[Item] = []
    taken: list[_Taken] = []
    for index, (key, word) in enumerate(zip(keys, words, strict=True)):
        stored = found.get(key)
        if stored is None or not _is_told(stored, csp_id, announced):
            items.append(_item(codes.SDR_UNKNOWN, index, word.sdr_id))
            continue
        if stored.status is SdrStatus.HELD:
            items.append(_item(codes.SDR_WAITS, index, stored.status.value))
            continue
        current = said.get(key, stored.status)
        wanted = _wanted(tx, stored, current, word.verdict)
        if isinstance(wanted, Code):
            items.append(_item(wanted, index, current.value))
        elif wanted is current:
            items.append(_item(codes.ALREADY_DONE, index, current.value))
        else:
            said[key] = wanted
            taken.append(_Taken(stored, word))
    return tuple(items), taken


def _wanted(
    tx: Connection, stored: StoredSdr, current: SdrStatus, verdict: Verdict
) -> SdrStatus | Code:
    wanted = verdict_step(current, verdict)
    is_new_rejection = wanted is SdrStatus.REJECTED and current is not wanted
    if is_new_rejection and stored.kind is SdrKind.CREDIT:
        return codes.SDR_DECIDED  # it would make what it cancels count again
    if (
        is_new_rejection
        and stored.kind is SdrKind.REPLACEMENT
        and corrections.is_of_dispute(tx, stored.place)
    ):
        return codes.SDR_DECIDED  # what a dispute came to is final
    if is_new_rejection and stored.window_state is not WindowState.OPEN:
        return codes.SDR_WINDOW_CLOSED
    return wanted


def _book(
    tx: Connection, csp_id: int, taken: Sequence[_Taken], *, at: datetime
) -> None:
    events = [
        Event(
            one.stored.place,
            SdrStatus.REJECTED if one.is_rejection else SdrStatus.CONFIRMED,
            one.word.reason,
        )
        for one in taken
    ]
    rows = sdr_decisions.add_events(tx, events, actor_id=csp_id, at=at)
    rejected = [one for one in taken if one.is_rejection]
    sdr_decisions.exclude(tx, [_exclusion(one) for one in rejected], at=at)
    lowered = sdr_decisions.claims_of((one.stored for one in rejected), times=-1)
    sdr_intake.copy_totals(tx, lowered)
    told: dict[int, list[int]] = {}
    for one, row in zip(taken, rows, strict=True):
        told.setdefault(one.stored.submitter_id, []).append(row)
    sdr_delivery.queue_notices(tx, told, csp_id, at=at)


def _exclusion(taken: _Taken) -> Exclusion:
    reason = taken.word.reason or _NO_REASON
    return Exclusion(taken.stored.place, taken.stored.session_id, reason)


def _announced(tx: Connection, stored: Iterable[StoredSdr]) -> Collection[Place]:
    """Return where SDRs stand that only a net debit cap holds."""
    held = [one.place for one in stored if one.status is SdrStatus.HELD]
    return debit_caps.capped(tx, held)


def _is_told(stored: StoredSdr, csp_id: int, announced: Collection[Place]) -> bool:
    """Say whether an SDR is a home CSP's to see: its own, and not held by a rule.

    What a net debit cap holds is delivered all the same.
    """
    if stored.csp_id != csp_id:
        return False
    return stored.status is not SdrStatus.HELD or stored.place in announced


def _batch_standing(
    tx: Connection, sender: Sender, query: StatusQuery, *, after: int
) -> StandingPage:
    sequence = query.batch_sequence or 0
    batch_id = None
    if query.submitter_party in (None, sender.party_id):
        batch_id = sdrs.batch_of_sequence(tx, sender.participant_id, sequence)
    if batch_id is None:
        raise ClearingHouseError(codes.SDR_UNKNOWN, f"batch {sequence}")
    size = STATUS_PAGE_MAX + 1
    stored = sdrs.sdrs_of_batch(tx, batch_id, after_record=after, limit=size)
    refused = refused_sdrs.refused_of_batch(
        tx, batch_id, after_record=after, limit=size
    )
    hits = rule_hits.hits_of(tx, [found.place for found in stored], as_home=False)
    numbered = [
        (found.record_no, _standing(found, hits.get(found.place, ())))
        for found in stored
    ]
    numbered += [
        (found.record_no, _refused_standing(sender.party_id, found.sdr_uid, found))
        for found in refused
    ]
    numbered.sort(key=lambda pair: pair[0])
    return _paged(numbered)


def _paged(numbered: Sequence[tuple[int, Standing]]) -> StandingPage:
    """Return as many entries as one answer holds, by number and length; at least one.

    The cursor is the number of the last: of the record in its batch, or of the id among
    those that were asked about.
    """
    shown: list[Standing] = []
    size, last = 0, 0
    for number, standing in numbered[:STATUS_PAGE_MAX]:
        size += STANDING_BYTES + sdr_delivery.hits_bytes_max(standing.remarks)
        if shown and size > PAGE_BYTES_MAX:
            break
        shown.append(standing)
        last = number
    is_cut = len(shown) < len(numbered)
    return StandingPage(tuple(shown), cursor=str(last) if is_cut else None)


def _number_after(cursor: str | None) -> int:
    if not cursor:
        return -1
    if _NUMBER_CURSOR.fullmatch(cursor) is None:
        raise foreign_cursor()
    return int(cursor)


def _standing(stored: StoredSdr, remarks: tuple[Item, ...]) -> Standing:
    return Standing(
        submitter_party=stored.submitter_party,
        sdr_id=stored.sdr_uid,
        status=stored.status,
        window_id=stored.place.window_id,
        window_label=stored.window_label,
        rated_net_minor=stored.net_minor,
        currency=stored.currency,
        remarks=remarks,
        changed_at=stored.changed_at,
        match_kind=stored.match_kind,
        agreement_version=stored.agreement_version,
    )


def _refused_standing(party: str, sdr_id: str, found: RefusedSdr | None) -> Standing:
    if found is None:
        return Standing(submitter_party=party, sdr_id=sdr_id, status=SdrStatus.UNKNOWN)
    return Standing(
        submitter_party=party,
        sdr_id=sdr_id,
        status=SdrStatus.REFUSED,
        remarks=found.items,
        changed_at=found.received_at,
    )


def _item(code: Code, index: int, found: str) -> Item:
    return Item(code=code, index=index, path=f"decision[{index + 1}]", found=found)
