"""The books of a bystander: what must be owed, kept without a look at the house.

Amounts come from the plan, what became of an SDR from the answers that its submitter
got. What the house claims, proves and settles must be the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.plan import Planned

#: Debtor, creditor, currency.
Pair = tuple[str, str, str]


@dataclass(slots=True)
class Owed:
    """Sum of one directed pair in one window."""

    count: int = 0
    energy_wh: int = 0
    net: Decimal = Decimal(0)


@dataclass(slots=True)
class Books:
    """What is owed by window; ``where`` says in which window an SDR counts."""

    windows: dict[str, dict[Pair, Owed]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    held: dict[str, Planned] = field(default_factory=dict)
    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    rejected: int = 0
    released: int = 0
    put_away: int = 0

    def take(self, one: Planned, window: str) -> None:
        """Book an SDR that was accepted."""
        if one.sdr_id in self.where:
            raise AssertionError(f"{one.sdr_id} was accepted twice")
        self.where[one.sdr_id] = window
        self._add(one, window, 1)

    def hold(self, one: Planned) -> None:
        """Note an SDR that waits for the operator."""
        self.held[one.sdr_id] = one

    def release(self, sdr_id: str, window: str) -> None:
        """Book a held SDR that the operator took in."""
        self.take(self.held.pop(sdr_id), window)
        self.released += 1

    def strike(self, one: Planned) -> None:
        """Take an SDR out of its window: its home CSP rejected it in time."""
        self._add(one, self.where[one.sdr_id], -1)
        self.rejected += 1

    def _add(self, one: Planned, window: str, times: int) -> None:
        pairs = self.windows.setdefault(window, defaultdict(Owed))
        owed = pairs[one.csp.party_id, one.cso.party_id, one.cso.price.currency]
        owed.count += times
        owed.energy_wh += times * one.energy_wh
        owed.net += times * one.net

    def of(self, window: str) -> dict[Pair, Owed]:
        """Return what is owed in a window; pairs without an SDR are left out."""
        pairs = self.windows.get(window, {})
        return {pair: owed for pair, owed in sorted(pairs.items()) if owed.count}
