"""The files of disputes as a bystander keeps them: whose turn, until when, what for.

Written from the partners' page on disputes, without a look at the house's table: what
the house says of a dispute must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.plan import Planned

_DAY = timedelta(days=1)
_SATURDAY = 5

#: Where a refusal leads.
_REFUSED = {
    "OPEN": "ANSWERED",
    "OFFERED": "ESCALATED",
    "ANSWERED": "EVIDENCE",
    "EVIDENCE": "ESCALATED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Terms of disputes with a CSO, in days; ``carried``: SDRs leave their window."""

    answer: int = 15
    evidence: int = 10
    decision: int = 10
    stop: int = 120
    carried: bool = False


@dataclass(slots=True)
class File:
    """One dispute; ``asked`` is what the CSP would pay, ``agreed`` how it ended."""

    dispute_id: str
    one: Planned
    patience: Patience
    begun_at: datetime
    carried: bool
    asked: Decimal
    state: str = "OPEN"
    offered: Decimal = Decimal(0)
    agreed: Decimal | None = None
    due_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Start the first term."""
        self._wait(self.begun_at)

    @property
    def stops_at(self) -> datetime:
        """When the dispute ends at the latest."""
        return self.begun_at + self.patience.stop * _DAY

    def is_late(self, now: datetime) -> bool:
        """Say whether the present term is over: nobody is heard any more.

        The house's own ends nothing, but for the end of the dispute.
        """
        ends = self.stops_at if self.state == "ESCALATED" else self.due_at
        return now >= min(ends, self.stops_at)

    def hear(self, who: str, word: str, amount: Decimal, at: datetime) -> None:
        """Note what a side says, the house or the clock; ``amount`` of offers."""
        if word == "OFFER":
            self.offered = amount
            self._move("OFFERED", at)
        elif word in {"REJECT", "ESCALATE"}:
            self._move(_REFUSED[self.state] if word == "REJECT" else "ESCALATED", at)
        elif who == "cso":
            self._grant()
        elif who == "house":
            self._end(*self._verdict(word, amount))
        elif word == "WITHDRAW":
            self._end("WITHDRAWN", self.one.net)
        else:
            self._give_in()

    def pass_time(self, now: datetime) -> bool:
        """Let the clock end what it ends; say whether it did anything."""
        before = self.state
        if now >= self.stops_at:
            self._end("EXPIRED", self.one.net)
        elif now >= self.due_at:
            match self.state:
                case "OPEN":
                    self._grant()
                case "OFFERED":
                    self._end("SPLIT", self.offered)
                case "ANSWERED":
                    self._end("EXPIRED", self.one.net)
                case "EVIDENCE":
                    self._move("ESCALATED", now)
        return self.state != before

    def _grant(self) -> None:
        """Give the CSP what it asked for: all of it, or all but what it would pay."""
        self._end("SPLIT" if self.asked else "UPHELD_CSP", self.asked)

    def _give_in(self) -> None:
        """Let the CSP accept the offer, or that there is none."""
        if self.state == "OFFERED":
            self._end("SPLIT", self.offered)
        else:
            self._end("UPHELD_CSO", self.one.net)

    def _verdict(self, word: str, amount: Decimal) -> tuple[str, Decimal]:
        if word == "DIVIDE":
            return "SPLIT", amount
        if word == "UPHOLD_CSP":
            return "UPHELD_CSP", Decimal(0)
        return "UPHELD_CSO", self.one.net

    def _move(self, state: str, at: datetime) -> None:
        self.state = state
        self._wait(at)

    def _wait(self, since: datetime) -> None:
        """Give whoever is to speak its days; they end with a day of business."""
        days = {"OPEN": self.patience.answer, "ESCALATED": self.patience.decision}
        last = since.date() + days.get(self.state, self.patience.evidence) * _DAY
        while last.weekday() >= _SATURDAY:
            last += _DAY
        self.due_at = datetime.combine(last + _DAY, time(), UTC)

    def _end(self, state: str, agreed: Decimal) -> None:
        self.state = state
        self.agreed = agreed
