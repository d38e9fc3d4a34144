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
    from collections.abc import Iterable

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
    """What is owed by window; ``where`` says in which window an SDR counts.

    ``unsettled``: the windows that are closed and wait for a settlement.
    """

    windows: dict[str, dict[Pair, Owed]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)
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
        self._add(one, window, 1, one.energy_wh, one.net)

    def hold(self, one: Planned) -> None:
        """Note an SDR that waits for the operator."""
        self.held[one.sdr_id] = one

    def release(self, sdr_id: str, window: str) -> None:
        """Book a held SDR that the operator took in."""
        self.take(self.held.pop(sdr_id), window)
        self.released += 1

    def strike(self, one: Planned) -> None:
        """Take an SDR out of its window: its home CSP rejected it in time."""
        self._take_out(one)
        self.rejected += 1

    def carry(self, one: Planned) -> None:
        """Take a disputed SDR out of its window until the dispute ends."""
        self._take_out(one)

    def end_dispute(
        self, one: Planned, agreed: Decimal, window: str, *, carried: bool
    ) -> int:
        """Book what a dispute came to; return of how many SDRs the CSP is to hear.

        What counts already is credited and replaced by what was agreed, both in the
        window that is open now; an SDR that left its window is replaced only.
        """
        if agreed == (0 if carried else one.net):
            return 0
        rows = 0
        if not carried:
            self._add(one, window, 1, -one.energy_wh, -one.net)
            rows += 1
        if agreed:
            self._add(one, window, 1, one.energy_wh, agreed)
            rows += 1
        return rows

    def _take_out(self, one: Planned) -> None:
        self._add(one, self.where[one.sdr_id], -1, -one.energy_wh, -one.net)

    def _add(
        self, one: Planned, window: str, count: int, energy_wh: int, net: Decimal
    ) -> None:
        pairs = self.windows.setdefault(window, defaultdict(Owed))
        owed = pairs[one.csp.party_id, one.cso.party_id, one.cso.price.currency]
        owed.count += count
        owed.energy_wh += energy_wh
        owed.net += net

    def debts(self, windows: Iterable[str]) -> list[tuple[str, str, str, int]]:
        """Return what windows left owing, in minor units; nobody here charges VAT."""
        return [
            (*pair, int(owed.net * 100))
            for window in windows
            for pair, owed in self.of(window).items()
        ]

    def of(self, window: str) -> dict[Pair, Owed]:
        """Return what is owed in a window; pairs without an SDR are left out."""
        pairs = self.windows.get(window, {})
        return {pair: owed for pair, owed in sorted(pairs.items()) if owed.count}
