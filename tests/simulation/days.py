"""One day after the other: what partners and operator do, and what is checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clearinghouse.codes import SDR_WINDOW_CLOSED
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import held_sdrs, settlement
from tests.fixtures.operators import make_operators
from tests.simulation.auditing import audit
from tests.simulation.books import Books
from tests.simulation.capping import Caps
from tests.simulation.chance import happens, stream, uuid_from
from tests.simulation.checks import check_closed, check_house, final_root
from tests.simulation.disputing import Court
from tests.simulation.exchanging import Exchange
from tests.simulation.line import Line
from tests.simulation.paying import Treasury
from tests.simulation.plan import Planned, Twist, sessions_of
from tests.simulation.roster import Cso, Csp, Roster, admit, publish
from tests.simulation.submitting import Due, submit_day
from tests.simulation.world import BEGINNING, World

if TYPE_CHECKING:
    from random import Random

    from tests.fixtures.engine import Answer, Speaker

#: How often each happens to an SDR that is its day's, in a thousand.
_CONFIRMED, _REJECTED = 800, 60
_RELEASED, _PUT_AWAY = 300, 100
_BEYOND_CAP = 20

#: When what follows the day's charging happens.
_SUBMITTED_AT = timedelta(hours=23)
_PULLED_AT = timedelta(hours=23, minutes=15)
_DECIDED_AT = timedelta(hours=23, minutes=30)
_CLOSED_AT = timedelta(hours=23, minutes=45)

#: The windows of so many days are settled together.
_DAYS_OF_A_RUN = 7

#: How often a window ends with its day, in a thousand; the others last for days, and
#: none beyond the evening on which the house settles.
_ENDS = 500

_PAGE = "<limit>100</limit>"

#: How the house begins the ids of SDRs that come of disputes.
_OF_HOUSE = "CH-"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a partner does at an instant."""

    at: datetime
    do: Callable[[], None]


class BrokenDay(AssertionError):  # noqa: N818 - it is a day
    """A day on which something did not hold, and how to live through it again."""

    def __init__(self, seed: int, day: int, wrong: Exception) -> None:
        super().__init__(
            f"seed {seed}, day {day}: {wrong}\n"
            f"again: ./run simulate --days {day + 1} --seed {seed}"
        )


