"""Net debit caps: what some CSPs may owe until it is settled, and what waits for room.

The bystander adds up by itself what is owed: of the open window and of those that are
closed and not settled, by submitter. Nobody here charges VAT.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from clearinghouse.domain.debit_caps import DebitCap
from clearinghouse.services import debit_caps

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.simulation.books import Books
    from tests.simulation.plan import Planned

#: From which day on who may owe how much in a currency: more than any SDR comes to.
#: ``None``: as much as it likes.
_CAPS: tuple[tuple[int, str, str, Decimal | None], ...] = (
    (0, "DEC01", "EUR", Decimal(40)),
    (3, "CHC02", "SEK", Decimal(320)),
    (10, "SEC03", "CHF", Decimal(33)),
    (50, "DEC01", "EUR", Decimal(55)),
    (60, "SEC03", "CHF", None),
)


@dataclass(slots=True)
class Caps:
    """The caps in force; ``waiting`` is held for want of room, the oldest first."""

    books: Books
    limits: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    waiting: dict[str, Planned] = field(default_factory=dict)
    held: int = 0
    admitted: int = 0

    def put(self, env: Environment, day: int) -> None:
        """Let the operator put the caps of a day."""
        for since, party_id, currency, limit in _CAPS:
            if since == day:
                minor = None if limit is None else int(limit * 100)
                cap = DebitCap(
                    party_id=party_id,
                    currency=currency,
                    limit_minor=minor,
                    valid_from=env.clock.now(),
                )
                debit_caps.put_cap(env, cap)
                self.limits.pop((party_id, currency), None)
                if limit is not None:
                    self.limits[party_id, currency] = limit

    def hold(self, one: Planned) -> None:
        """Note an SDR that nothing but a cap holds."""
        self.waiting[one.sdr_id] = one
        self.held += 1

    def admit(self, label: str) -> None:
        """Take in what fits this morning, the oldest first.

        Where one is too large, those as large are not asked again.
        """
        too_large: dict[tuple[str, str], Decimal] = {}
        for sdr_id, one in list(self.waiting.items()):
            key = (one.csp.party_id, one.cso.price.currency)
            if key in too_large and one.net >= too_large[key]:
                continue
            if self.has_room(one, label):
                del self.waiting[sdr_id]
                self.books.release(sdr_id, label)
                self.admitted += 1
            else:
                too_large[key] = one.net

    def has_room(self, one: Planned, label: str) -> bool:
        """Say whether the CSP may owe this as well."""
        party_id, currency = one.csp.party_id, one.cso.price.currency
        limit = self.limits.get((party_id, currency))
        if limit is None:
            return True
        owed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for window in (label, *self.books.unsettled):
            for (debtor, creditor, owed_in), sums in self.books.of(window).items():
                if (debtor, owed_in) == (party_id, currency):
                    owed[window, creditor] += sums.net
        owed[label, one.cso.party_id] += one.net
        # Who has to give back of a window is owed nothing, and it pays nothing else.
        return sum(max(Decimal(0), net) for net in owed.values()) <= limit
