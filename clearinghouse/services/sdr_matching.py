"""Finding the session that an SDR is about: matching of the rule catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain.sdr_facts import ListedFacts, SdrFacts, SessionFacts
from clearinghouse.domain.sdrs import MatchKind
from clearinghouse.domain.sessions import SessionState
from clearinghouse.services.sdr_candidates import Candidate, stays_of
from clearinghouse.storage import intermediate_sdrs, sdr_facts, sdr_intake

_SERVED = SessionState.SDR_RECEIVED


def add_sessions(
    tx: Connection, submitter_id: int, candidates: Sequence[Candidate]
) -> None:
    """Match by our id, by the submitter's id, or by EVSE, subject and start."""
    ids: dict[int, UUID] = {}
    unnamed = []
    for candidate in candidates:
        session_id = candidate.record.session_id
        if session_id is None:
            unnamed.append(candidate)
        else:
            ids[candidate.index] = session_id
    if unnamed:
        ids |= _by_partner_ids(tx, submitter_id, unnamed)
    sessions = sdr_facts.sessions_by_id(tx, ids)
    for candidate in candidates if sessions else ():
        named = candidate.record.session_id is not None
        kind = MatchKind.SESSION_ID if named else MatchKind.PARTNER_SESSION_ID
        _join(candidate, sessions.get(candidate.index), kind)
    fitting = _fitting(
        tx, submitter_id, [one for one in unnamed if one.index not in ids]
    )
    for candidate in unnamed if fitting else ():
        _join(candidate, fitting.get(candidate.index), MatchKind.EVSE_AND_USER)
    _reopen(tx, submitter_id, candidates)
    _add_so_far(tx, submitter_id, candidates)
    _add_listed(tx, candidates)


def _by_partner_ids(
    tx: Connection, submitter_id: int, candidates: Iterable[Candidate]
) -> dict[int, UUID]:
    """Return the sessions that records name by the submitter's own id."""
    names = {
        candidate.index: name
        for candidate in candidates
        if (name := candidate.record.partner_session_id) is not None
    }
    found = sdr_facts.session_ids_by_partner_id(
        tx, submitter_id, list(set(names.values()))
    )
    return {index: found[name] for index, name in names.items() if name in found}


def _fitting(
    tx: Connection, submitter_id: int, candidates: Iterable[Candidate]
) -> dict[int, SessionFacts]:
    """Return the sessions that fit records which name none that we know."""
    stays = [
        stay
        for candidate in candidates
        if candidate.subject_id is not None
        for stay in stays_of(candidate)
    ]
    return sdr_facts.sessions_that_fit(tx, submitter_id, stays)


def _reopen(tx: Connection, submitter_id: int, candidates: Iterable[Candidate]) -> None:
    """Let a session whose SDR was rejected have another one.

    Until this batch is committed nobody else gives it one.
    """
    served = {
        session.session_id
        for candidate in candidates
        if (session := candidate.facts.session) is not None
        and session.state is _SERVED
        and candidate.facts.known_digest is None
    }
    sdr_intake.lock_sessions(tx, served)
    waiting = sdr_facts.sessions_that_wait(tx, submitter_id, served)
    for candidate in candidates if waiting else ():
        session = candidate.facts.session
        if session is not None and session.session_id in waiting:
            candidate.facts.session = session._replace(state=SessionState.ENDED)
            candidate.reopened = True


def _add_so_far(
    tx: Connection, submitter_id: int, candidates: Iterable[Candidate]
) -> None:
    """Add what the newest intermediate SDRs told of the submitter's own sessions."""
    own = {
        session.session_id
        for candidate in candidates
        if (session := candidate.facts.session) is not None
        and session.visited_id == submitter_id
    }
    told = intermediate_sdrs.last_of(tx, own)
    for candidate in candidates if told else ():
        session = candidate.facts.session
        if session is not None:
            candidate.facts.so_far = told.get(session.session_id)


def _join(candidate: Candidate, found: SessionFacts | None, kind: MatchKind) -> None:
    if found is None or not candidate.facts.see_session(found):
        return
    candidate.facts.match_kind = kind
    candidate.vouched_id = found.subject_id
    if candidate.subject_id is None and found.home_id == candidate.facts.csp_id:
        candidate.subject_id = found.subject_id


def _add_listed(tx: Connection, candidates: Iterable[Candidate]) -> None:
    """Add what the lists say of credentials that no session of ours vouches for.

    Whoever began a session that was authorized here was judged then, by his CSP or by
    its list.
    """
    wanted = [
        (candidate, path, subject_id)
        for candidate in candidates
        if _names_somebody(candidate.facts) and candidate.facts.agreement is not None
        for path, subject_id in (
            ("credential", candidate.facts.subject_id),
            ("contractId", candidate.facts.contract_subject_id),
        )
        if subject_id is not None and not _is_vouched(candidate, subject_id)
    ]
    found = sdr_facts.listed_by_subject(tx, {one for _, _, one in wanted})
    for candidate, path, subject_id in wanted if found else ():
        entry = found.get(subject_id)
        if entry is not None and entry.csp_id == candidate.facts.csp_id:
            listed = ListedFacts(path, entry.status, entry.since, entry.valid_until)
            candidate.facts.listed = (*candidate.facts.listed, listed)


def _names_somebody(facts: SdrFacts) -> bool:
    return facts.subject_id is not None or facts.contract_subject_id is not None


def _is_vouched(candidate: Candidate, subject_id: int) -> bool:
    """Say whether the matched session is this user's, or no other credential's."""
    if candidate.vouched_id is None:
        return False
    return subject_id in (candidate.vouched_id, candidate.facts.contract_subject_id)
