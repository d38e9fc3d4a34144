"""The partners of a simulation: who they are, what they agreed on and publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.services import passwords
from clearinghouse.storage import access
from tests.builders import make_agreement, make_participant
from tests.fixtures.engine import PASSWORD, Speaker, username
from tests.simulation.chance import uuid_from
from tests.simulation.files import Patience
from tests.simulation.world import BEGINNING

if TYPE_CHECKING:
    from random import Random

    from clearinghouse.domain.participants import Participant
    from tests.fixtures.engine import Answer
    from tests.simulation.line import Line
    from tests.simulation.world import World

EVSES = 12
"""EVSEs of each CSO: more than it has sessions on a day."""
CARDS = 8
"""Cards of each CSP."""

_DAY_SECONDS = 86_400
_SINCE = BEGINNING - timedelta(days=2)
_CENT = Decimal("0.01")

#: The CSOs: party id, currency, zone, then per kWh, per session, per started minute.
_CSOS = (
    ("DEAAA", "EUR", "Europe/Berlin", "0.49", "0.35", "0"),
    ("CHBBB", "CHF", "Europe/Zurich", "0.45", "0", "0.02"),
    ("SEDDD", "SEK", "Europe/Stockholm", "4.79", "2.5", "0.1"),
    ("DEDUO", "EUR", "Europe/Berlin", "0.3999", "0", "0.015"),
)
#: Some are short of patience, and some want disputed SDRs out of their windows.
_PATIENCE = {
    "CHBBB": Patience(carried=True),
    "SEDDD": Patience(answer=5, evidence=4, decision=3, stop=16),
    "DEDUO": Patience(answer=4, evidence=5, decision=4, stop=14, carried=True),
}
_CSPS = ("DEC01", "CHC02", "SEC03", "DEDUO")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A CSO's only tariff, in units of its currency, all of which have two decimals."""

    currency: str
    per_kwh: Decimal
    per_session: Decimal
    per_minute: Decimal

    def net(self, energy_wh: int, minutes: int) -> Decimal:
        """Return what a session comes to, reckoned as a school child does it."""
        exact = self.per_session + self.per_kwh * energy_wh / 1000
        exact += self.per_minute * minutes
        return exact.quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cso:
    """A charging station operator."""

    participant: Participant
    zone: str
    price: Price
    patience: Patience

    @property
    def party_id(self) -> str:
        """Its party id."""
        return self.participant.party_id

    def evse(self, number: int) -> str:
        """Return the id of one of its EVSEs."""
        return f"{self.party_id[:2]}*{self.party_id[2:]}*E{number:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Csp:
    """A charge service provider."""

    participant: Participant
    number: int

    @property
    def party_id(self) -> str:
        """Its party id."""
        return self.participant.party_id

    def card(self, number: int) -> str:
        """Return the UID of one of its cards."""
        return f"04{self.number:02X}{number:010X}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All partners; everybody but itself is everybody's partner."""

    csos: tuple[Cso, ...]
    csps: tuple[Csp, ...]

    @property
    def participants(self) -> list[Participant]:
        """Each participant once, in order of its number."""
        everybody: list[Cso | Csp] = [*self.csos, *self.csps]
        found = {one.participant.participant_id: one.participant for one in everybody}
        return [found[number] for number in sorted(found)]


