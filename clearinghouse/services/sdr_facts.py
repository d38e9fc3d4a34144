"""Gathering what SDRs are judged by: caches per batch, one query per chunk and table.

A chunk's facts are read before its first record is judged; what its own records change
(an id taken, a session that has its SDR, an EVSE that was busy) is kept here and laid
over the facts of those behind them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain.agreements import Agreement, in_force
from clearinghouse.domain.exchange import Sender
from clearinghouse.domain.money import CURRENCIES, minor_or_none
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.rating import compile_tariff
from clearinghouse.domain.sdr_facts import (
    EvseFacts,
    Neighbour,
    SdrFacts,
    TariffFacts,
)
from clearinghouse.domain.sdrs import ServiceDetailRecord, uid_hash
from clearinghouse.domain.sessions import SessionState
from clearinghouse.domain.tariffs import TariffVersion, version_in_force
from clearinghouse.identifiers import contract_id, credential, evse_id
from clearinghouse.identifiers.errors import IdentifierError
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services.environment import Environment
from clearinghouse.storage import agreements, participants, sdr_facts, tariffs
from clearinghouse.storage.sdr_facts import FoundSession, Known, Sent, Stay
from clearinghouse.storage.vault import Found

#: EVSEs that a batch remembers from chunk to chunk. It bounds its memory.
EVSES_REMEMBERED_MAX = 20_000

#: Where an EVSE stands of which the registry knows nothing yet; the SDR is held.
_ZONE_UNKNOWN = "UTC"

#: No participant: an EVSE is never its own.
_NOBODY = 0

#: Claims below this share of the ceiling are too small to ask for the EVSE's mean.
_MEAN_FROM_SHARE = 5
_MEAN_DAYS = 90

_OVERLAP = timedelta(hours=sdr_facts.OVERLAP_HOURS)
_TRAVEL = timedelta(hours=sdr_facts.TRAVEL_HOURS)
#: A session that the sender's clock sets a little in the future may be stored already.
_CLOCK_SLACK = timedelta(minutes=10)


@dataclass(slots=True, kw_only=True)
class Candidate:
    """One record with what is known of it; ``index`` is its place in the batch.

    ``subject_id`` is who charged, by what was sent or else by the session.
    """

    index: int
    record: ServiceDetailRecord
    uid_hash: bytes
    facts: SdrFacts
    subject_id: int | None = None


class _Recent:
    """Records of this chunk that were taken, by EVSE or subject, in order of start."""

    def __init__(self, reach: timedelta) -> None:
        self._reach = reach
        self._by_key: dict[object, list[Neighbour]] = defaultdict(list)

    def add(self, key: object, taken: Neighbour) -> None:
        insort(self._by_key[key], taken, key=_started_at)

    def around(self, key: object, record: ServiceDetailRecord) -> list[Neighbour]:
        taken = self._by_key.get(key)
        if not taken:
            return []
        middle = bisect_left(taken, record.ended_at, key=_started_at)
        first = max(0, middle - sdr_facts.NEAREST_MAX)
        return [
            one
            for one in taken[first : middle + sdr_facts.NEAREST_MAX]
            if abs(one.started_at - record.started_at) < self._reach
        ]


_started_at = attrgetter("started_at")


class Knowledge:
    """What is known to a batch of one submitter; grows chunk by chunk."""

    def __init__(self, env: Environment, tx: Connection, sender: Sender) -> None:
        self._env = env
        self._tx = tx
        self._sender = sender
        self._now = env.clock.now()
        self._ids = {party: n for n, party in participants.party_ids(tx).items()}
        self._agreements: dict[int, list[Agreement]] = {}
        self._collected: dict[int, list[Agreement]] | None = None
        self._aliases: dict[str, int | None] = {}
        self._evses: dict[str, EvseFacts | None] = {}
        self._versions: dict[str, list[TariffVersion]] = {}
        self._raters: dict[tuple[int, str], TariffFacts] = {}
        self._known: dict[bytes, bytes] = {}
        self._done: set[UUID] = set()
        self._on_evse = _Recent(_OVERLAP)
        self._of_subject = _Recent(_TRAVEL)

    def collects(self, record: ServiceDetailRecord) -> bool:
        """Say whether the sender collects SDRs for the CSO that the record names.

        By an agreement in force when the record began (clause 4.2-visited).
        """
        if self._collected is None:
            self._collected = defaultdict(list)
            sender_id = self._sender.participant_id
            for found in agreements.agreements_to_collect(self._tx, sender_id):
                self._collected[found.visited_id].append(found)
        versions = self._collected.get(self._cso_of(record), ())
        return in_force(versions, record.started_at) is not None

    def gather(
        self, records: Sequence[tuple[int, ServiceDetailRecord]]
    ) -> list[Candidate]:
        """Return the records of a chunk with their facts, in order."""
        candidates = [self._candidate(index, record) for index, record in records]
        self._known = {}
        self._done = set()
        self._on_evse, self._of_subject = _Recent(_OVERLAP), _Recent(_TRAVEL)
        self._add_partners(candidates)
        self._add_evses(candidates)
        self._add_subjects(candidates)
        self._add_known(candidates)
        self._add_sessions(candidates)
        self._add_tariffs(candidates)
        self._add_neighbours(candidates)
        self._add_means(candidates)
        return candidates

    def refresh(self, candidate: Candidate) -> SdrFacts:
        """Return a record's facts as they are after those before it in its chunk."""
        facts, record = candidate.facts, candidate.record
        known = self._known.get(candidate.uid_hash)
        if known is not None:
            facts.known_digest = known
        session = facts.session
        if session is not None and session.session_id in self._done:
            facts.session = session._replace(state=SessionState.SDR_RECEIVED)
        on_evse = self._on_evse.around(facts.evse_key, record)
        if on_evse:
            facts.on_evse = [*facts.on_evse, *on_evse]
        if candidate.subject_id is not None:
            of_subject = self._of_subject.around(candidate.subject_id, record)
            if of_subject:
                facts.of_subject = [*facts.of_subject, *of_subject]
        return facts

    def note_taken(
        self, candidate: Candidate, digest: bytes, *, served: UUID | None
    ) -> None:
        """Let the records behind know that this one was taken.

        ``served``: the session that it ended, if it ended one.
        """
        facts, record = candidate.facts, candidate.record
        self._known[candidate.uid_hash] = digest
        if served is not None:
            self._done.add(served)
        if facts.evse_key is None:
            return
        evse = facts.evse
        taken = Neighbour(
            record.sdr_id,
            facts.evse_key,
            record.started_at,
            record.ended_at,
            None if evse is None else evse.latitude_u,
            None if evse is None else evse.longitude_u,
        )
        self._on_evse.add(facts.evse_key, taken)
        if candidate.subject_id is not None:
            self._of_subject.add(candidate.subject_id, taken)

    def _candidate(self, index: int, record: ServiceDetailRecord) -> Candidate:
        facts = SdrFacts(
            now=self._now,
            submitter_id=self._sender.participant_id,
            cso_id=self._cso_of(record),
            csp_id=self._ids.get(record.csp_id),
        )
        try:
            facts.evse_key = evse_id.parse(record.evse_id).key
        except IdentifierError as error:
            facts.evse_problem = str(error)
        return Candidate(
            index=index, record=record, uid_hash=uid_hash(record.sdr_id), facts=facts
        )

    def _cso_of(self, record: ServiceDetailRecord) -> int:
        if record.cso_id is None or record.cso_id == self._sender.party_id:
            return self._sender.participant_id
        return self._ids.get(record.cso_id, _NOBODY)

    def _add_partners(self, candidates: Iterable[Candidate]) -> None:
        new = {
            candidate.facts.csp_id
            for candidate in candidates
            if candidate.facts.csp_id is not None
        } - self._agreements.keys()
        if new:
            self._agreements |= {home_id: [] for home_id in new}
            visited_id = self._sender.participant_id
            for found in agreements.agreements_with_homes(self._tx, visited_id, new):
                self._agreements[found.home_id].append(found)
        for candidate in candidates:
            if candidate.facts.csp_id is not None:
                candidate.facts.agreement = self._agreement(candidate)

    def _agreement(self, candidate: Candidate) -> Agreement | None:
        """Return the agreement in the record's currency, or else any that is in force.

        With another currency the rule on currencies speaks, not the one on relations.
        """
        record = candidate.record
        versions = self._agreements[candidate.facts.csp_id or _NOBODY]
        same = [one for one in versions if one.currency == record.currency]
        return in_force(same, record.started_at) or in_force(
            versions, record.started_at
        )

    def _add_evses(self, candidates: Iterable[Candidate]) -> None:
        keys = {c.facts.evse_key for c in candidates if c.facts.evse_key is not None}
        if len(self._evses) > EVSES_REMEMBERED_MAX:
            self._evses.clear()
        new = keys - self._evses.keys()
        found = sdr_facts.evses_by_key(self._tx, new)
        self._evses |= {key: found.get(key) for key in new}
        for candidate in candidates:
            if candidate.facts.evse_key is not None:
                candidate.facts.see_evse(self._evses[candidate.facts.evse_key])
        self._add_owners(c for c in candidates if c.facts.evse is None)

    def _add_owners(self, candidates: Iterable[Candidate]) -> None:
        """Say of EVSEs that are not registered whether their ids are the CSO's."""
        named = [
            (candidate, evse_id.parse(candidate.record.evse_id).operator)
            for candidate in candidates
            if candidate.facts.evse_key is not None
        ]
        new = {operator for _, operator in named} - self._aliases.keys()
        if new:
            found = participants.owners_of_aliases(self._tx, new)
            self._aliases |= {operator: found.get(operator) for operator in new}
        for candidate, operator in named:
            owner_id = self._aliases[operator]
            candidate.facts.evse_prefix_owned = owner_id == candidate.facts.cso_id

    def _add_subjects(self, candidates: Iterable[Candidate]) -> None:
        """Put the pseudonyms of the named CSP's users in place of their credentials.

        What another CSP enrolled stays unknown: its user is not told to this one.
        Unlike a list, an SDR enrols nobody: whoever names a CSP wrongly would claim
        its user.
        """
        wanted: dict[SubjectKind, dict[str, list[Candidate]]] = {}
        for candidate in candidates:
            if candidate.facts.agreement is None:
                continue  # it is refused, and nobody's user is looked for
            for kind, value in _personal(candidate.record):
                by_value = wanted.setdefault(kind, {})
                by_value.setdefault(value, []).append(candidate)
        for kind, by_value in wanted.items():
            found = self._env.vault.find_subjects(kind, by_value, budget="bulk")
            for value, subject in found.items():
                for candidate in by_value[value]:
                    _recognise(candidate, kind, subject)

    def _add_known(self, candidates: Sequence[Candidate]) -> None:
        """Add what is stored under the ids, and compare like with like.

        A user may have been enrolled, or erased, since the SDR was stored; that is no
        other content. So a pseudonym counts only where it was known both times.
        """
        hashes = {candidate.uid_hash for candidate in candidates}
        known = sdr_facts.known_ids(self._tx, self._sender.participant_id, hashes)
        if not known:
            return
        sent = sdr_facts.sent_with(self._tx, known.values())
        for candidate in candidates:
            found = known.get(candidate.uid_hash)
            if found is not None:
                candidate.facts.known_digest = found.content_digest
                _as_sent(candidate.facts, found, sent)

    def _add_sessions(self, candidates: Sequence[Candidate]) -> None:
        """Match by our id, by the submitter's id, or by EVSE, subject and start."""
        submitter_id = self._sender.participant_id
        named = {
            candidate.record.partner_session_id
            for candidate in candidates
            if candidate.record.session_id is None
        }
        partner_ids = sdr_facts.session_ids_by_partner_id(
            self._tx, submitter_id, [name for name in named if name is not None]
        )
        ids: dict[int, UUID] = {}
        for candidate in candidates:
            record = candidate.record
            found = record.session_id or partner_ids.get(
                record.partner_session_id or ""
            )
            if found is not None:
                ids[candidate.index] = found
        sessions = sdr_facts.sessions_by_id(self._tx, set(ids.values()))
        for candidate in candidates:
            _join(candidate, sessions.get(ids.get(candidate.index, _NO_SESSION)))
        open_stays = [
            stay
            for candidate in candidates
            if candidate.index not in ids
            for stay in _stays(candidate)
            if stay.subject_id is not None
        ]
        fitting = sdr_facts.sessions_that_fit(self._tx, submitter_id, open_stays)
        for candidate in candidates:
            _join(candidate, fitting.get(candidate.index))
        self._reopen(candidates)

    def _reopen(self, candidates: Iterable[Candidate]) -> None:
        """Let a session whose SDR was rejected have another one."""
        served = {
            candidate.facts.session.session_id
            for candidate in candidates
            if candidate.facts.known_digest is None
            and candidate.facts.session is not None
            and candidate.facts.session.state is SessionState.SDR_RECEIVED
        }
        waiting = sdr_facts.sessions_that_wait(
            self._tx, self._sender.participant_id, served
        )
        for candidate in candidates if waiting else ():
            session = candidate.facts.session
            if session is not None and session.session_id in waiting:
                candidate.facts.session = session._replace(state=SessionState.ENDED)

    def _add_tariffs(self, candidates: Sequence[Candidate]) -> None:
        submitter_id = self._sender.participant_id
        new = {c.record.tariff_id for c in candidates} - self._versions.keys()
        if new:
            self._versions |= {tariff_id: [] for tariff_id in new}
            for found in tariffs.versions_of(self._tx, submitter_id, new):
                self._versions[found.tariff.tariff_id].append(found)
        for candidate in candidates:
            version = version_in_force(
                self._versions[candidate.record.tariff_id],
                receiver_id=candidate.facts.csp_id or _NOBODY,
                at=candidate.record.started_at,
            )
            if version is not None:
                evse = candidate.facts.evse
                zone = _ZONE_UNKNOWN if evse is None else evse.zone
                candidate.facts.tariff = self._rater(version, zone)

    def _rater(self, version: TariffVersion, zone: str) -> TariffFacts:
        key = (version.tariff_version_id, zone)
        if key not in self._raters:
            self._raters[key] = TariffFacts(
                version.tariff_version_id,
                version.tariff.currency,
                compile_tariff(version.tariff, zone_named(zone)),
            )
        return self._raters[key]

    def _add_neighbours(self, candidates: Sequence[Candidate]) -> None:
        # What will be refused anyway has no neighbours; the rules pass the rest over.
        stays = [
            stay
            for candidate in candidates
            if candidate.facts.agreement is not None
            and candidate.facts.evse is not None
            and candidate.facts.tariff is not None
            for stay in _stays(candidate)
        ]
        if not stays:
            return
        submitter_id = self._sender.participant_id
        since = min(stay.started_at for stay in stays) - _TRAVEL - _CLOCK_SLACK
        windows = sdr_facts.windows_since(self._tx, since)
        on_evse = sdr_facts.neighbours_on_evse(self._tx, submitter_id, stays, windows)
        of_subject = sdr_facts.neighbours_of_subject(
            self._tx, submitter_id, stays, windows
        )
        for candidate in candidates:
            candidate.facts.on_evse = on_evse.get(candidate.index, ())
            candidate.facts.of_subject = of_subject.get(candidate.index, ())

    def _add_means(self, candidates: Sequence[Candidate]) -> None:
        """Ask for the EVSE's mean only where the claim is not small anyway."""
        high = [candidate for candidate in candidates if _is_high(candidate)]
        wanted = {(c.facts.evse_key or "", c.record.currency) for c in high}
        since = self._now - timedelta(days=_MEAN_DAYS)
        submitter_id = self._sender.participant_id
        means = sdr_facts.mean_nets(self._tx, submitter_id, wanted, since=since)
        for candidate in high:
            candidate.facts.mean_net_minor = means.get(candidate.facts.evse_key or "")


