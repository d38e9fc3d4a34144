"""Disputes: CSPs begin them; both sides, two operators or the clock end them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from clearinghouse.domain.approvals import Operator
from clearinghouse.domain.disputes import DisputeReason, DisputeState
from clearinghouse.services import approvals, disputes
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.services.disputes import Decision
from tests.simulation.chance import happens
from tests.simulation.files import File

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker
    from tests.simulation.books import Books
    from tests.simulation.line import Line
    from tests.simulation.plan import Planned

#: How often an SDR that was pulled is disputed, at once or later, in a thousand.
_AT_ONCE, _LATER = 60, 50
_LATEST_DAYS = 25
#: How often the CSP would pay a part.
_PART = 400

#: Who says what on a day in which state, in a thousand; else nobody speaks.
_WORDS = {
    "OPEN": {
        ("cso", "ACCEPT"): 40,
        ("cso", "REJECT"): 70,
        ("cso", "OFFER"): 50,
        ("csp", "WITHDRAW"): 10,
    },
    "OFFERED": {
        ("csp", "ACCEPT"): 60,
        ("csp", "REJECT"): 40,
        ("csp", "ESCALATE"): 30,
        ("csp", "WITHDRAW"): 10,
    },
    "ANSWERED": {
        ("csp", "ACCEPT"): 30,
        ("csp", "REJECT"): 70,
        ("csp", "ESCALATE"): 40,
        ("csp", "WITHDRAW"): 20,
    },
    "EVIDENCE": {
        ("cso", "ACCEPT"): 30,
        ("cso", "OFFER"): 40,
        ("cso", "REJECT"): 40,
        ("csp", "WITHDRAW"): 10,
    },
    "ESCALATED": {
        ("house", "UPHOLD_CSP"): 40,
        ("house", "UPHOLD_CSO"): 40,
        ("house", "DIVIDE"): 40,
        ("cso", "ACCEPT"): 10,
        ("csp", "WITHDRAW"): 10,
    },
}
_VERDICTS = {
    "UPHOLD_CSP": DisputeState.UPHELD_CSP,
    "UPHOLD_CSO": DisputeState.UPHELD_CSO,
    "DIVIDE": DisputeState.SPLIT,
}
_WITH_AMOUNT = frozenset({"OFFER", "DIVIDE"})
_CENT = Decimal("0.01")


@dataclass(slots=True)
class Court:
    """All disputes of a simulation, running and ended."""

    env: Environment
    line: Line
    chance: Random
    books: Books
    anna: Operator
    ben: Operator
    running: list[File] = field(default_factory=list)
    later: dict[int, list[Planned]] = field(default_factory=lambda: defaultdict(list))
    expected: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    lapsed: int = 0

    def look_at(self, one: Planned, day: int) -> bool:
        """Let a CSP look at an SDR that it pulled; say whether it disputes it today."""
        if happens(self.chance, _AT_ONCE):
            self.later[day].append(one)
            return True
        if happens(self.chance, _LATER):
            self.later[day + self.chance.randint(1, _LATEST_DAYS)].append(one)
        return False

    def pass_time(self, label: str) -> None:
        """Note what the clock did to the files this morning.

        Raises :class:`AssertionError` when the house's clock did otherwise.
        """
        now = self.env.clock.now()
        for file in self.running:
            if file.pass_time(now):
                self.lapsed += 1
            self._compare(file)
        self._put_away(label)

    def sit(self, speakers: Mapping[str, Speaker], day: int, label: str) -> None:
        """Let those speak who do today, then begin the disputes of today."""
        now = self.env.clock.now()
        for file in self.running:
            if file.is_late(now):
                continue  # the clock speaks tomorrow morning
            left = self.chance.randrange(1000)
            for (who, word), per_mille in _WORDS[file.state].items():
                left -= per_mille
                if left < 0:
                    self._say(file, who, word, speakers)
                    break
        self._put_away(label)
        for one in self.later.pop(day, ()):
            self.running.append(self._begin(one, speakers, label))

    def suspended(self) -> dict[tuple[str, str], int]:
        """Return what stands on accounts of suspense when no window is open."""
        found: Counter[tuple[str, str]] = Counter()
        for file in self.running:
            if file.carried:
                one, minor = file.one, int(file.one.net / _CENT)
                currency = one.cso.price.currency
                found[f"P:{one.cso.party_id}:SUSP", currency] += minor
                found[f"P:{one.csp.party_id}:SUSP", currency] -= minor
        return {key: minor for key, minor in found.items() if minor}

    def _begin(self, one: Planned, speakers: Mapping[str, Speaker], label: str) -> File:
        asked = Decimal(0)
        if happens(self.chance, _PART):
            asked = self._part_of(one)
        reason = self.chance.choice([*DisputeReason]).value
        part = f"<acceptedNet>{asked}</acceptedNet>" if asked else ""
        answer = self.line.call(
            speakers[one.csp.party_id],
            "sdr",
            "DisputeSdr",
            f"<submitterId>{one.cso.party_id}</submitterId><sdrId>{one.sdr_id}</sdrId>"
            f"<reason>{reason}</reason>{part}",
        )
        self._require(answer, "OPEN")
        carried = one.cso.patience.carried and self.books.where[one.sdr_id] == label
        if carried:
            self.books.carry(one)
        return File(
            dispute_id=answer.required("disputeId"),
            one=one,
            patience=one.cso.patience,
            begun_at=self.env.clock.now(),
            carried=carried,
            asked=asked,
        )

    def _say(
        self, file: File, who: str, word: str, speakers: Mapping[str, Speaker]
    ) -> None:
        amount = self._part_of(file.one) if word in _WITH_AMOUNT else Decimal(0)
        if word in _WITH_AMOUNT and not amount:
            return  # a cent cannot be divided
        self.words[word] += 1
        file.hear(who, word, amount, self.env.clock.now())
        if who == "house":
            self._decide(file, word, amount)
            self._compare(file)
            return
        party = file.one.cso if who == "cso" else file.one.csp
        given = f"<amount>{amount}</amount>" if amount else ""
        answer = self.line.call(
            speakers[party.party_id],
            "sdr",
            "AnswerDispute",
            f"<disputeId>{file.dispute_id}</disputeId><answer>{word}</answer>{given}",
        )
        self._require(answer, file.state)

    def _decide(self, file: File, word: str, amount: Decimal) -> None:
        """Let one operator ask for a decision, and another one approve it."""
        decision = Decision(
            dispute_id=UUID(file.dispute_id),
            state=_VERDICTS[word],
            amount=amount or None,
            words="as the evidence says",
        )
        asked = self.line.until_done(
            lambda: disputes.decide(self.env, self.anna, decision)
        )
        self.line.until_done(
            lambda: approvals.approve(self.env, self.ben, asked.approval_id, EXECUTORS)
        )

    def _part_of(self, one: Planned) -> Decimal:
        """Return some of what an SDR counts, ``0`` where there is nothing between."""
        cents = int(one.net / _CENT)
        return self.chance.randrange(1, cents) * _CENT if cents > 1 else Decimal(0)

    def _put_away(self, label: str) -> None:
        """Book what ended, in the window that is open."""
        for file in self.running:
            if file.agreed is not None:
                self.ended[file.state] += 1
                told = self.books.end_dispute(
                    file.one, file.agreed, label, carried=file.carried
                )
                self.expected[file.one.csp.party_id] += told
        self.running = [file for file in self.running if file.agreed is None]

    def _compare(self, file: File) -> None:
        found = disputes.dispute_named(self.env, UUID(file.dispute_id)).state
        if found.value != file.state:
            raise AssertionError(
                f"the dispute of {file.one.sdr_id} is {found}, not {file.state}"
            )

    @staticmethod
    def _require(answer: Answer, state: str) -> None:
        found = answer.element.findtext(".//{*}dispute/{*}state")
        if answer.code != 0 or found != state:
            raise AssertionError(
                f"a dispute is {found} instead of {state}: {answer.code}"
            )
