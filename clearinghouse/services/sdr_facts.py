"""Gathering what SDRs are judged by: caches per batch, one query per chunk and table.

A chunk's facts are read before its first record is judged; what its own records change
(an id taken, a session that has its SDR, an EVSE that was busy) is kept here and laid
over the facts of those behind them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain.agreements import Agreement, in_force
from clearinghouse.domain.exchange import Sender
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdr_facts import (
    EvseFacts,
    Neighbour,
    SdrFacts,
)
from clearinghouse.domain.sdrs import ServiceDetailRecord, period_of, uid_hash
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers import evse_id
from clearinghouse.identifiers.errors import IdentifierError
from clearinghouse.services.corrections import version_of
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdr_candidates import Candidate, personal, recognise
from clearinghouse.services.sdr_debits import DebitDesk
from clearinghouse.services.sdr_matching import add_sessions
from clearinghouse.services.sdr_neighbours import (
    OVERLAP,
    TRAVEL,
    Recent,
    add_means,
    add_neighbours,
)
from clearinghouse.services.sdr_terms import TermsDesk
from clearinghouse.services.sdr_vat import VatDesk
from clearinghouse.storage import (
    agreements,
    corrections,
    participants,
    sdr_decisions,
    sdr_facts,
    sdr_intake,
)
from clearinghouse.storage.sdr_facts import Known, Sent

#: EVSEs that a batch remembers from chunk to chunk. It bounds its memory.
EVSES_REMEMBERED_MAX = 20_000

#: No participant: an EVSE is never its own.
_NOBODY = 0


class Knowledge:
    """What is known to a batch of one submitter; grows chunk by chunk."""

    def __init__(self, env: Environment, tx: Connection, sender: Sender) -> None:
        self._env = env
        self._tx = tx
        self._sender = sender
        self._now = env.clock.now()
        self.debits = DebitDesk(tx, now=self._now)
        self._ids = {party: n for n, party in participants.party_ids(tx).items()}
        self._vat = VatDesk(
            tx, sender.party_id, {n: party for party, n in self._ids.items()}
        )
        self._terms = TermsDesk(tx, sender.participant_id)
        self._collected: dict[int, list[Agreement]] | None = None
        self._aliases: dict[str, int | None] = {}
        self._evses: dict[str, EvseFacts | None] = {}
        self._locked = {sender.participant_id}  # as the batch begins
        self._known: dict[bytes, bytes] = {}
        self._done: set[int] = set()  # numbers of ids: those are hashed at once
        self._on_evse = Recent(OVERLAP)
        self._of_subject = Recent(TRAVEL)

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
        self._lock_out_others(candidates)
        self._known = {}
        self._done = set()
        self._on_evse, self._of_subject = Recent(OVERLAP), Recent(TRAVEL)
        self._add_evses(candidates)
        self._terms.add(candidates)
        self._add_subjects(candidates)
        self._add_known(candidates)
        submitter_id = self._sender.participant_id
        add_sessions(self._tx, submitter_id, candidates)
        self._vat.add(candidates)
        self._add_references(candidates)
        add_neighbours(self._tx, submitter_id, candidates)
        add_means(self._tx, submitter_id, candidates, now=self._now)
        self.debits.add(candidates)
        return candidates

    def refresh(self, candidate: Candidate) -> SdrFacts:
        """Return a record's facts as they are after those before it in its chunk."""
        facts, record = candidate.facts, candidate.record
        known = self._known.get(candidate.uid_hash)
        if known is not None:
            facts.known_digest = known
        session = facts.session
        if session is not None and session.session_id.int in self._done:
            facts.session = session._replace(state=SessionState.SDR_RECEIVED)
        on_evse = self._on_evse.around(facts.evse_key, record)
        if on_evse:
            facts.on_evse = [*facts.on_evse, *on_evse]
        if candidate.subject_id is not None:
            of_subject = self._of_subject.around(candidate.subject_id, record)
            if of_subject:
                facts.of_subject = [*facts.of_subject, *of_subject]
        return facts

    def note_id(self, candidate: Candidate, digest: bytes) -> None:
        """Let the records behind know that an id was taken."""
        self._known[candidate.uid_hash] = digest

    def note_taken(
        self, candidate: Candidate, digest: bytes, *, served: UUID | None
    ) -> None:
        """Let the records behind know that this one was taken.

        ``served``: the session that it ended, if it ended one.
        """
        facts, record = candidate.facts, candidate.record
        self.note_id(candidate, digest)
        if served is not None:
            self._done.add(served.int)
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
            record.energy_wh,
            facts.csp_id,
            candidate.subject_id,
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
            index=index,
            record=record,
            uid_hash=uid_hash(record.sdr_id),
            facts=facts,
            period=period_of(record),
        )

    def _lock_out_others(self, candidates: Iterable[Candidate]) -> None:
        """Let none speak for the CSOs of a chunk until this batch is committed.

        The CSO itself and a CSP that collects for it may tell of one charge at the
        same moment; whoever comes second has to see what the first one said.
        """
        csos = {candidate.facts.cso_id for candidate in candidates} - self._locked
        for cso_id in sorted(csos):
            sdr_intake.lock_submitter(self._tx, cso_id)
        self._locked |= csos

    def _cso_of(self, record: ServiceDetailRecord) -> int:
        if record.cso_id is None or record.cso_id == self._sender.party_id:
            return self._sender.participant_id
        return self._ids.get(record.cso_id, _NOBODY)

    def _add_evses(self, candidates: Iterable[Candidate]) -> None:
        keys = {c.facts.evse_key for c in candidates if c.facts.evse_key is not None}
        evses = self._evses
        if len(evses) > EVSES_REMEMBERED_MAX:
            evses.clear()
        new = keys - evses.keys()
        found = sdr_facts.evses_by_key(self._tx, new)
        evses |= {key: found.get(key) for key in new}
        strange = []
        for candidate in candidates:
            facts = candidate.facts
            if facts.evse_key is not None:
                facts.see_evse(evses[facts.evse_key])
            if facts.evse is None:
                strange.append(candidate)
        if strange:
            self._add_owners(strange)

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
            record = candidate.record
            if record.credential_value is None and record.contract_id is None:
                continue
            if candidate.facts.agreement is None:
                continue  # it is refused, and nobody's user is looked for
            for kind, value in personal(record):
                by_value = wanted.setdefault(kind, {})
                by_value.setdefault(value, []).append(candidate)
        for kind, by_value in wanted.items():
            found = self._env.vault.find_subjects(kind, by_value, budget="bulk")
            for value, subject in found.items():
                for candidate in by_value[value]:
                    recognise(candidate, kind, subject)

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

    def _add_references(self, candidates: Sequence[Candidate]) -> None:
        """Add what corrections refer to; their sessions wait for them.

        Nothing is decided of those SDRs until this batch is committed: a credit of what
        its home CSP rejects at the same moment would pay it back twice.
        """
        named = {
            uid_hash(c.record.ref_sdr_id): c.record.ref_sdr_id
            for c in candidates
            if c.record.ref_sdr_id is not None
        }
        if not named:
            return
        submitter_id = self._sender.participant_id
        seen = corrections.versions_of(self._tx, submitter_id, named)
        for csp_id in sorted({one.csp_id for one in seen.values()}):
            sdr_decisions.lock_decisions(self._tx, csp_id)
        found = corrections.versions_of(self._tx, submitter_id, named)
        for candidate in candidates:
            ref_sdr_id = candidate.record.ref_sdr_id
            stored = None if ref_sdr_id is None else found.get(uid_hash(ref_sdr_id))
            if stored is None:
                continue
            facts, session = candidate.facts, candidate.facts.session
            candidate.reference = stored
            facts.reference = version_of(stored)
            if session is not None and session.session_id == stored.session_id:
                candidate.reopened |= session.state is SessionState.SDR_RECEIVED
                facts.session = session._replace(state=SessionState.ENDED)


def _as_sent(facts: SdrFacts, known: Known, sent: Mapping[Known, Sent]) -> None:
    before = sent.get(known, Sent(None, None))
    if facts.subject_id is None or before.credential_subject_id is None:
        facts.subject_id = before.credential_subject_id
    if facts.contract_subject_id is None or before.contract_subject_id is None:
        facts.contract_subject_id = before.contract_subject_id