#: Stands for no session in a look-up; sessions have random ids.
_NO_SESSION = UUID(int=0)


def _personal(record: ServiceDetailRecord) -> Iterable[tuple[SubjectKind, str]]:
    """Give the values of a person in the form in which the vault knows them."""
    kind, value = record.credential_kind, record.credential_value
    try:
        if kind is not None and value is not None:
            yield SubjectKind(kind.value), credential.validate(kind, value)
    except IdentifierError:
        pass  # of no known shape, so nobody's: matching does without it
    try:
        if record.contract_id is not None:
            yield SubjectKind.CONTRACT, contract_id.validate(record.contract_id)
    except IdentifierError:
        pass


def _recognise(candidate: Candidate, kind: SubjectKind, subject: Found) -> None:
    facts = candidate.facts
    if subject.owner_id != facts.csp_id:
        return
    if kind is SubjectKind.CONTRACT:
        facts.contract_subject_id = subject.subject_id
    else:
        facts.subject_id = subject.subject_id
    candidate.subject_id = facts.subject_id or facts.contract_subject_id


def _as_sent(facts: SdrFacts, known: Known, sent: Mapping[Known, Sent]) -> None:
    before = sent.get(known, Sent(None, None))
    if facts.subject_id is None or before.credential_subject_id is None:
        facts.subject_id = before.credential_subject_id
    if facts.contract_subject_id is None or before.contract_subject_id is None:
        facts.contract_subject_id = before.contract_subject_id


def _join(candidate: Candidate, found: FoundSession | None) -> None:
    if found is None or not candidate.facts.see_session(found.facts):
        return
    if candidate.subject_id is None and found.facts.home_id == candidate.facts.csp_id:
        candidate.subject_id = found.subject_id


def _stays(candidate: Candidate) -> Iterable[Stay]:
    facts, record = candidate.facts, candidate.record
    if facts.evse_key is not None and record.ended_at > record.started_at:
        yield Stay(
            candidate.index,
            facts.evse_key,
            record.started_at,
            record.ended_at,
            candidate.subject_id,
            facts.cso_id,
        )


def _is_high(candidate: Candidate) -> bool:
    record, agreement = candidate.record, candidate.facts.agreement
    currency = CURRENCIES.get(record.currency)
    if agreement is None or currency is None or candidate.facts.evse is None:
        return False
    claimed_minor = minor_or_none(record.claimed_net, currency)
    ceiling_minor = agreement.net_ceiling_minor
    if claimed_minor is None:
        return False
    return ceiling_minor is None or claimed_minor * _MEAN_FROM_SHARE > ceiling_minor
