"""What is going to happen: the sessions of a day, before any trouble."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.running.sdr import Sdr
from tests.simulation.roster import CARDS, EVSES

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.roster import Cso, Csp, Roster

SESSIONS_PER_DAY = (2, 6)
"""The fewest and the most sessions of a day."""
_EARLIEST_MINUTE, _LATEST_MINUTE = 60, 19 * 60
_MINUTES = (15, 180)
_ENERGY_WH = (500, 60_000)
_LATE_DAYS = (1, 24)

#: A claim that is far from the tariff: more than both tolerances (S-208).
_WRONG = Decimal("3.21")


class Twist(StrEnum):
    """What is odd about a session or its SDR."""

    PLAIN = "plain"
    OFFLINE = "offline"  #: it was never authorized here, so its SDR is held
    LATE = "late"  #: its SDR comes days later
    WRONG = "wrong"  #: its claim is not what the tariff says, so the SDR is held
    AGAIN = "again"  #: its SDR is sent again another day, as it was
    CHANGED = "changed"  #: its SDR is sent again another day with another claim
    BACKWARDS = "backwards"  #: its end is reported before its start


#: How often each twist happens, in a thousand; the rest is plain.
_PER_MILLE = {
    Twist.OFFLINE: 40,
    Twist.LATE: 80,
    Twist.WRONG: 40,
    Twist.AGAIN: 40,
    Twist.CHANGED: 30,
    Twist.BACKWARDS: 60,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One session as the EV user has it; ``due`` is the day its SDR is first sent."""

    number: int
    cso: Cso
    csp: Csp
    evse_id: str
    card: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    twist: Twist
    due: int

    @property
    def sdr_id(self) -> str:
        """The CSO's name of the SDR."""
        return f"S-{self.number:06d}"

    @property
    def net(self) -> Decimal:
        """What it comes to by the tariff."""
        minutes = (self.ended_at - self.started_at) // timedelta(minutes=1)
        return self.cso.price.net(self.energy_wh, minutes)

    def sdr(self, session_id: str | None, *, changed: bool = False) -> Sdr:
        """Return its SDR; ``changed`` claims something else under the same id."""
        wrong = changed or self.twist is Twist.WRONG
        return Sdr(
            sdr_id=self.sdr_id,
            csp_id=self.csp.party_id,
            evse_id=self.evse_id,
            started_at=self.started_at,
            ended_at=self.ended_at,
            energy_wh=self.energy_wh,
            tariff_id="T-1",
            currency=self.cso.price.currency,
            claimed=self.net + _WRONG if wrong else self.net,
            session_id=session_id,
        )


def sessions_of(
    roster: Roster, chance: Random, day: int, morning: datetime, *, first: int
) -> list[Planned]:
    """Plan the sessions of a day, in order of their starts.

    No EVSE and no card is in two of them, so that no rule on overlaps speaks.
    """
    busy: set[str] = set()
    planned: list[Planned] = []
    for _ in range(chance.randint(*SESSIONS_PER_DAY)):
        cso = chance.choice(roster.csos)
        csp = chance.choice(
            [one for one in roster.csps if one.party_id != cso.party_id]
        )
        evse_id = cso.evse(chance.randrange(EVSES))
        card = csp.card(chance.randrange(CARDS))
        if {evse_id, card} & busy:
            continue
        busy |= {evse_id, card}
        start = chance.randint(_EARLIEST_MINUTE, _LATEST_MINUTE)
        started_at = morning + timedelta(minutes=start)
        twist = _twist(chance)
        late = chance.randint(*_LATE_DAYS) if twist is Twist.LATE else 0
        planned.append(
            Planned(
                number=first + len(planned),
                cso=cso,
                csp=csp,
                evse_id=evse_id,
                card=card,
                started_at=started_at,
                ended_at=started_at + timedelta(minutes=chance.randint(*_MINUTES)),
                energy_wh=chance.randint(*_ENERGY_WH),
                twist=twist,
                due=day + late,
            )
        )
    return sorted(planned, key=lambda one: (one.started_at, one.number))


def _twist(chance: Random) -> Twist:
    left = chance.randrange(1000)
    for twist, per_mille in _PER_MILLE.items():
        left -= per_mille
        if left < 0:
            return twist
    return Twist.PLAIN
