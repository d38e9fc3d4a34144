"""The demo's master data in the messages of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from clearinghouse.cli.demo.world import CARDS, PRICES, STATIONS
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.messages.credential import CredentialEntry
from clearinghouse.endpoint.messages.evse import Connector, Evse
from clearinghouse.endpoint.messages.tariff import Tariff, TariffComponent

VALID_FROM = datetime(2026, 1, 1, tzinfo=UTC)
"""When the demo's agreements and tariffs begin."""


def evses(party_id: str) -> list[Evse]:
    """Return a CSO's EVSEs."""
    return [
        Evse(
            evse_id=station.evse_id,
            city=station.city,
            country=station.country,
            time_zone=station.time_zone,
            connector=(Connector(kind="Combo2", power_w=station.power_w),),
        )
        for station in STATIONS
        if station.cso == party_id
    ]


def tariffs(party_id: str) -> list[Tariff]:
    """Return a partner's tariffs."""
    return [
        Tariff(
            tariff_id=price.tariff_id,
            currency=price.currency,
            valid_from=VALID_FROM,
            component=tuple(
                TariffComponent(type=kind, price=amount)  # type: ignore[arg-type]  # the contract's words
                for kind, amount in (
                    ("ENERGY", price.per_kwh),
                    ("TIME", price.per_minute),
                    ("FLAT", price.per_session),
                )
                if isinstance(amount, Decimal)
            ),
        )
        for price in PRICES
        if price.cso == party_id
    ]


def entries(party_id: str) -> list[CredentialEntry]:
    """Return a CSP's credential list."""
    return [
        CredentialEntry(
            credential=Credential(kind=card.kind, value=card.value),  # type: ignore[arg-type]  # the contract's words
            contract_id=card.contract_id,
            status="BLOCKED" if card.blocked else "VALID",
        )
        for card in CARDS
        if card.csp == party_id and card.listed
    ]