def admit(world: World) -> Roster:
    """Admit all partners, with accounts, and let each agree with each other."""
    hashed = passwords.hashed(PASSWORD)
    people: dict[str, Participant] = {}
    with world.env.database.begin() as tx:
        for party_id in dict.fromkeys([*(one[0] for one in _CSOS), *_CSPS]):
            roles = {Role.CSO} if party_id in {one[0] for one in _CSOS} else set()
            roles |= {Role.CSP} if party_id in _CSPS else set()
            made = make_participant(
                tx,
                party_id=party_id,
                name=party_id,
                roles=frozenset(roles),
                country=party_id[:2],
            )
            people[party_id] = made
            access.add_account(
                tx,
                made.participant_id,
                username=username(party_id),
                password_hash=hashed,
                at=BEGINNING,
            )
        roster = Roster(
            csos=tuple(_cso(people, *facts) for facts in _CSOS),
            csps=tuple(
                Csp(participant=people[party_id], number=number)
                for number, party_id in enumerate(_CSPS, 1)
            ),
        )
        for cso in roster.csos:
            terms = _terms(cso.patience)
            for csp in roster.csps:
                if csp.party_id != cso.party_id:
                    make_agreement(
                        tx,
                        cso.participant,
                        csp.participant,
                        currency=cso.price.currency,
                        valid_from=_SINCE,
                        terms=terms,
                    )
    return roster


def _terms(patience: Patience) -> Terms:
    # A list uploaded on the first day lasts.
    seconds = 400 * _DAY_SECONDS
    return Terms(
        list_age_limit_seconds=seconds,
        list_fresh_seconds=seconds,
        dispute_answer_days=patience.answer,
        dispute_evidence_days=patience.evidence,
        dispute_decision_days=patience.decision,
        dispute_stop_days=patience.stop,
        dispute_carried=patience.carried,
    )


def _cso(people: dict[str, Participant], party_id: str, *facts: str) -> Cso:
    currency, zone, per_kwh, per_session, per_minute = facts
    return Cso(
        participant=people[party_id],
        zone=zone,
        price=Price(
            currency=currency,
            per_kwh=Decimal(per_kwh),
            per_session=Decimal(per_session),
            per_minute=Decimal(per_minute),
        ),
        patience=_PATIENCE.get(party_id, Patience()),
    )


def publish(
    roster: Roster, speakers: Mapping[str, Speaker], line: Line, chance: Random
) -> None:
    """Let the partners upload EVSEs, tariffs and cards, over the same bad line."""
    for cso in roster.csos:
        speaker = speakers[cso.party_id]
        evses = "".join(
            f"<evse><evseId>{cso.evse(number)}</evseId>"
            f"<country>{cso.party_id[:2]}</country><timeZone>{cso.zone}</timeZone>"
            "<connector><kind>CCS2</kind><powerW>150000</powerW></connector></evse>"
            for number in range(EVSES)
        )
        content = (
            f"<expectedCount>{EVSES}</expectedCount>{evses}<part>1</part>"
            f"<parts>1</parts><listId>{uuid_from(chance)}</listId>"
        )
        _require_done(line.call(speaker, "evse", "PutEvses", content))
        _require_done(line.call(speaker, "tariff", "PutTariffs", _tariff(cso)))
    for csp in roster.csps:
        cards = "".join(
            "<entry><credential><c:kind>RFID</c:kind>"
            f"<c:value>{csp.card(number)}</c:value></credential>"
            f"<contractId>{csp.party_id}C{number:08d}</contractId>"
            "<status>VALID</status></entry>"
            for number in range(CARDS)
        )
        content = (
            f"<expectedCount>{CARDS}</expectedCount>{cards}<part>1</part>"
            f"<parts>1</parts><listId>{uuid_from(chance)}</listId>"
        )
        speaker = speakers[csp.party_id]
        _require_done(line.call(speaker, "credential", "PutCredentials", content))


def _tariff(cso: Cso) -> str:
    price = cso.price
    components = "".join(
        f"<component><type>{kind}</type><price>{amount}</price></component>"
        for kind, amount in (
            ("ENERGY", price.per_kwh),
            ("FLAT", price.per_session),
            ("TIME", price.per_minute),
        )
        if amount
    )
    return (
        f"<tariff><tariffId>T-1</tariffId><currency>{price.currency}</currency>"
        f"<validFrom>{BEGINNING.isoformat()}</validFrom>{components}</tariff>"
    )


def _require_done(answer: Answer) -> None:
    if answer.code != 0:
        raise AssertionError(f"answered {answer.raw.decode()}")
