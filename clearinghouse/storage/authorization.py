"""The facts of an authorization, gathered in the caller's transaction.

A station waits, so the facts of a start come in one statement: EVSE, list entry, home
CSP and agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select, text

from clearinghouse.domain.authorization import AuthorizationFacts, HomeFacts
from clearinghouse.domain.credentials import CredentialStatus, ListedCredential
from clearinghouse.domain.participants import EndpointService, ParticipantStatus
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage.agreements import agreement_between, agreement_of
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
    evse_key: str
    subject_id: int | None
    provider_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What is known of a question; ``operator_id`` is ``None`` for an unknown EVSE."""

    operator_id: int | None
    home_party: str | None
    facts: AuthorizationFacts


_STATION = text("""
    SELECT evse.cso_id AS operator_id, listed.csp_id, listed.status AS listed_status,
        listed.valid_until AS listed_until, newest.version AS list_version,
        newest.applied_at, home.participant_id, home.party_id,
        home.status AS home_status, EXISTS (
            SELECT FROM clearing.partner_endpoint AS endpoint
            WHERE endpoint.participant_id = home.participant_id
              AND endpoint.service = 'csp-endpoint') AS can_be_asked,
        terms.agreement_id, terms.version, terms.visited_id, terms.home_id, terms.mode,
        terms.currency, terms.valid_from, terms.valid_until, terms.silent_csp,
        terms.list_age_limit_seconds, terms.list_fresh_seconds, terms.match_required,
        terms.tolerance_minor, terms.tolerance_ppm, terms.late_limit_days,
        terms.energy_wh_max, terms.duration_seconds_max, terms.power_percent_max,
        terms.overlap_seconds_max, terms.travel_kmh_max, terms.net_ceiling_minor,
        terms.net_mean_factor, terms.collects,
        terms.signed_meter_required, terms.payment_days, terms.offline_allowed,
        terms.match_seconds, terms.held_days, terms.confirm_days,
        terms.registry_lag_hours, terms.ahead_seconds, terms.meter_slack_wh,
        terms.elapsed_slack_seconds, terms.near_duplicate_seconds,
        terms.near_duplicate_ppm, terms.tiny_wh, terms.zero_energy_seconds,
        terms.late_notice_hours, terms.late_notice_days, terms.payment_days,
        terms.dispute_days, terms.dispute_answer_days, terms.dispute_evidence_days,
        terms.dispute_decision_days, terms.dispute_stop_days, terms.dispute_carried
    FROM (SELECT) AS asked
    LEFT JOIN clearing.evse ON evse.evse_key = :evse_key AND NOT evse.removed
    LEFT JOIN clearing.credential AS listed
        ON listed.subject_id = CAST(:subject_id AS bigint)
    LEFT JOIN LATERAL (
        SELECT version, applied_at FROM clearing.credential_list
        WHERE csp_id = listed.csp_id AND version IS NOT NULL
        ORDER BY version DESC LIMIT 1) AS newest ON true
    LEFT JOIN clearing.participant AS home
        ON home.participant_id = coalesce(listed.csp_id, CAST(:provider_id AS integer))
    LEFT JOIN LATERAL (
        SELECT * FROM clearing.agreement
        WHERE visited_id = :visited_id AND home_id = home.participant_id
          AND valid_from <= :at AND (valid_until IS NULL OR valid_until > :at)
        ORDER BY agreement_id LIMIT 1) AS terms ON true
""")


def station(tx: Connection, question: Question) -> Station:
    """Return all that the decision about a start rests on."""
    row = tx.execute(
        _STATION,
        {
            "evse_key": question.evse_key,
            "subject_id": question.subject_id,
            "provider_id": question.provider_id,
            "visited_id": question.visited_id,
            "at": question.at,
        },
    ).one()
    facts = AuthorizationFacts(
        kind=question.kind,
        home=_home(row),
        listed=_listed(row, question.subject_id),
    )
    return Station(operator_id=row.operator_id, home_party=row.party_id, facts=facts)


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


def _home(row: Row[*tuple[Any, ...]]) -> HomeFacts | None:
    if row.participant_id is None:
        return None
    return HomeFacts(
        participant_id=row.participant_id,
        is_active=row.home_status == ParticipantStatus.ACTIVE,
        agreement=None if row.agreement_id is None else agreement_of(row),
        can_be_asked=row.can_be_asked,
    )


def _listed(
    row: Row[*tuple[Any, ...]], subject_id: int | None
) -> ListedCredential | None:
    """Return the list entry: its version and age are those of its CSP's list now."""
    if subject_id is None or row.csp_id is None or row.list_version is None:
        return None
    return ListedCredential(
        subject_id=subject_id,
        csp_id=row.csp_id,
        status=CredentialStatus(row.listed_status),
        list_version=row.list_version,
        confirmed_at=row.applied_at,
        valid_until=row.listed_until,
    )
