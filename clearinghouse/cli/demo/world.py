"""Who takes part in the demo: partners, EVSEs, tariffs, credentials, agreements."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

CHARGE_SECONDS = 3_600
"""How long a station of the demo charges when nobody stops it."""


REMOTE_CSO = "NLBRA"
"""The CSO whose stations can be started from a CSP's app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One legal entity: a CSO, a CSP, or both (clause 4.2-dual)."""

    party_id: str
    name: str
    country: str
    roles: tuple[str, ...]

    @property
    def endpoint(self) -> str | None:
        """Which endpoint it offers: a CSP that of CSPs, and one CSO that of CSOs."""
        if "CSP" in self.roles:
            return "csp"
        return "cso" if self.party_id == REMOTE_CSO else None

    @property
    def username(self) -> str:
        """The machine account's name."""
        return f"{self.party_id.lower()}-backend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One EVSE of a CSO with its place."""

    cso: str
    evse_id: str
    city: str
    country: str
    time_zone: str
    power_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One tariff of a CSO: per kWh, per started minute, per session."""

    cso: str
    tariff_id: str
    currency: str
    per_kwh: Decimal
    per_minute: Decimal | None = None
    per_session: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One credential of a CSP; ``listed`` ones are uploaded, others asked live."""

    csp: str
    kind: str
    value: str
    contract_id: str
    listed: bool = True
    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """An agreement: who serves, whose users are served, in which money."""

    visited: str
    home: str
    currency: str
    silent_csp: str = "REFUSE"
    match_required: bool = True
    collects: bool = False


PARTNERS = (
    Partner(party_id="DEALF", name="Alfa Laden", country="DE", roles=("CSO",)),
    Partner(party_id="NLBRA", name="Bravo Palen", country="NL", roles=("CSO",)),
    Partner(party_id="CHCHA", name="Charlie Strom", country="CH", roles=("CSO",)),
    Partner(party_id="CHDEL", name="Delta Energie", country="CH", roles=("CSO", "CSP")),
    Partner(party_id="DEECH", name="Echo Mobil", country="DE", roles=("CSP",)),
    Partner(party_id="NLFOX", name="Foxtrot Rijden", country="NL", roles=("CSP",)),
    Partner(party_id="CHGOL", name="Golf Fahren", country="CH", roles=("CSP",)),
    Partner(party_id="ATHOT", name="Hotel Reisen", country="AT", roles=("CSP",)),
)

STATIONS = (
    Station(
        cso="DEALF",
        evse_id="DE*ALF*E1001*1",
        city="Kassel",
        country="DE",
        time_zone="Europe/Berlin",
        power_w=50_000,
    ),
    Station(
        cso="DEALF",
        evse_id="DE*ALF*E1001*2",
        city="Kassel",
        country="DE",
        time_zone="Europe/Berlin",
        power_w=22_000,
    ),
    Station(
        cso="NLBRA",
        evse_id="NL*BRA*E2001*1",
        city="Utrecht",
        country="NL",
        time_zone="Europe/Amsterdam",
        power_w=22_000,
    ),
    Station(
        cso="CHCHA",
        evse_id="CH*CHA*E3001*1",
        city="Chur",
        country="CH",
        time_zone="Europe/Zurich",
        power_w=150_000,
    ),
    Station(
        cso="CHDEL",
        evse_id="CH*DEL*E4001*1",
        city="Brig",
        country="CH",
        time_zone="Europe/Zurich",
        power_w=22_000,
    ),
)

PRICES = (
    Price(
        cso="DEALF",
        tariff_id="ALF-STANDARD",
        currency="EUR",
        per_kwh=Decimal("0.45"),
        per_minute=Decimal("0.02"),
        per_session=Decimal("0.35"),
    ),
    Price(
        cso="NLBRA",
        tariff_id="BRA-STANDARD",
        currency="EUR",
        per_kwh=Decimal("0.49"),
    ),
    Price(
        cso="CHCHA",
        tariff_id="CHA-FAST",
        currency="CHF",
        per_kwh=Decimal("0.59"),
    ),
    Price(
        cso="CHDEL",
        tariff_id="DEL-STANDARD",
        currency="CHF",
        per_kwh=Decimal("0.42"),
        per_minute=Decimal("0.01"),
    ),
    Price(
        cso="ATHOT",
        tariff_id="HOT-FORWARDED",
        currency="EUR",
        per_kwh=Decimal("0.52"),
    ),
)

CARDS = (
    Card(
        csp="DEECH", kind="RFID", value="04A1B2C3D4E5F6", contract_id="DEECHC00000001"
    ),
    Card(
        csp="DEECH",
        kind="RFID",
        value="04A1B2C3D4E5F7",
        contract_id="DEECHC00000002",
        blocked=True,
    ),
    Card(
        csp="NLFOX", kind="RFID", value="04B1B2C3D4E5F6", contract_id="NLFOXC00000001"
    ),
    Card(
        csp="CHGOL",
        kind="PNC_CERTIFICATE",
        value="CHGOLC00000001",
        contract_id="CHGOLC00000001",
        listed=False,
    ),
    Card(
        csp="CHDEL", kind="RFID", value="04D1B2C3D4E5F6", contract_id="CHDELC00000001"
    ),
)

RELATIONS = (
    Relation(visited="DEALF", home="DEECH", currency="EUR"),
    Relation(visited="DEALF", home="NLFOX", currency="EUR"),
    Relation(visited="DEALF", home="CHGOL", currency="EUR"),
    Relation(visited="DEALF", home="ATHOT", currency="EUR", collects=True),
    Relation(visited="NLBRA", home="DEECH", currency="EUR"),
    Relation(visited="NLBRA", home="NLFOX", currency="EUR"),
    Relation(visited="CHCHA", home="CHGOL", currency="CHF"),
    Relation(visited="CHCHA", home="CHDEL", currency="CHF"),
    Relation(visited="CHDEL", home="CHGOL", currency="CHF"),
    Relation(visited="CHDEL", home="NLFOX", currency="CHF"),
    # The visited CSP collects at a CSO's station and forwards to the home CSP
    # (clause 4.2-visited): the clearing house saw no authorization of its own.
    Relation(visited="ATHOT", home="DEECH", currency="EUR", match_required=False),
)
