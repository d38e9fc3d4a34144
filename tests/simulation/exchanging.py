"""Foreign exchange by agreement: rates from day to day, and what a bystander converts.

Some partners settle what is owed in one currency in another, as two or each alone, from
a day on and until another. The bystander converts what is left between two by the last
rate told, and keeps what rounding pair by pair leaves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from clearinghouse.domain.fx import Choice, Rate
from clearinghouse.services import fx
from tests.simulation.chance import happens
from tests.simulation.world import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from clearinghouse.services.environment import Environment

#: How often a rate is told on a day, and how often it is told again, in a thousand.
_TOLD, _TOLD_AGAIN = 700, 100

#: How far a rate moves in a day, in millionths of itself.
_MOVE_PPM = 8_000
_FIRST_RATES_U = {"CHF": 931_700, "SEK": 11_234_500}
_MILLION = 1_000_000

#: From which day on who settles what in which currency: two, or one with all.
_AGREED = (
    (0, ("CHC02", "SEDDD"), "SEK", "EUR"),
    (0, ("DEC01", ""), "CHF", "EUR"),
    (9, ("DEC01", "SEDDD"), "SEK", "EUR"),
    (20, ("DEDUO", "SEDDD"), "SEK", "CHF"),
    (30, ("CHBBB", ""), "CHF", "EUR"),
    (60, ("DEC01", "SEDDD"), "SEK", "SEK"),
)

#: What is owed, in minor units, by debtor, creditor and currency; below zero: back.
Debts = list[tuple[str, str, str, int]]


@dataclass(slots=True)
class Exchange:
    """The rates of the days so far; ``residues`` is what rounding left, by currency."""

    env: Environment
    chance: Random
    rates_u: dict[str, int] = field(default_factory=lambda: dict(_FIRST_RATES_U))
    residues: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    converted: int = 0

    def begin(self) -> None:
        """Tell the house what was agreed, and the rates of the first day."""
        first = BEGINNING.date()
        for day, (party, other), source, target in _AGREED:
            choice = Choice(
                party=party,
                other=other,
                from_currency=source,
                to_currency=target,
                valid_from=first + timedelta(days=day),
            )
            fx.agree(self.env, choice)
        for currency in self.rates_u:
            self._tell(currency)

    def pass_day(self) -> None:
        """Let the rates move, and tell most of them; those of other days stand."""
        for currency in _FIRST_RATES_U:
            if happens(self.chance, _TOLD):
                self._move(currency)
                if happens(self.chance, _TOLD_AGAIN):
                    self._move(currency)

    def take(self, debts: Debts, currency: str, day: int) -> dict[str, int]:
        """Take what is settled in a currency; return the net of each participant.

        Whose net is zero is left out.
        """
        nets: dict[str, int] = defaultdict(int)
        foreign: dict[tuple[str, str, str], int] = defaultdict(int)
        for debtor, creditor, owed_in, minor in debts:
            if _settled_in({debtor, creditor}, owed_in, day) != currency:
                continue
            if owed_in == currency:
                nets[debtor] -= minor
                nets[creditor] += minor
            elif debtor < creditor:
                foreign[owed_in, debtor, creditor] += minor
            else:
                foreign[owed_in, creditor, debtor] -= minor
        for (source, first, second), minor in foreign.items():
            entered = self._convert(abs(minor), source, currency)
            nets[first] += entered if minor < 0 else -entered
            nets[second] += -entered if minor < 0 else entered
            self.converted += minor != 0
        self._keep_rest(foreign, currency)
        return {party: net for party, net in nets.items() if net}

    def _keep_rest(
        self, foreign: Mapping[tuple[str, str, str], int], currency: str
    ) -> None:
        """Note what all is worth above what each two were given for it."""
        for source in {one for one, _, _ in foreign}:
            parts = [abs(left) for (one, *_), left in foreign.items() if one == source]
            whole = self._convert(sum(parts), source, currency)
            each = self._convert_each(parts, source, currency)
            self.residues[currency] += whole - each

    def _convert_each(self, parts: Iterable[int], source: str, target: str) -> int:
        return sum(self._convert(one, source, target) for one in parts)

    def _convert(self, minor: int, source: str, target: str) -> int:
        """Convert at once, half a cent up; all currencies here have two decimals."""
        exact = Fraction(minor * self._rate_u(target), self._rate_u(source))
        return int(exact + Fraction(1, 2))

    def _rate_u(self, currency: str) -> int:
        return self.rates_u.get(currency, _MILLION)

    def _move(self, currency: str) -> None:
        moved = self.chance.randint(_MILLION - _MOVE_PPM, _MILLION + _MOVE_PPM)
        self.rates_u[currency] = self.rates_u[currency] * moved // _MILLION
        self._tell(currency)

    def _tell(self, currency: str) -> None:
        today = self.env.clock.now().date()
        rate = Rate(currency=currency, day=today, rate_u=self.rates_u[currency])
        fx.put_rate(self.env, rate)


def _settled_in(sides: set[str], currency: str, day: int) -> str:
    """Return in which currency two settle: their own word, or the same of each."""
    own, alone = None, dict.fromkeys(sides, currency)
    for since, (party, other), source, target in _AGREED:
        if source != currency or since > day:
            continue
        if other and {party, other} == sides:
            own = target
        elif not other and party in sides:
            alone[party] = target
    if own is not None:
        return own
    words = set(alone.values())
    return words.pop() if len(words) == 1 else currency
