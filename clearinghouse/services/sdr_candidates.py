"""A record of a batch with what is known of it, and who charged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdr_facts import SdrFacts
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.identifiers import contract_id, credential
from clearinghouse.identifiers.errors import IdentifierError
from clearinghouse.storage.sdr_facts import Stay
from clearinghouse.storage.sdrs import StoredSdr
from clearinghouse.storage.vault import Found

#: Terms of a record without an agreement: it is refused anyway.
USUAL = Terms()


@dataclass(slots=True, kw_only=True)
class Candidate:
    """One record with what is known of it; ``index`` is its place in the batch.

    ``subject_id`` is who charged, by what was sent or else by the session;
    ``reference`` what a correction refers to.
    ``vouched_id``: whose session was authorized here. ``period``: start and end as
    text. ``reopened``: its session had an SDR that counts no more.
    """

    index: int
    record: ServiceDetailRecord
    uid_hash: bytes
    facts: SdrFacts
    period: tuple[str, str]
    subject_id: int | None = None
    reference: StoredSdr | None = None
    vouched_id: int | None = None
    reopened: bool = False


def stays_of(candidate: Candidate) -> Sequence[Stay]:
    """Return the stay that a record tells of; none of one that goes backwards."""
    facts, record = candidate.facts, candidate.record
    terms = USUAL if facts.agreement is None else facts.agreement.terms
    if facts.evse_key is None or record.ended_at <= record.started_at:
        return ()
    return (
        Stay(
            candidate.index,
            facts.evse_key,
            record.started_at,
            record.ended_at,
            candidate.subject_id,
            facts.cso_id,
            terms.match_seconds,
            terms.near_duplicate_seconds,
            *candidate.period,
        ),
    )


def personal(record: ServiceDetailRecord) -> Iterable[tuple[SubjectKind, str]]:
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


def recognise(candidate: Candidate, kind: SubjectKind, subject: Found) -> None:
    """Note who charged, if it is a user of the CSP that the record names."""
    facts = candidate.facts
    if subject.owner_id != facts.csp_id:
        return
    if kind is SubjectKind.CONTRACT:
        facts.contract_subject_id = subject.subject_id
    else:
        facts.subject_id = subject.subject_id
    candidate.subject_id = facts.subject_id or facts.contract_subject_id
