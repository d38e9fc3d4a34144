"""Builders: values that are valid by default, one override per test.

Those that take ``tx`` store what they make.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from clearinghouse.domain.agreements import Agreement, Mode, Terms
from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.evses import (
    Address,
    Availability,
    Connector,
    Evse,
    EvseStatus,
    Occupancy,
)
from clearinghouse.domain.exchange import Exchange, Role, Sender
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.sessions import (
    Session,
    SessionEvent,
    SessionEventKind,
    SessionState,
)
from clearinghouse.domain.tariffs import Component, ComponentType, Tariff
from clearinghouse.identifiers import evse_id
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage import agreements, participants
from clearinghouse.storage.credentials import CredentialEntry
from clearinghouse.storage.lists import ListPart
from clearinghouse.storage.outbox import NewDelivery
from clearinghouse.storage.sessions import TIMED_STATES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clearinghouse.domain.participants import Participant

#: The instant at which stories begin: a Sunday noon, no change of the clocks near.
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

_numbers = count(1)


def seconds(number: int) -> datetime:
    """Return the instant some seconds after the beginning."""
    return NOW + timedelta(seconds=number)


def make_participant(tx: Connection, **override: Any) -> Participant:  # noqa: ANN401
    """Admit a participant; a CSP called ``DEC01`` and so on unless told otherwise."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "party_id": f"DEC{number % 100:02d}",
        "name": f"Partner {number}",
        "roles": frozenset({Role.CSP}),
        "country": "DE",
    } | override
    return participants.admit(tx, participants.NewParticipant(**values), at=NOW)


def make_csp(tx: Connection, party_id: str = "DEABC") -> Participant:
    """Admit a charge service provider."""
    return make_participant(tx, party_id=party_id, roles=frozenset({Role.CSP}))


def make_cso(tx: Connection, party_id: str = "CHREP") -> Participant:
    """Admit a charging station operator."""
    return make_participant(
        tx, party_id=party_id, roles=frozenset({Role.CSO}), country=party_id[:2]
    )


def make_agreement(
    tx: Connection,
    visited: Participant,
    home: Participant,
    **override: Any,  # noqa: ANN401
) -> Agreement:
    """Store an agreement in force since the day before the beginning."""
    values: dict[str, Any] = {
        "mode": Mode.B2,
        "currency": "EUR",
        "valid_from": NOW - timedelta(days=1),
        "terms": Terms(),
    } | override
    new = agreements.NewAgreement(
        visited_id=visited.participant_id, home_id=home.participant_id, **values
    )
    return agreements.agree(tx, new, at=NOW)


def make_profile(party_id: str = "DEABC", **override: Any) -> BillingProfile:  # noqa: ANN401
    """Make the billing profile of a taxable dealer in Germany, in force since 2020."""
    values: dict[str, Any] = {
        "party_id": party_id,
        "valid_from": date(2020, 1, 1),
        "legal_name": f"{party_id} Mobility GmbH",
        "street": "Hauptstrasse 1",
        "city": "Berlin",
        "postcode": "10115",
        "country": "DE",
        "contact_email": "invoices@abc.example",
        "vat_id": "DE136695976",
        "is_taxable_dealer": True,
        "iban": "DE89370400440532013000",
        "bic": "COBADEFFXXX",
    } | override
    return BillingProfile(**values)


def make_sender(participant: Participant) -> Sender:
    """Make the sender of messages of a participant."""
    return Sender(
        participant_id=participant.participant_id,
        party_id=participant.party_id,
        roles=participant.roles,
    )


def make_exchange(sender: Sender, **override: Any) -> Exchange:  # noqa: ANN401
    """Make a message; each call a new one."""
    values: dict[str, Any] = {
        "message_id": uuid4(),
        "operation": "PutEvses",
        "digest": sha256(b"body").digest(),
        "correlation_id": uuid4(),
        "created_at": NOW,
        "received_at": NOW,
    } | override
    return Exchange(sender=sender, **values)


def make_list_part(owner: Participant, **override: Any) -> ListPart:  # noqa: ANN401
    """Make the only part of a new list."""
    values: dict[str, Any] = {
        "list_id": uuid4(),
        "expected_count": 1,
        "part": 1,
        "parts": 1,
        "digest": sha256(b"part").digest(),
        "received_at": NOW,
    } | override
    return ListPart(owner_id=owner.participant_id, **values)


def make_entry(subject_id: int, **override: Any) -> CredentialEntry:  # noqa: ANN401
    """Make one line of a credential list: a valid card."""
    values: dict[str, Any] = {
        "kind": CredentialKind.RFID,
        "status": CredentialStatus.VALID,
    } | override
    return CredentialEntry(subject_id=subject_id, **values)


def make_evse(received: str = "CH*REP*E0001*1", **override: Any) -> Evse:  # noqa: ANN401
    """Make an EVSE of 50 kW in Bern."""
    values: dict[str, Any] = {
        "country": "CH",
        "time_zone": "Europe/Zurich",
        "latitude_u": 46_948_100,
        "longitude_u": 7_447_400,
        "address": Address(street="Bundesplatz", house_number="3", city="Bern"),
        "connectors": (Connector(kind="CCS2", power_w=50_000),),
        "open_24_hours": True,
    } | override
    return Evse(evse_id=evse_id.parse(received), received=received, **values)


def make_status(evse_key: str = "CHREPE00011", **override: Any) -> EvseStatus:  # noqa: ANN401
    """Make a status: works, free, for five minutes from the beginning."""
    status = EvseStatus(
        evse_key=evse_key,
        availability=Availability.OPERATIVE,
        occupancy=Occupancy.FREE,
        occurred_at=NOW,
        valid_until=seconds(300),
    )
    return replace(status, **override)


def make_tariff(**override: Any) -> Tariff:  # noqa: ANN401
    """Make a tariff of 0.45 EUR per kWh."""
    tariff = Tariff(
        tariff_id="T-1",
        currency="EUR",
        valid_from=NOW - timedelta(days=1),
        components=(Component(type=ComponentType.ENERGY, price_u=450_000),),
    )
    return replace(tariff, **override)


def make_session(
    visited: Participant,
    home: Participant | None = None,
    **override: Any,  # noqa: ANN401
) -> Session:
    """Make an authorized session at the beginning; in later states no time runs."""
    session = Session(
        session_id=uuid4(),
        state=SessionState.AUTHORIZED,
        visited_id=visited.participant_id,
        home_id=None if home is None else home.participant_id,
        evse_key="CHREPE00011",
        created_at=NOW,
        authorized_at=NOW,
        valid_until=seconds(300),
    )
    made = replace(session, **override)
    if made.state not in TIMED_STATES:
        made = replace(made, valid_until=None)
    return made


def make_event(reporter: Participant, **override: Any) -> SessionEvent:  # noqa: ANN401
    """Make the report that charging started."""
    event = SessionEvent(
        event_id=uuid4(),
        event=SessionEventKind.STARTED,
        occurred_at=seconds(20),
        received_at=seconds(21),
        reported_by=reporter.participant_id,
    )
    return replace(event, **override)


def make_delivery(receiver: Participant, **override: Any) -> NewDelivery:  # noqa: ANN401
    """Make a delivery that says nothing personal."""
    values: dict[str, Any] = {
        "kind": DeliveryKind.NOTIFY_SESSION,
        "subject_key": str(UUID(int=next(_numbers))),
        "payload": {"sessionId": str(UUID(int=1))},
    } | override
    return NewDelivery(participant_id=receiver.participant_id, **values)
