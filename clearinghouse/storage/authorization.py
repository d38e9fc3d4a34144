"""The facts of an authorization, gathered in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, select

from clearinghouse.domain.authorization import AuthorizationFacts, HomeFacts
from clearinghouse.domain.participants import EndpointService, ParticipantStatus
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage.agreements import agreement_between
from clearinghouse.storage.credentials import listed_credential
from clearinghouse.storage.tables.participants import participant, partner_endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who asks about which credential.

    ``subject_id``: its pseudonym, ``None`` when the vault does not know it.
    ``provider_id``: the participant that the value itself names (the provider part of a
    contract id, or an assignment); used when no list holds the credential.
    """

    kind: CredentialKind
    visited_id: int
    subject_id: int | None
    provider_id: int | None
    at: datetime


def facts_for(tx: Connection, question: Question) -> AuthorizationFacts:
    """Return all that the decision rests on."""
    listed = None
    if question.subject_id is not None:
        listed = listed_credential(tx, question.subject_id)
    home_id = question.provider_id if listed is None else listed.csp_id
    home = None
    if home_id is not None:
        home = home_facts(tx, home_id, question.visited_id, at=question.at)
    return AuthorizationFacts(kind=question.kind, home=home, listed=listed)


def home_facts(
    tx: Connection, home_id: int, visited_id: int, *, at: datetime
) -> HomeFacts | None:
    """Return a CSP as seen from a visited partner; ``None``: no such participant."""
    endpoint = exists().where(
        partner_endpoint.c.participant_id == participant.c.participant_id,
        partner_endpoint.c.service == EndpointService.CSP_ENDPOINT,
    )
    query = select(participant.c.status, endpoint.label("can_be_asked")).where(
        participant.c.participant_id == home_id
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return HomeFacts(
        participant_id=home_id,
        is_active=row.status == ParticipantStatus.ACTIVE,
        agreement=agreement_between(tx, visited_id, home_id, at=at),
        can_be_asked=row.can_be_asked,
    )