@dataclass(slots=True)
class Simulation:
    """A run over a world; make it with :func:`begun`."""

    seed: int
    world: World
    roster: Roster
    line: Line
    treasury: Treasury
    court: Court
    caps: Caps
    streams: dict[str, Random]
    books: Books
    planned: dict[str, Planned] = field(default_factory=dict)
    due: dict[int, list[Due]] = field(default_factory=lambda: defaultdict(list))
    sequences: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cursors: dict[str, str] = field(default_factory=dict)
    speakers: dict[str, Speaker] = field(default_factory=dict)
    sessions: int = 0
    day: int = 0
    morning: datetime = BEGINNING
    label: str = "from day 000"  #: the name of the open window
    closed: list[int] = field(default_factory=list)  #: numbers of windows

    @property
    def root(self) -> str:
        """The roots of all windows so far, as one digest."""
        return final_root(self.world.env)

    def log_in(self) -> None:
        """Give each partner a token for the day."""
        self.speakers = {
            one.party_id: self.world.speaker(one) for one in self.roster.participants
        }

    def play(self, days: int, after_each: Callable[[], None] = lambda: None) -> None:
        """Live through so many days.

        Raises :class:`BrokenDay` on the first on which something does not hold.
        """
        for _ in range(days):
            self._try(self.play_day)
            after_each()

    def audit(self) -> None:
        """Let an auditor recompute the newest window and another one.

        Raises :class:`BrokenDay` with what it finds.
        """
        some = self.closed[-1:]
        some += [self.streams["operator"].choice(self.closed) for _ in some]
        self._try(lambda: audit(self.world.env, dict.fromkeys(some)))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (AssertionError, ClearingHouseError, TimeoutError) as wrong:
            raise BrokenDay(self.seed, self.day, wrong) from wrong

    def play_day(self) -> None:
        """Live through one day and check everything at its end."""
        self.world.clock.at = self.morning
        self.log_in()
        self.world.do_chores()
        self.court.pass_time(self.label)
        self.caps.admit(self.label)
        self.caps.put(self.world.env, self.day)
        self.treasury.exchange.pass_day()
        self._charge()
        self.world.clock.at = self.morning + _SUBMITTED_AT
        for cso in self.roster.csos:
            self._submit(cso)
        self.world.clock.at = self.morning + _PULLED_AT
        for csp in self.roster.csps:
            self._decide(csp, self._pull(csp))
        self.court.sit(self.speakers, self.day, self.label)
        self.world.clock.at = self.morning + _DECIDED_AT
        self._decide_held()
        check_house(self.world.env, self.books, self.label)
        settles = self.day % _DAYS_OF_A_RUN == _DAYS_OF_A_RUN - 1
        if happens(self.streams["operator"], _ENDS) or settles:
            self._close()
        if settles:
            debts = self.books.debts(self.books.unsettled)
            self.treasury.settle_all(debts, self.court.suspended(), self.day)
            self.books.unsettled.clear()
        self.day += 1
        self.morning += timedelta(days=1)

    def _charge(self) -> None:
        """Let the EV users charge; reports arrive in the order of the day."""
        planned = sessions_of(
            self.roster,
            self.streams["plan"],
            self.day,
            self.morning,
            first=len(self.planned),
        )
        steps: list[Step] = []
        for one in planned:
            self.planned[one.sdr_id] = one
            steps.extend(self._steps(one))
        for step in sorted(steps, key=lambda step: step.at):
            self.world.clock.at = step.at
            step.do()

    def _steps(self, one: Planned) -> list[Step]:
        """Return what the CSO does of a session while it lasts."""
        waiting = Due(one, None)
        self.due[one.due].append(waiting)
        if one.twist in {Twist.AGAIN, Twist.CHANGED}:
            again = Due(one, None, changed=one.twist is Twist.CHANGED, of=waiting)
            self.due[self.day + 2].append(again)
        if one.twist is Twist.OFFLINE:
            return []
        began, ended = one.started_at + timedelta(seconds=20), one.ended_at
        told_began, told_ended = began + timedelta(seconds=5), ended
        if one.twist is Twist.BACKWARDS:
            told_began = ended + timedelta(minutes=20)

        def authorize() -> None:
            waiting.session_id = self._authorize(one)

        return [
            Step(one.started_at, authorize),
            Step(told_began, lambda: self._report(waiting, "STARTED", began)),
            Step(told_ended, lambda: self._report(waiting, "ENDED", ended)),
        ]

    def _authorize(self, one: Planned) -> str:
        answer = self.line.call(
            self.speakers[one.cso.party_id],
            "authorization",
            "AuthorizeStart",
            f"<evseId>{one.evse_id}</evseId><credential><c:kind>RFID</c:kind>"
            f"<c:value>{one.card}</c:value></credential>",
        )
        if answer.text("decision") != "AUTHORIZED":
            raise AssertionError(f"{one.sdr_id} was not authorized: {answer.code}")
        self.sessions += 1
        return answer.required("sessionId")

    def _report(self, due: Due, event: str, at: datetime) -> None:
        energy = f"<energyWh>{due.one.energy_wh}</energyWh>" if event == "ENDED" else ""
        answer = self.line.call(
            self.speakers[due.one.cso.party_id],
            "session",
            "ReportSession",
            f"<sessionId>{due.session_id}</sessionId><event>{event}</event>"
            f"<eventId>{uuid_from(self.streams['plan'])}</eventId>"
            f"<occurredAt>{at.isoformat()}</occurredAt>{energy}",
        )
        if answer.code >= 200:
            raise AssertionError(f"{event} of {due.one.sdr_id}: {answer.code}")

    def _submit(self, cso: Cso) -> None:
        waiting = [one for one in self.due[self.day] if one.one.cso is cso]
        speaker = self.speakers[cso.party_id]

        def send(content: str) -> Answer:
            return self.line.call(speaker, "sdr", "SubmitSdrs", content)

        self.sequences[cso.party_id] = submit_day(
            send,
            waiting,
            self.books,
            self.caps,
            chance=self.streams["submit"],
            last=self.sequences[cso.party_id],
            window=self.label,
        )

    def _pull(self, csp: Csp) -> list[Planned]:
        """Let a CSP pull what came for it since it last asked."""
        found: list[Planned] = []
        of_house = 0
        speaker = self.speakers[csp.party_id]
        while True:
            cursor = self.cursors.get(csp.party_id)
            place = "" if cursor is None else f"<cursor>{cursor}</cursor>"
            asked = f"<role>HOME_CSP</role>{place}{_PAGE}"
            page = self.line.call(speaker, "sdr", "GetSdrs", asked)
            self.cursors[csp.party_id] = page.required("nextCursor")
            names = [str(one.text) for one in page.all("sdrId")]
            of_house += sum(name.startswith(_OF_HOUSE) for name in names)
            # What only a cap holds is told, and not to be decided of yet.
            found.extend(
                self.planned[name]
                for name in names
                if name in self.planned and name not in self.books.held
            )
            if page.text("more") != "true":
                break
        expected = self.court.expected.pop(csp.party_id, 0)
        if of_house != expected:
            raise AssertionError(
                f"{csp.party_id} was told of {of_house} corrections, not {expected}"
            )
        return found

    def _decide(self, csp: Csp, pulled: Sequence[Planned]) -> None:
        """Let a CSP confirm most, reject some, and say nothing of the others."""
        said: list[tuple[Planned, str]] = []
        for one in pulled:
            number = self.streams["decide"].randrange(1000)
            if number < _CONFIRMED:
                said.append((one, "CONFIRMED"))
                self.court.look_at(one, self.day)
            elif number < _CONFIRMED + _REJECTED:
                said.append((one, "REJECTED"))
        if not said:
            return
        answer = self.line.call(
            self.speakers[csp.party_id],
            "sdr",
            "ConfirmSdrs",
            "".join(
                f"<decision><submitterId>{one.cso.party_id}</submitterId>"
                f"<sdrId>{one.sdr_id}</sdrId><verdict>{verdict}</verdict></decision>"
                for one, verdict in said
            ),
        )
        late = {int(item["index"]): int(item["code"]) for item in answer.items}
        if any(code != SDR_WINDOW_CLOSED.number for code in late.values()):
            raise AssertionError(f"{csp.party_id} was answered {answer.items}")
        for index, (one, verdict) in enumerate(said):
            if verdict == "REJECTED" and index not in late:
                self.books.strike(one)

    def _decide_held(self) -> None:
        """Let the operator take in or put away some of what is held."""
        chance, env = self.streams["operator"], self.world.env
        for waiting in held_sdrs.held(env):
            sdr_id, party = waiting.stored.sdr_uid, waiting.stored.submitter_party
            if sdr_id not in self.books.held:
                raise AssertionError(f"{sdr_id} is held, and nobody was told")
            number = chance.randrange(1000)
            if sdr_id in self.caps.waiting and number >= _BEYOND_CAP:
                continue
            self.caps.waiting.pop(sdr_id, None)
            if number < _RELEASED:
                held_sdrs.release(env, party, sdr_id)
                self.books.release(sdr_id, self.label)
            elif number < _RELEASED + _PUT_AWAY:
                held_sdrs.reject(env, party, sdr_id)
                self.books.put_away += 1

    def _close(self) -> None:
        """Close the window, breaking off at first now and then."""
        env, label = self.world.env, self.label
        self.world.clock.at = self.morning + _CLOSED_AT
        following = f"from day {self.day + 1:03d}"
        closing = self.line.until_done(
            lambda: settlement.close(env, next_label=following)
        )
        check_closed(env, closing.window.window_id, label, self.books)
        self.label = following
        self.closed.append(closing.window.window_id)
        self.books.unsettled.append(label)
        check_house(env, self.books, following)


def begun(world: World, seed: int) -> Simulation:
    """Return a simulation on the eve of its first day: partners and their data."""
    names = (
        "plan",
        "line",
        "submit",
        "decide",
        "operator",
        "bank",
        "court",
        "exchange",
    )
    streams = {name: stream(seed, name) for name in names}
    line = Line(streams["line"], world.cuts)
    world.clock.at = BEGINNING - timedelta(hours=1)
    roster = admit(world)
    anna, ben = make_operators(world.env)
    books = Books()
    exchange = Exchange(world.env, streams["exchange"])
    exchange.begin()
    made = Simulation(
        seed=seed,
        world=world,
        roster=roster,
        line=line,
        treasury=Treasury(world.env, line, streams["bank"], anna, ben, exchange),
        court=Court(world.env, line, streams["court"], books, anna, ben),
        caps=Caps(books),
        streams=streams,
        books=books,
    )
    settlement.ensure_window(world.env, made.label)
    made.log_in()
    publish(roster, made.speakers, line, streams["plan"])
    return made
