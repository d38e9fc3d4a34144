"""Builders of domain values: valid by default, one override per test."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypedDict, Unpack
from uuid import UUID

from clearinghouse.domain.agreements import Agreement, Mode, Terms
from clearinghouse.domain.rating import compile_tariff
from clearinghouse.domain.sdr_facts import (
    EvseFacts,
    SdrFacts,
    SessionFacts,
    TariffFacts,
)
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    ServiceDetailRecord,
)
from clearinghouse.domain.sessions import SessionState
from clearinghouse.domain.tariffs import (
    Component,
    ComponentType,
    PricePer,
    Tariff,
)
from clearinghouse.domain.usage import Interval, Usage
from clearinghouse.identifiers.zones import zone_named

BERLIN = zone_named("Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
START = NOW - timedelta(hours=3)
SESSION_ID = UUID("5e551011-0000-4000-8000-000000000001")

HOME_ID = 1
VISITED_ID = 2
OTHER_ID = 3


def seconds(count: int) -> timedelta:
    """Return a duration."""
    return timedelta(seconds=count)


def make_agreement(
    *,
    mode: Mode = Mode.B2,
    currency: str = "EUR",
    terms: Terms | None = None,
) -> Agreement:
    """Return an agreement between home 1 and visited 2 that has long been in force."""
    return Agreement(
        agreement_id=7,
        version=1,
        visited_id=VISITED_ID,
        home_id=HOME_ID,
        mode=mode,
        currency=currency,
        valid_from=NOW - timedelta(days=365),
        terms=terms or Terms(),
    )


class Restrictions(TypedDict, total=False):
    """The optional fields of a component."""

    price_per: PricePer
    step: int
    tier_from: int
    tier_up_to: int
    grace_seconds: int
    local_from: int
    local_until: int
    weekdays: frozenset[int]
    date_from: date
    date_until: date
    power_from_w: int
    power_up_to_w: int
    duration_from_seconds: int
    duration_up_to_seconds: int
    connector: str
    priority: int


def component(
    kind: ComponentType, price: str, **restrictions: Unpack[Restrictions]
) -> Component:
    """Return a component with a price in units of the currency."""
    price_u = int(Decimal(price) * 1_000_000)
    return Component(type=kind, price_u=price_u, **restrictions)


def make_tariff(
    *components: Component,
    currency: str = "EUR",
    minimum: str | None = None,
    maximum: str | None = None,
) -> Tariff:
    """Return a tariff, by default 0.49 per kWh."""
    return Tariff(
        tariff_id="T1",
        currency=currency,
        valid_from=NOW - timedelta(days=365),
        components=components or (component(ComponentType.ENERGY, "0.49"),),
        minimum_u=None if minimum is None else int(Decimal(minimum) * 1_000_000),
        maximum_u=None if maximum is None else int(Decimal(maximum) * 1_000_000),
    )


def make_usage(
    energy_wh: int = 0,
    *,
    charge_seconds: int = 3600,
    parking_seconds: int = 0,
    idle_seconds: int = 0,
    started_at: datetime = START,
) -> Usage:
    """Return what one charging transaction used."""
    interval = Interval(started_at, energy_wh, charge_seconds)
    ended_at = started_at + seconds(charge_seconds + idle_seconds)
    return Usage(started_at, ended_at, (interval,), parking_seconds, idle_seconds)


def make_transaction(
    *,
    energy_wh: int = 23_456,
    started_at: datetime = START,
    duration_seconds: int = 3600,
    meter: tuple[int, int] | None = None,
    is_metered: bool = True,
) -> ChargingTransaction:
    """Return a charging transaction of one hour, its meter at 1 MWh when it begins."""
    if meter is None and is_metered:
        meter = (1_000_000, max(1_000_000, 1_000_000 + energy_wh))
    return ChargingTransaction(
        charging_transaction_id="T1",
        started_at=started_at,
        ended_at=started_at + seconds(duration_seconds),
        energy_wh=energy_wh,
        meter_start_wh=None if meter is None else meter[0],
        meter_stop_wh=None if meter is None else meter[1],
    )


def make_record(
    *transactions: ChargingTransaction,
    sdr_id: str = "SDR-1",
    claimed_net: str = "11.49",
    currency: str = "EUR",
    started_at: datetime = START,
    ended_at: datetime | None = None,
) -> ServiceDetailRecord:
    """Return an SDR of one charging session that every rule is content with."""
    parts = list(transactions) or [make_transaction(started_at=started_at)]
    end = ended_at or max(part.ended_at for part in parts)
    session = ChargingSession(
        charging_session_id="C1",
        started_at=started_at,
        ended_at=end,
        transactions=parts,
    )
    return ServiceDetailRecord(
        sdr_id=sdr_id,
        csp_id="DEHOM",
        evse_id="CH*VIS*E1*1",
        started_at=started_at,
        ended_at=end,
        charging_sessions=[session],
        tariff_id="T1",
        currency=currency,
        claimed_net=Decimal(claimed_net),
        session_id=SESSION_ID,
    )


def make_session_facts(
    *,
    state: SessionState = SessionState.ENDED,
    visited_id: int = VISITED_ID,
    home_id: int = HOME_ID,
    evse_key: str = "CHVISE11",
) -> SessionFacts:
    """Return the session that :func:`make_record` names."""
    return SessionFacts(SESSION_ID, state, visited_id, home_id, evse_key)


def make_facts(
    *, agreement: Agreement | None = None, tariff: Tariff | None = None
) -> SdrFacts:
    """Return the facts for :func:`make_record`: all is known and fits."""
    known = tariff or make_tariff()
    return SdrFacts(
        now=NOW,
        submitter_id=VISITED_ID,
        cso_id=VISITED_ID,
        csp_id=HOME_ID,
        agreement=agreement or make_agreement(),
        evse_key="CHVISE11",
        evse=EvseFacts(
            "CHVISE11", VISITED_ID, 50_000, "Europe/Zurich", 46_000_000, 8_900_000
        ),
        tariff=TariffFacts(1, known.currency, compile_tariff(known, BERLIN)),
        session=make_session_facts(),
        subject_id=11,
    )
