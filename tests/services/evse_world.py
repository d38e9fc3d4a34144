"""A small world for stories about EVSEs, their status and tariffs.

A CSO with a further operator id, a CSP that has an agreement with it, and another CSP
and another CSO that have none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from clearinghouse.domain.evses import Availability, Occupancy
from clearinghouse.domain.exchange import Role
from clearinghouse.services import evse_status, evses, tariffs
from clearinghouse.services.evse_entries import EvseEntry
from clearinghouse.services.evse_status import ListedStatus, ReportedStatus
from clearinghouse.services.evses import Counted, EvseDelta, EvsePart, ListedEvse
from clearinghouse.services.outcomes import Done, Refusal
from clearinghouse.services.tariffs import ListedTariff, OfferedTariff, Published
from tests.builders import (
    NOW,
    make_agreement,
    make_cso,
    make_csp,
    make_exchange,
    make_participant,
    make_sender,
)

if TYPE_CHECKING:
    from clearinghouse.domain.errors import Item
    from clearinghouse.domain.exchange import Exchange
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.tariffs import Tariff
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.feeds import Page
    from tests.fixtures.partners import StillClock

ONE, TWO, THREE, FOUR = (f"CH*REP*E000{number}*1" for number in range(1, 5))

OutcomeT = TypeVar("OutcomeT")


@dataclass
class Answers(Generic[OutcomeT]):
    """Words outcomes and remembers them."""

    outcomes: list[OutcomeT] = field(default_factory=list)

    def __call__(self, outcome: OutcomeT) -> bytes:
        self.outcomes.append(outcome)
        return repr(outcome).encode()


def make_entry(received: str = ONE, **override: Any) -> EvseEntry:  # noqa: ANN401
    """Make an EVSE as its operator writes it."""
    values = {"country": "CH", "time_zone": "Europe/Zurich"} | override
    return EvseEntry(received=received, **values)


def make_reported(received: str = ONE, **override: Any) -> ReportedStatus:  # noqa: ANN401
    """Make a report: works, free, observed at the beginning."""
    values: dict[str, Any] = {
        "availability": Availability.OPERATIVE,
        "occupancy": Occupancy.FREE,
        "occurred_at": NOW,
    } | override
    return ReportedStatus(received=received, **values)


def make_part(*entries: EvseEntry | str, **override: Any) -> EvsePart:  # noqa: ANN401
    """Make the only part of a new list."""
    made = tuple(make_entry(one) if isinstance(one, str) else one for one in entries)
    values: dict[str, Any] = {
        "list_id": uuid4(),
        "expected_count": len(made),
        "part": 1,
        "parts": 1,
    } | override
    return EvsePart(entries=made, **values)


@dataclass
class World:
    """The partners, and what they send and pull."""

    env: Environment
    clock: StillClock
    cso: Participant
    other_cso: Participant
    csp: Participant
    other_csp: Participant

    def exchange(self, sender: Participant | None = None) -> Exchange:
        """Make a new message, of the CSO unless told otherwise."""
        return make_exchange(
            make_sender(sender or self.cso), received_at=self.clock.now()
        )

    def put(self, *entries: EvseEntry | str, **override: Any) -> Counted:  # noqa: ANN401
        """Send a part that is taken."""
        outcome = self.try_put(make_part(*entries, **override))
        assert isinstance(outcome, Counted)
        return outcome

    def try_put(
        self, part: EvsePart, sender: Participant | None = None
    ) -> Counted | Refusal:
        """Send a part."""
        answers: Answers[Counted | Refusal] = Answers()
        body = sha256(repr(part).encode()).digest()
        exchange = replace(self.exchange(sender), digest=body)
        evses.put_evses(self.env, exchange, part, answers)
        return answers.outcomes[-1]

    def update(
        self,
        *upserts: EvseEntry | str,
        remove: tuple[str, ...] = (),
        sender: Participant | None = None,
    ) -> Counted:
        """Send changes."""
        answers: Answers[Counted | Refusal] = Answers()
        delta = EvseDelta(upserts=make_part(*upserts).entries, removals=remove)
        evses.update_evses(self.env, self.exchange(sender), delta, answers)
        outcome = answers.outcomes[-1]
        assert isinstance(outcome, Counted)
        return outcome

    def report(self, *reported: ReportedStatus) -> Done | Refusal:
        """Send statuses."""
        answers: Answers[Done | Refusal] = Answers()
        evse_status.put_status(self.env, self.exchange(), reported, answers)
        return answers.outcomes[-1]

    def publish(
        self,
        *offered: Tariff | OfferedTariff,
        sender: Participant | None = None,
    ) -> Published:
        """Send tariffs."""
        answers: Answers[Published | Refusal] = Answers()
        tariffs.put_tariffs(
            self.env,
            self.exchange(sender),
            tuple(
                one if isinstance(one, OfferedTariff) else OfferedTariff(tariff=one)
                for one in offered
            ),
            answers,
        )
        outcome = answers.outcomes[-1]
        assert isinstance(outcome, Published)
        return outcome

    def pull(
        self,
        reader: Participant | None = None,
        *,
        cso_party: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ListedEvse]:
        """Pull EVSEs, as the agreed CSP unless told otherwise."""
        return evses.get_evses(
            self.env,
            make_sender(reader or self.csp),
            cso_party=cso_party,
            cursor=cursor,
            limit=limit,
        )

    def pull_status(
        self,
        reader: Participant | None = None,
        *,
        cso_party: str | None = None,
        cursor: str | None = None,
    ) -> Page[ListedStatus]:
        """Pull statuses, as the agreed CSP unless told otherwise."""
        return evse_status.get_status(
            self.env,
            make_sender(reader or self.csp),
            cso_party=cso_party,
            cursor=cursor,
            limit=100,
        )

    def pull_tariffs(
        self,
        reader: Participant | None = None,
        *,
        cso_party: str | None = None,
        cursor: str | None = None,
    ) -> Page[ListedTariff]:
        """Pull tariffs, as the agreed CSP unless told otherwise."""
        return tariffs.get_tariffs(
            self.env,
            make_sender(reader or self.csp),
            cso_party=cso_party,
            cursor=cursor,
            limit=100,
        )

    def in_force(self) -> set[str]:
        """Return the EVSEs that the CSP sees and that are not removed."""
        page = self.pull()
        return {one.evse.evse_id.spaced for one in page.items if not one.removed}


def found(items: tuple[Item, ...]) -> list[tuple[int, int | None, str]]:
    """Return what is wrong as numbers of codes, indexes and paths."""
    return [(item.code.number, item.index, item.path) for item in items]


def open_world(env: Environment, clock: StillClock) -> World:
    """Admit the partners and let two of them agree."""
    with env.database.begin() as tx:
        cso = make_participant(
            tx,
            party_id="CHREP",
            roles=frozenset({Role.CSO}),
            aliases=frozenset({"CHIBA"}),
        )
        csp = make_csp(tx, "DEABC")
        make_agreement(tx, cso, csp)
        return World(
            env=env,
            clock=clock,
            cso=cso,
            other_cso=make_cso(tx, "CHCCC"),
            csp=csp,
            other_csp=make_csp(tx, "NLXYZ"),
        )
