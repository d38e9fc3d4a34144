"""Intermediate SDRs: taken with a report of progress, estimated, shown (4.3-I3).

Near-real-time news of what a running session uses, for the home CSP: against fraud, and
for its user. It counts nothing; the SDR does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import intermediate_sdrs as rules
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.intermediate_sdrs import IntermediateSdr, Told
from clearinghouse.domain.rating import compile_tariff
from clearinghouse.domain.sdr_facts import EvseFacts
from clearinghouse.domain.sessions import Session, SessionEvent, SessionState
from clearinghouse.domain.tariffs import Tariff, TariffVersion, version_in_force
from clearinghouse.domain.usage import Usage
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services.sdr_vat import VatDesk
from clearinghouse.services.session_places import party_id_of
from clearinghouse.storage import intermediate_sdrs, sdr_facts, tariffs


def check_repeat(
    tx: Connection, session_id: UUID, event_id: UUID, told: Told | None
) -> None:
    """Hold a repeated report against what it added before.

    Raises :class:`ClearingHouseError` (``SESSION_EVENT_CONFLICT``) when it differs.
    """
    stored = intermediate_sdrs.of_event(tx, session_id, event_id)
    if not rules.is_same(stored, told):
        raise ClearingHouseError(codes.SESSION_EVENT_CONFLICT)


def take(tx: Connection, session: Session, event: SessionEvent, told: Told) -> None:
    """Store the intermediate SDR that comes with an event of a locked session.

    Raises :class:`ClearingHouseError` with all that is wrong, by path:
    ``INTERMEDIATE_FIELD``, ``INTERMEDIATE_ORDER``, ``INTERMEDIATE_LIMIT``; a code that
    names the state when the session has ended before, or has its SDR.
    """
    _refuse(list(rules.field_problems(told, event.event, event.energy_wh)))
    if session.state is SessionState.SDR_RECEIVED:
        raise ClearingHouseError(codes.SESSION_IS_SDR_RECEIVED)
    if session.ended_at is not None and event.occurred_at > session.ended_at:
        raise ClearingHouseError(codes.SESSION_IS_ENDED)
    new = _made(session.session_id, event, told)
    number = new.sequence_no
    _refuse(
        [
            *rules.start_problems(new, session),
            *rules.order_problems(
                new,
                intermediate_sdrs.before(tx, session.session_id, number),
                intermediate_sdrs.from_number(tx, session.session_id, number),
            ),
            *rules.count_problems(intermediate_sdrs.count_of(tx, session.session_id)),
        ]
    )
    if told.tariff_id is not None:
        new = _estimated(tx, session, new, told.tariff_id)
    intermediate_sdrs.append(tx, new, received_at=event.received_at)


def _refuse(problems: Sequence[Item]) -> None:
    if problems:
        raise ClearingHouseError(problems[0].code, items=tuple(problems))


def _made(session_id: UUID, event: SessionEvent, told: Told) -> IntermediateSdr:
    claim = told.claim
    return IntermediateSdr(
        session_id=session_id,
        sequence_no=told.sequence_no,
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        energy_wh=event.energy_wh or 0,
        meter_wh=told.meter_wh,
        claimed_currency=None if claim is None else claim.currency,
        claimed_minor=None if claim is None else rules.claimed_minor(claim),
        tariff_id=told.tariff_id,
    )


def _estimated(
    tx: Connection, session: Session, new: IntermediateSdr, tariff_id: str
) -> IntermediateSdr:
    """Return it with what charging has cost so far by a tariff of the CSO."""
    started_at = session.started_at or session.authorized_at or session.created_at
    version = version_in_force(
        tariffs.versions_of(tx, session.visited_id, [tariff_id]),
        receiver_id=session.home_id or 0,
        at=started_at,
    )
    if version is None:
        _refuse([rules.tariff_problem(tariff_id, started_at)])
        return new
    known = intermediate_sdrs.up_to(tx, session.session_id, new.sequence_no)
    usage = rules.usage_so_far(started_at, [*known, new])
    return replace(
        new,
        tariff_version_id=version.tariff_version_id,
        estimated_currency=version.tariff.currency,
        estimated_minor=_net_minor(tx, session, version, usage),
    )


def _net_minor(
    tx: Connection, session: Session, version: TariffVersion, usage: Usage
) -> int:
    evse = sdr_facts.evses_by_key(tx, [session.evse_key])[session.evse_key]
    tariff = version.tariff
    connectors = frozenset(evse.connectors) if tariff.asks_connector else frozenset()
    rater = compile_tariff(tariff, zone_named(evse.zone), connectors)
    return rater(usage, _vat_rate_bp(tx, session, tariff, evse, usage.ended_at))


def _vat_rate_bp(
    tx: Connection, session: Session, tariff: Tariff, evse: EvseFacts, at: datetime
) -> int:
    """Return the rate to take out of prices that include VAT; else nobody asks."""
    if not tariff.vat_included or session.home_id is None:
        return 0
    home_id = session.home_id
    seller = party_id_of(tx, session.visited_id)
    desk = VatDesk(tx, seller, {home_id: party_id_of(tx, home_id)})
    treatment, _doubt = desk.treatment(home_id, evse.country, evse.zone, at)
    return treatment.rate_bp
